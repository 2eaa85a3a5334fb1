"""The port of what reads studies: a model says what it reads, and reads or says why not.

It also says what it states.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from medmm.domain.promise import Withheld
from medmm.domain.reading import LabelMap, Measurement, ModelIdentity, Reading
from medmm.domain.study import Modality, NotEvaluable, Notice, Study

NO_MODEL = "no-reading-model"
NOTHING_READ = {
    Modality.RADIOGRAPH: "No reading model is installed for this study (chest radiograph, {part}); "
    "nothing was read from the image.",
    Modality.MR: "No reading model is installed for MR of this body part ({part}); "
    "nothing was read.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a reading model reads, and the most that it states of it.

    Attributes:
        body_parts: as `Study.body_part` names them.
        findings: names of the finding vocabulary that it may score.
        quantities: names of the measurement vocabulary that it may measure, each in the unit given
            there.
    """

    modality: Modality
    body_parts: tuple[str, ...]
    findings: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()

    def covers(self, study: Study) -> bool:
        """Say whether a study is of the kind that the model reads."""
        return study.modality is self.modality and study.body_part in self.body_parts

    def allows(self, reading: Reading) -> bool:
        """Say whether a reading states no finding and no quantity beyond these."""
        return {f.name for f in reading.findings} <= set(self.findings) and {
            m.name for m in reading.measurements
        } <= set(self.quantities)


class ReadingModel(Protocol):
    """Reads findings, regions, measurements and masks off a study's pixels; thread-safe."""

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """The networks that it reads with; a reading names those that it rests on."""
        ...

    @property
    def declares(self) -> Declaration:
        """What it reads and states; known without opening a network."""
        ...

    def read(self, study: Study) -> Reading | NotEvaluable:
        """Read a study that the declaration covers, or say why nothing of it can be read.

        Raises: InputError if its pixels do not decode or can't be prepared; IntegrityError if a
            file of the weights was altered.
        """
        ...


def not_read(study: Study, why: Notice) -> NotEvaluable:
    """Say that a model reads nothing of a study, and why."""
    return NotEvaluable(uid=study.uid, reason_code=why.code, reason=why.text)


def no_reading_model(study: Study) -> NotEvaluable:
    """Say that nothing is installed that reads a study."""
    text = NOTHING_READ[study.modality].format(part=study.body_part)
    return not_read(study, Notice(code=NO_MODEL, text=text))


def read_by(models: Iterable[ReadingModel], study: Study) -> Reading:
    """Read a study with every model whose declaration covers it.

    Returns: one reading of all they state; if none reads it, a reading whose warnings say why.
    Raises: as `ReadingModel.read`.
    """
    outcomes = [model.read(study) for model in models if model.declares.covers(study)]
    return one_reading(study, outcomes or [no_reading_model(study)])


def one_reading(study: Study, outcomes: Sequence[Reading | NotEvaluable]) -> Reading:
    """Join what several models say of one study; of one model it is what that one says.

    What an earlier model states (a finding; a quantity of a side) a later one states beside it, in
    `other_findings` and `other_measurements`; a mask or label map of a name is kept once. What a
    site did not measure of an earlier model gives way to a later one that says something of it.
    That nothing is installed is said where no model says anything else.
    """
    said = [one for one in outcomes if not _of_no_model(one)] or outcomes[:1]
    readings = [_as_reading(study, one) for one in said]
    joined = readings[0]
    for later in readings[1:]:
        joined = _joined(joined, later)
    return joined


def _of_no_model(outcome: Reading | NotEvaluable) -> bool:
    return isinstance(outcome, NotEvaluable) and outcome.reason_code == NO_MODEL


def _as_reading(study: Study, outcome: Reading | NotEvaluable) -> Reading:
    if isinstance(outcome, Reading):
        return outcome
    why = Notice(code=outcome.reason_code, text=outcome.reason)
    return Reading(study_uid=study.uid, warnings=(why, *outcome.warnings))


def _joined(first: Reading, later: Reading) -> Reading:
    own = later.models[0].name if later.models else None  # who gave what names no model
    told = tuple(replace(f, model=f.model or own) for f in later.findings)
    silent = {f.name for f in first.findings if f.withheld is Withheld.NOT_MEASURED}
    silent &= {f.name for f in told if f.withheld is not Withheld.NOT_MEASURED}
    findings = {f.name for f in first.findings} - silent
    gone = (replace(f, model=first.model_of(f)) for f in first.findings if f.name in silent)
    quantities = {_of_side(m) for m in first.measurements}
    maps = {_on_grid(one) for one in first.label_maps}
    masks = {mask.name for mask in first.masks}
    measured = tuple(
        replace(m, model=m.model or own) if _of_side(m) in quantities else m
        for m in later.measurements
    )
    return replace(
        first,
        models=tuple(dict.fromkeys((*first.models, *later.models))),
        findings=(
            *(f for f in first.findings if f.name in findings),
            *(f for f in told if f.name not in findings),
        ),
        other_findings=(*first.other_findings, *gone, *(f for f in told if f.name in findings)),
        measurements=(
            *first.measurements,
            *(m for m in measured if _of_side(m) not in quantities),
        ),
        other_measurements=(
            *first.other_measurements,
            *(m for m in measured if _of_side(m) in quantities),
        ),
        masks=(*first.masks, *(mask for mask in later.masks if mask.name not in masks)),
        label_maps=(*first.label_maps, *(m for m in later.label_maps if _on_grid(m) not in maps)),
        warnings=tuple(dict.fromkeys((*first.warnings, *later.warnings))),
        volumes_read=tuple(dict.fromkeys((*first.volumes_read, *later.volumes_read))),
        coverage=tuple(dict.fromkeys((*first.coverage, *later.coverage))),
        other_alarms=(*first.other_alarms, *later.alarms),
    )


def _of_side(measurement: Measurement) -> tuple[str, object]:
    return measurement.name, measurement.side


def _on_grid(label_map: LabelMap) -> tuple[str, str]:
    return label_map.name, label_map.volume_sha256
