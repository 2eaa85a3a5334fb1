"""Whether the studies of now still look like those that a model was accepted on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain

from medmm.acceptance import SeenStudy, drifted
from medmm.domain.acceptance import Acceptance, SignedAcceptance
from medmm.domain.drift import DriftReport
from medmm.domain.errors import InputError, StateError
from medmm.domain.reading import ModelIdentity, Reading
from medmm.verbs.accepting import reading_network, standing_of
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import look


@look("watch_model", lambda name, since: name)
def watch_model(house: House, call: VerbCall, name: str, since: datetime | None) -> DriftReport:
    """Compare later studies with those of acceptance; see `Assistant.watch_model`."""
    if since is not None and since.tzinfo is None:
        raise InputError("the time has no time zone", remedy="give an aware time, such as in UTC")
    model = reading_network(house, name)
    then, begun = _then(house, model)
    report = drifted(then, list(_seen(house, model, since or begun)))
    call.seen |= {
        "manifest": model.manifest_sha256,
        "studies": report.studies,
        "drifted": len(report.drifted),
    }
    return report


def _then(house: House, model: ModelIdentity) -> tuple[Acceptance, datetime | None]:
    """Find the last acceptance of a model, and since when it counts.

    Raises: StateError if the model never had one.
    """
    signed = [d for d in standing_of(house, model).decisions if isinstance(d, SignedAcceptance)]
    if signed:
        return signed[-1].acceptance, signed[-1].at
    shipped = {one.model.name: one for one in house.networks.shipped_acceptances()}
    if model.name not in shipped:
        raise StateError(
            "this model was never accepted, so there is nothing to compare with",
            remedy="measure it with `medmm models calibrate`, then accept it",
            model=model.name,
        )
    return shipped[model.name], None


def _seen(house: House, model: ModelIdentity, since: datetime | None) -> Iterator[SeenStudy]:
    """Give what a model said of each study since a time, the newest of each, on its own scale."""
    seen: dict[str, SeenStudy] = {}
    shadows = house.store.shadow_readings(model.manifest_sha256, since)
    in_shadow = ((one.reading, one.input_figures) for one in shadows)
    spoken = ((one, one.input_figures) for one in house.store.readings(since))
    for reading, figures in chain(in_shadow, spoken):
        if reading is not None and figures is not None and model in reading.models:
            scores = dict(_scores(reading, model.name))
            seen[reading.study_uid] = SeenStudy(scores=scores, inputs=figures)
    yield from seen.values()


def _scores(reading: Reading, name: str) -> Iterable[tuple[str, float]]:
    for finding in (*reading.findings, *reading.other_findings):
        if reading.model_of(finding) == name:
            own = finding.own_probability
            yield finding.name, finding.probability if own is None else own
