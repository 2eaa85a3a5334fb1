"""What a signed report is printed from."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.report import SignedReport
from medmm.domain.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A signed report, whose it is, and the study that it is about with its order.

    `restated_entry` is the audit entry that stated the identity otherwise than it was when the
    report was signed; `versions` are all of the report, oldest first.
    """

    report: SignedReport
    identity: PatientIdentity
    study: Study
    order: StudyOrder
    restated_entry: int | None = None
    versions: tuple[SignedReport, ...] = ()
