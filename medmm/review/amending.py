"""The later life of a signed report: amended, added to, or withdrawn. What was signed stays; a further version replaces it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from medmm.domain.errors import InputError, needed
from medmm.domain.report import Addendum, CaseFile, Decision, Reader, SignedReport
from medmm.domain.report_kind import ReportKind
from medmm.review.contradiction import refuse_contradicting_addendum
from medmm.review.decisions import merged
from medmm.review.lifecycle import Act, advance
from medmm.review.own_words import addendum_statement
from medmm.review.signing import UNNUMBERED, numbered, refuse_signer, rejected_count, to_sign


def amended(file: CaseFile, decisions: Sequence[Decision], by: Reader) -> CaseFile:
    """A signed case with these decisions made over those that were signed.

    Raises: StateError if its report can't be amended; as `decide`.
    """
    advance(file.state, Act.AMEND)
    return replace(file, decisions=merged(file, decisions, by))


def amend(
    file: CaseFile, *, reason: str, correction: bool, by: Reader, at: datetime
) -> tuple[CaseFile, SignedReport]:
    """Sign the decisions of a case that `amended` gave in place of its report.

    Sentences whose words stay are those that were signed, with their coding.

    Args:
        correction: whether what stood there was wrong; else there is more to say.

    Returns: the case with the decisions that the report was made of, and the report.
    Raises: InputError without a reason, or if the report would say what it says now; as `sign`.
    """
    before = needed(file.report, "the signed report", case=file.case.id)
    report = _next(
        file, ReportKind.CORRECTION if correction else ReportKind.AMENDMENT, reason, by, at
    )
    file = replace(file, decisions=tuple(_dated(one, at) for one in file.decisions))
    signed = {s.id: s for s in before.statements}
    statements = tuple(
        signed[s.id] if s.id in signed and signed[s.id].text == s.text else s
        for s in to_sign(file, by)
    )
    if statements == before.statements:
        raise InputError(
            "the amendment changes nothing in the report",
            remedy="edit, reject or add a statement; `addendum` adds a remark",
            case=file.case.id,
        )
    return file, numbered(
        replace(report, statements=statements, rejected_count=rejected_count(file))
    )


def addendum(
    file: CaseFile, text: str, *, reason: str, by: Reader, at: datetime
) -> tuple[CaseFile, SignedReport]:
    """Add words to a signed report, whose own words stay.

    Returns: the case with the addendum among its decisions, and the report.
    Raises: InputError without text or reason; StateError if there is no signed report, or if its words contradict it.
    """
    advance(file.state, Act.ADDENDUM)
    before = needed(file.report, "the signed report", case=file.case.id)
    report = _next(file, ReportKind.ADDENDUM, reason, by, at)
    added = Addendum(text.strip(), statement_id=f"a{report.version}", by=by, at=at)
    statements = (*before.statements, addendum_statement(added))
    refuse_contradicting_addendum(statements, file.case.id)
    file = replace(file, decisions=(*file.decisions, added))
    return file, numbered(replace(report, statements=statements))


def withdraw(file: CaseFile, *, reason: str, by: Reader, at: datetime) -> SignedReport:
    """The last version of a report, which says that nothing of it is valid.

    Raises: InputError without a reason; StateError if there is no signed report, or if it is withdrawn already.
    """
    advance(file.state, Act.WITHDRAW)
    return numbered(_next(file, ReportKind.WITHDRAWAL, reason, by, at))


def _next(file: CaseFile, kind: ReportKind, reason: str, by: Reader, at: datetime) -> SignedReport:
    """The next version of a report, of a withdrawal all that it says, else with the words of the one before."""
    before = needed(file.report, "the signed report", case=file.case.id)
    refuse_signer(by, at)
    if not reason.strip():
        raise InputError(
            f"a report gets no {kind.value} without a reason",
            remedy="say why; whoever acted on the report before must learn it",
            case=file.case.id,
        )
    report = replace(
        before,
        id=UNNUMBERED,
        version=before.version + 1,
        statements=before.statements if kind is not ReportKind.WITHDRAWAL else (),
        kind=kind,
        replaces=before.id,
        first=before.root,
        reason=reason.strip(),
        signed_by=by,
        signed_at=at,
    )
    if kind is ReportKind.WITHDRAWAL:
        return replace(report, not_evaluated=(), rejected_count=0)
    return report


def _dated(decision: Decision, at: datetime) -> Decision:
    """An addendum that was reworded just now is of now."""
    if isinstance(decision, Addendum) and decision.at is None:
        return replace(decision, at=at)
    return decision
