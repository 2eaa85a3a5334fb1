"""The later life of a signed report: amended, added to, or withdrawn.

What was signed stays; a further version replaces it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from medmm.domain.errors import InputError, needed
from medmm.domain.plain_text import refuse_no_text
from medmm.domain.report import (
    Addendum,
    CaseFile,
    Decision,
    Reader,
    SignedReport,
    SignedStatement,
)
from medmm.domain.report_kind import ReportKind
from medmm.review.contradiction import refuse_contradicting_addendum
from medmm.review.decisions import merged
from medmm.review.lifecycle import Act, advance
from medmm.review.own_words import addendum_statement
from medmm.review.signing import (
    UNNUMBERED,
    decided_statements,
    numbered,
    refuse_signer,
    refuse_unsound,
    rejected_count,
)


def amended(file: CaseFile, decisions: Sequence[Decision], by: Reader) -> CaseFile:
    """Make these decisions on a signed case, over those that were signed.

    Raises: StateError if its report can't be amended; as `decide`.
    """
    advance(file.state, Act.AMEND)
    return replace(file, decisions=merged(file, decisions, by))


def to_amend(file: CaseFile, after: CaseFile, by: Reader) -> tuple[SignedStatement, ...]:
    """List the statements that an amendment signs: those changed, the others as signed.

    Args:
        file: the case as it was signed.
        after: the same with the decisions of the amendment, as `amended` gives it.

    Raises: InputError if the decisions change no statement; StateError as `to_sign`.
    """
    before = needed(file.report, "the signed report", case=file.case.id)
    was = {s.id: s.text for s in decided_statements(file, before.signed_by)}
    signed = {s.id: s for s in before.statements}
    changed = decided_statements(after, by)
    if {s.id: s.text for s in changed} == was:
        raise InputError(
            "the amendment changes nothing in the report",
            remedy="edit, reject or add a statement; `addendum` adds a remark",
            case=file.case.id,
        )
    statements = tuple(signed.get(s.id, s) if was.get(s.id) == s.text else s for s in changed)
    refuse_unsound(statements, after)
    return statements


def amend(
    file: CaseFile,
    decisions: Sequence[Decision],
    *,
    reason: str,
    correction: bool,
    by: Reader,
    at: datetime,
) -> tuple[CaseFile, SignedReport]:
    """Sign decisions over those that were signed.

    Statements that they do not change stay as they were signed.

    Args:
        correction: whether what stood there was wrong; else there is more to say.

    Returns: the case with the decisions that the report was made of, and the report.
    Raises: InputError without a reason, or if nothing changes; as `decide` and `sign`.
    """
    after = amended(file, decisions, by)
    after = replace(after, decisions=tuple(_dated(one, at) for one in after.decisions))
    kind = ReportKind.CORRECTION if correction else ReportKind.AMENDMENT
    report = replace(
        _next(file, kind, reason, by, at),
        statements=to_amend(file, after, by),
        rejected_count=rejected_count(after),
    )
    return after, numbered(report)


def addendum(
    file: CaseFile, text: str, *, reason: str, by: Reader, at: datetime
) -> tuple[CaseFile, SignedReport]:
    """Add words to a signed report, whose own words stay.

    Returns: the case with the addendum among its decisions, and the report.
    Raises: InputError without text or reason; StateError if there is no signed report, or if its
        words contradict it.
    """
    advance(file.state, Act.ADDENDUM)
    refuse_no_text(text, "the addendum")
    before = needed(file.report, "the signed report", case=file.case.id)
    report = _next(file, ReportKind.ADDENDUM, reason, by, at)
    added = Addendum(text.strip(), statement_id=f"a{report.version}", by=by, at=at)
    statements = (*before.statements, addendum_statement(added))
    refuse_contradicting_addendum(statements, file.case.id)
    file = replace(file, decisions=(*file.decisions, added))
    return file, numbered(replace(report, statements=statements))


def withdraw(file: CaseFile, *, reason: str, by: Reader, at: datetime) -> SignedReport:
    """Make the last version of a report, which says that nothing of it is valid.

    Raises: InputError without a reason; StateError if there is no signed report, or if it is
        withdrawn already.
    """
    advance(file.state, Act.WITHDRAW)
    return numbered(_next(file, ReportKind.WITHDRAWAL, reason, by, at))


def _next(file: CaseFile, kind: ReportKind, reason: str, by: Reader, at: datetime) -> SignedReport:
    """Make the next version of a report, with the words of the one before.

    A withdrawal states nothing.
    """
    before = needed(file.report, "the signed report", case=file.case.id)
    refuse_signer(by, at)
    refuse_no_text(reason, "the reason")
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
        communications=file.communications,
    )
    if kind is ReportKind.WITHDRAWAL:
        return replace(report, not_evaluated=(), rejected_count=0)
    return report


def _dated(decision: Decision, at: datetime) -> Decision:
    """Date an addendum that was reworded just now."""
    if isinstance(decision, Addendum) and decision.at is None:
        return replace(decision, at=at)
    return decision
