"""Which reading models speak in drafts, in which order, and which read in shadow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from medmm.domain.acceptance import Acceptance, SignedAcceptance
from medmm.domain.errors import ConfigError
from medmm.domain.model_standing import ModelStanding
from medmm.domain.reading import Reading
from medmm.domain.reading_model import ReadingModel, no_reading_model, one_reading
from medmm.domain.study import NotEvaluable, Study
from medmm.presentation.standing_words import accepted_notice, elsewhere_notice

Standings = Mapping[str, ModelStanding]  # by the digest of a manifest


@dataclass(frozen=True, slots=True)
class Speaker:
    """A reading model that speaks in drafts, with what was accepted of its networks.

    Attributes:
        accepted: what this site accepted.
        shipped: what ships with packaged networks that this site did not measure itself.
    """

    model: ReadingModel
    accepted: tuple[SignedAcceptance, ...] = ()
    shipped: tuple[Acceptance, ...] = ()

    def read(self, study: Study) -> Reading | NotEvaluable:
        """Read a study; what the site accepted stands on the site's scale, and says so."""
        outcome = self.model.read(study)
        if isinstance(outcome, NotEvaluable):
            return outcome
        said = list(outcome.warnings)
        for signed in self.accepted:
            if signed.acceptance.model in outcome.models:
                outcome = signed.acceptance.applied(outcome)
                said.append(accepted_notice(signed))
        elsewhere = [one for one in self.shipped if one.model in outcome.models]
        if elsewhere:
            said.append(elsewhere_notice(elsewhere))
        return replace(outcome, warnings=tuple(said))


@dataclass(frozen=True, slots=True)
class OnDuty:
    """The reading models of an installation, told apart by whether they speak in drafts.

    A packaged one speaks; one that was added speaks once a person accepted its version here.

    Attributes:
        speakers: in the order in which they have their say.
        shadow: those that read and are shown in no draft.
    """

    speakers: tuple[Speaker, ...]
    shadow: tuple[ReadingModel, ...]

    def accepted(self) -> tuple[SignedAcceptance, ...]:
        """List what this site accepted of the models that speak."""
        return tuple(signed for one in self.speakers for signed in one.accepted)

    def told_of(self) -> set[str]:
        """List the networks of which readings say on which studies they were accepted."""
        shipped = {one.model.name for speaker in self.speakers for one in speaker.shipped}
        return {signed.acceptance.model.name for signed in self.accepted()} | shipped

    def read(self, study: Study) -> Reading:
        """Read a study with every speaker whose declaration covers it; see `read_by`."""
        there = [one for one in self.speakers if one.model.declares.covers(study)]
        outcomes = [one.read(study) for one in there]
        return one_reading(study, outcomes or [no_reading_model(study)])


def on_duty(
    models: Sequence[ReadingModel],
    added: Iterable[ReadingModel],
    standings: Standings,
    order: Sequence[str],
    shipped: Sequence[Acceptance] = (),
) -> OnDuty:
    """Tell the speakers from those in shadow.

    Args:
        models: all of them, in the order in which they were added.
        added: those of them that are not packaged.
        shipped: the acceptances that ship with packaged networks.
        order: names of networks, first those that have the first say.

    Raises: ConfigError if no reading model has one of these names.
    """
    of_others = {digest for one in added for digest in digests_of(one)}
    speakers, shadow = [], []
    for model in ordered(models, order):
        accepted = tuple(_accepted(model, standings))
        waits = not accepted and not of_others.isdisjoint(digests_of(model))
        if waits:
            shadow.append(model)
        else:
            here = {signed.acceptance.model for signed in accepted}
            of_model = {*model.identities} - here
            speakers.append(
                Speaker(model, accepted, tuple(one for one in shipped if one.model in of_model))
            )
    return OnDuty(tuple(speakers), tuple(shadow))


def digests_of(model: ReadingModel) -> tuple[str, ...]:
    """List the digests of the manifests of a model's networks."""
    return tuple(one.manifest_sha256 for one in model.identities)


def ordered(models: Sequence[ReadingModel], order: Sequence[str]) -> list[ReadingModel]:
    """Bring models into the order of the settings; those that it does not name come after.

    Raises: ConfigError if no reading model has one of the names.
    """
    there = {one.name for model in models for one in model.identities}
    unknown = [name for name in order if name not in there]
    if unknown:
        raise ConfigError(
            f"reading_order names no reading model: {', '.join(unknown)}",
            remedy=f"name those that are here: {', '.join(sorted(there)) or 'none'}",
        )
    return sorted(models, key=lambda model: _place(model, order))


def _place(model: ReadingModel, order: Sequence[str]) -> int:
    named = [order.index(one.name) for one in model.identities if one.name in order]
    return min(named, default=len(order))


def _accepted(model: ReadingModel, standings: Standings) -> Iterator[SignedAcceptance]:
    for digest in digests_of(model):
        standing = standings.get(digest)
        if standing is not None and standing.accepted is not None:
            yield standing.accepted
