"""Which cases rest on a version of a model, so that they can be looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medmm.domain.case_state import CaseState
from medmm.domain.reading import ModelIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalledCase:
    """A case of which a draft, or the signed report, rests on the version.

    Attributes:
        drafts: numbers of the versions of its draft that do.
        newest: whether the last version does, which is the one that readers see.
        findings: those that the last of these drafts claims by a score of the model; of a model
            that words drafts, all that it claims.
        report_id: of the report that counts; None if it is not signed.
        report_rests: whether that report names the version among its models.
        published_at: when the report last went into a folder or to a destination, by the log; other
            ways out are not known here.
    """

    case_id: str
    study_uid: str
    patient_key: str
    state: CaseState
    site: str | None
    drafts: tuple[int, ...]
    newest: bool
    drafted_at: datetime | None
    findings: tuple[str, ...]
    report_id: str | None = None
    report_rests: bool = False
    signed_by: str | None = None
    signed_at: datetime | None = None
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallList:
    """Every case that rests on a version of a model, by id.

    Attributes:
        looked_at: how many cases were gone through, each held against the log.
    """

    model: ModelIdentity
    cases: tuple[RecalledCase, ...]
    looked_at: int
