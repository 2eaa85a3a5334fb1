"""Labelled studies and a model's readings of them to an acceptance: set, then measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from medmm.acceptance.agreement import LEAST_PAIRS, quantity
from medmm.acceptance.baselines import beside
from medmm.acceptance.distributions import SeenStudy, distributions
from medmm.acceptance.figures import LEAST_CASES, Read, drawn_aurocs, figure_of, mean_of
from medmm.acceptance.labels import Half, LabelTable
from medmm.acceptance.metrics import BOOTSTRAPS, patient_draws
from medmm.acceptance.scores import ReadStudy, Scores, findings_by
from medmm.acceptance.site_calibration import site_calibration
from medmm.acceptance.split import split_words
from medmm.domain.acceptance import (
    Acceptance,
    Attribute,
    Figure,
    MeasuredQuantity,
    NotMeasured,
    Place,
)
from medmm.domain.errors import InputError
from medmm.domain.reading import ModelIdentity
from medmm.domain.reading_model import Declaration
from medmm.domain.version import __version__

FILMS = "labelled studies of this site"
UNKNOWN = Figure(value=None)


def measured(
    model: ModelIdentity,
    declares: Declaration,
    table: LabelTable,
    studies: Sequence[ReadStudy],
    *,
    unread: Mapping[str, int],
    burden: float,
    at: datetime,
) -> Acceptance:
    """Set a model's points on one half of a site's patients, and measure it on the other.

    Args:
        declares: what the model reads and states.
        studies: those of the table that were read; `unread` counts the others by the reason.
        burden: of the studies without any finding, the most that may carry a claim, 0 to 1.
        at: when it is measured.
    Raises: InputError for one study under two lines, and if the labels can't bear out points.
    """
    _once_each(studies)
    labelled = {name for one in studies for name in one.labels.findings}
    names = tuple(name for name in declares.findings if name in labelled)
    everything = Scores(model=model, names=names, studies=tuple(studies))
    calibrate, measure = (everything.half(half) for half in (Half.CALIBRATE, Half.MEASURE))
    _both_there(calibrate, measure)
    calibration, left = site_calibration(calibrate, burden, FILMS)
    begun = Acceptance(
        model=model,
        place=Place.SITE,
        films=f"{len(studies)} {FILMS}",
        labels_from=table.origin,
        table_sha256=table.sha256,
        films_sha256=tuple(sorted({digest for one in studies for digest in one.sha256s})),
        calibrated=calibrate.counted,
        measured=measure.counted,
        unread=tuple(sorted(unread.items())),
        split=split_words(one.labels for one in studies),
        chosen_burden=burden,
        calibration=calibration,
        auroc=UNKNOWN,
        burden=UNKNOWN,
        labelled_claimed=UNKNOWN,
        measured_at=at,
        version=__version__,
    )
    read = as_read(begun, measure, calibrate)
    quantities = _quantities(measure.studies, declares, model.name)
    seen = [_seen(one, model.name) for one in studies]
    return replace(
        with_figures(begun, read, calibrate),
        quantities=tuple(quantities),
        distributions=tuple(distributions(seen, names)),
        not_measured=(
            *left,
            *_unlabelled(declares, names, quantities),
            *_unranked(read),
            *_few(quantities),
        ),
    )


def as_read(acceptance: Acceptance, measure: Scores, calibrate: Scores) -> Read:
    """Apply an acceptance to readings, as live use does, and keep what drafts would claim."""
    applied = [
        findings_by(acceptance.model.name, acceptance.applied(one.reading))
        for one in measure.studies
    ]
    shape = (len(measure.studies), len(measure.names))
    rows = [[f[n].probability if n in f else np.nan for n in measure.names] for f in applied]
    said = [[n in f and f[n].suspected for n in measure.names] for f in applied]
    with np.errstate(invalid="ignore"):
        known = ~np.isnan(calibrate.truth)
        prevalence = np.where(known, calibrate.truth, 0.0).sum(0) / np.where(
            known.any(0), known.sum(0), np.nan
        )
    return Read(
        scores=measure,
        probability=np.asarray(rows, dtype=np.float64).reshape(shape),
        claimed=np.asarray(said, dtype=bool).reshape(shape),
        prevalence=prevalence,
    )


def with_figures(acceptance: Acceptance, read: Read, calibrate: Scores) -> Acceptance:
    """Measure the findings of an acceptance: all together, each, by group, beside others."""
    if not read.scores.names:
        return acceptance
    columns = read.columns()
    draws = patient_draws(read.scores.patients, BOOTSTRAPS)
    drawn = drawn_aurocs(read.scores.truth, read.probability, draws)
    return replace(
        acceptance,
        auroc=figure_of(mean_of(drawn, columns), len(read.scores.studies)) if columns else UNKNOWN,
        burden=read.burden,
        labelled_claimed=read.labelled_claimed,
        findings=tuple(read.finding(j) for j in range(len(read.scores.names))),
        groups=tuple(group for attribute in Attribute for group in read.groups(attribute)),
        beside=tuple(beside(read, calibrate)),
    )


def _seen(study: ReadStudy, model: str) -> SeenStudy:
    found = findings_by(model, study.reading)
    inputs = replace(
        study.inputs,
        sex=study.sex,
        age_years=study.age_years,
        view=study.inputs.view or study.labels.view,
        scanner=study.inputs.scanner or study.labels.scanner,
    )
    return SeenStudy(scores={name: f.probability for name, f in found.items()}, inputs=inputs)


def _once_each(studies: Iterable[ReadStudy]) -> None:
    """Refuse an image that two lines of a table label."""
    lines: dict[str, int] = {}
    for one in studies:
        for digest in one.sha256s:
            first = lines.setdefault(digest, one.labels.line)
            if first != one.labels.line:
                raise InputError(
                    f"the images of line {first} are labelled again",
                    remedy="label each study once",
                    line=str(one.labels.line),
                )


def _both_there(calibrate: Scores, measure: Scores) -> None:
    for scores, words in ((calibrate, "to calibrate on"), (measure, "to measure on")):
        if not scores.studies:
            raise InputError(
                f"there is no study {words}",
                remedy="label studies of more patients; some 200 are a beginning",
                model=scores.model.name,
            )


def _quantities(
    studies: Sequence[ReadStudy], declares: Declaration, model: str
) -> list[MeasuredQuantity]:
    wanted = {what for one in studies for what in one.labels.quantities}
    order = {name: place for place, name in enumerate(declares.quantities)}
    stated = sorted(
        (what for what in wanted if what[0] in order),
        key=lambda what: (order[what[0]], what[1].value if what[1] else ""),
    )
    return [quantity(studies, what, model) for what in stated]


def _unlabelled(
    declares: Declaration, names: Sequence[str], quantities: Sequence[MeasuredQuantity]
) -> list[NotMeasured]:
    why = "No study has a label of it: nothing is said of it in drafts."
    found = [NotMeasured(of=name, why=why) for name in declares.findings if name not in names]
    there = {one.name for one in quantities}
    why = "No study has a reference value: its measurements are stated with the model's interval."
    return found + [
        NotMeasured(of=name, why=why) for name in declares.quantities if name not in there
    ]


def _unranked(read: Read) -> list[NotMeasured]:
    rows = []
    for j, name in enumerate(read.scores.names):
        if not read.ranked(j):
            truth = read.scores.truth[read.known(j), j]
            rows.append(
                NotMeasured(
                    of=name,
                    why=f"{int(truth.sum())} studies of the half that is measured on have it and "
                    f"{int((1 - truth).sum())} have not: an AUROC needs {LEAST_CASES} of each.",
                )
            )
    return rows


def _few(quantities: Iterable[MeasuredQuantity]) -> list[NotMeasured]:
    return [
        NotMeasured(
            of=one.name,
            why=f"{one.studies - one.unmeasured} studies were measured and have a reference value: "
            f"limits of agreement need {LEAST_PAIRS}.",
        )
        for one in quantities
        if one.studies - one.unmeasured < LEAST_PAIRS
    ]
