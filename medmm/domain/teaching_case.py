"""A case to learn from, without who the patient is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from medmm.domain.draft import Case
from medmm.domain.errors import StateError
from medmm.domain.finding_said import (
    FindingSaid,
    Saids,
    said_beside_draft,
    said_by_choice,
    said_in_draft,
    said_in_report,
)
from medmm.domain.influence_of_draft import InfluenceOfDraft, compared
from medmm.domain.instruction import Pictures
from medmm.domain.report import Add, CaseFile
from medmm.domain.study import Study, Volume

# Ages above 89 years tell too much of who it is (45 CFR 164.514(b)(2)(i)(C))
OLDEST_YEARS = 90
NOBODY, NO_STUDY = "", "teaching"
STATED_WITH_TEXT = (
    "The images state that text is burned into their pixels, which may name the patient."
)
TEXT_UNKNOWN = (
    "The images do not state whether text is burned into their pixels, which may name the patient."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachingCase:
    """Images, an age, and what was drafted and signed, finding by finding and in no free text.

    Attributes:
        file: the case as a viewer shows it: blind, without record, identifiers and times. None if
            its images may not be shown; `withheld` says why then.
        age_years: whole years at the study, 90 of all above 89; None if unknown.
        drafted: what the draft says of each finding; `beside` what is also suspected, `signed` what
            the report says, None without one.
    """

    file: CaseFile | None
    withheld: str
    age_years: int | None
    drafted: tuple[FindingSaid, ...]
    beside: tuple[FindingSaid, ...]
    signed: tuple[FindingSaid, ...] | None

    @classmethod
    def of(cls, file: CaseFile, pictures: Pictures) -> TeachingCase:
        """Take of a case what tells nobody who it is.

        Args:
            pictures: of which images the pictures may be shown.

        Raises: StateError if the case has no draft.
        """
        if file.draft is None:
            raise StateError(
                "the case has no draft to compare with", remedy="draft it", case=file.case.id
            )
        study = file.case.study
        shown = pictures.show(study.states_text)
        why = STATED_WITH_TEXT if study.states_text else TEXT_UNKNOWN
        report = None if file.report is None or file.report.withdrawn else file.report
        return cls(
            file=_nameless(file) if shown else None,
            withheld="" if shown else why,
            age_years=_age_years(study),
            drafted=tuple(said_in_draft(file.draft.draft).values()),
            beside=tuple(said_beside_draft(file.draft.draft).values()),
            signed=None if report is None else tuple(said_in_report(report).values()),
        )

    def compared_with(self, seen: Sequence[Add], text: str = "") -> tuple[InfluenceOfDraft, ...]:
        """Lay what a learner saw beside what was drafted and signed, one row a finding."""
        signed = None if self.signed is None else _by_finding(self.signed)
        beside = _by_finding(self.beside)
        seen_first = said_by_choice(seen, text)
        return compared(seen_first, _by_finding(self.drafted), signed, beside=beside)


def _by_finding(said: Sequence[FindingSaid]) -> Saids:
    return {one.finding: one for one in said}


def _age_years(study: Study) -> int | None:
    """Take the least age that a source states."""
    if not study.ages:
        return None
    return min(math.floor(min(age.least_years for age in study.ages) + 1e-6), OLDEST_YEARS)


def _nameless(file: CaseFile) -> CaseFile:
    """Build the case again of what a viewer needs, and of nothing else."""
    study = file.case.study
    bare = Study(
        uid=NO_STUDY,
        patient_key=NOBODY,
        modality=study.modality,
        body_part=study.body_part,
        acquired=None,
        volumes=_nameless_volumes(study),
        sequences=tuple(replace(one, reason="") for one in study.sequences),
        missing=study.missing,
        film=None if study.film is None else replace(study.film, reason=""),
        main_sha256=study.main_sha256,
        burned_in_text=study.burned_in_text,
    )
    return CaseFile(
        case=Case(id=file.case.id, study=bare),
        state=file.state,
        reading=None,
        draft=None,
        decisions=(),
        report=None,
        blind=True,
    )


def _nameless_volumes(study: Study) -> tuple[Volume, ...]:
    """Build the volumes again with their geometry and pixels; UIDs become numbers."""
    series = _numbers(v.series_uid for v in study.volumes)
    frames = _numbers(v.frame_of_reference_uid or "" for v in study.volumes)
    return tuple(
        Volume(
            series_uid=series[v.series_uid],
            sop_class_uid=v.sop_class_uid,
            sop_uids=(),
            sha256=v.sha256,
            shape_zyx=v.shape_zyx,
            affine_lps_mm=v.affine_lps_mm,
            spacing_yx_mm=v.spacing_yx_mm,
            spacing_z_mm=v.spacing_z_mm,
            pixel_aspect=v.pixel_aspect,
            patient_left_on=v.patient_left_on,
            view=v.view,
            frame_of_reference_uid=frames[v.frame_of_reference_uid]
            if v.frame_of_reference_uid
            else None,
            sequence=None if v.sequence is None else replace(v.sequence, reason=""),
            spacing_meaning=v.spacing_meaning,
            loader=v.loader,
            frame_loader=v.frame_loader,
            stored_frame_loader=v.stored_frame_loader,
        )
        for v in study.volumes
    )


def _numbers(uids: Iterable[str]) -> dict[str, str]:
    return {uid: str(number) for number, uid in enumerate(dict.fromkeys(uids), start=1)}
