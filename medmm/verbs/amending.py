"""What becomes of a report after it was signed: amended, added to, or withdrawn.

Each is one step with its entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medmm import review
from medmm.domain.codec import to_json
from medmm.domain.report import CaseFile, Decision, SignedReport
from medmm.domain.shown import Shown
from medmm.verbs import outbox, showing
from medmm.verbs.calls import VerbCall
from medmm.verbs.deciding import as_it_stands, marks
from medmm.verbs.house import House
from medmm.verbs.verb import verb


def _amending(
    house: House,
    case_id: str,
    decisions: Sequence[Decision],
    reason: str,
    correction: bool,
    shown: Shown | None,
) -> dict[str, Any]:
    return {
        "case": case_id,
        "decisions": to_json(tuple(decisions)),
        "reason": reason,
        "correction": correction,
    }


@verb("amend", as_it_stands, request=_amending)
def amend(
    house: House,
    call: VerbCall,
    case_id: str,
    decisions: Sequence[Decision],
    reason: str,
    correction: bool,
    shown: Shown | None,
) -> SignedReport:
    """Sign other words in place of a report's; see `Assistant.amend`."""
    before = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, before)
    file, report = review.amend(
        before,
        decisions,
        reason=reason,
        correction=correction,
        by=call.actor,
        at=house.clock(),
    )
    return _replaced(house, call, review.Act.AMEND, before, file, report, shown, **marks(file))


@verb(
    "addendum",
    as_it_stands,
    request=lambda house, case_id, text, reason, shown: {
        "case": case_id,
        "text": text,
        "reason": reason,
    },
)
def addendum(
    house: House, call: VerbCall, case_id: str, text: str, reason: str, shown: Shown | None
) -> SignedReport:
    """Add words to a signed report; see `Assistant.addendum`."""
    before = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, before)
    file, report = review.addendum(before, text, reason=reason, by=call.actor, at=house.clock())
    return _replaced(house, call, review.Act.ADDENDUM, before, file, report, shown, **marks(file))


@verb(
    "withdraw",
    as_it_stands,
    request=lambda house, case_id, reason, shown: {"case": case_id, "reason": reason},
)
def withdraw(
    house: House, call: VerbCall, case_id: str, reason: str, shown: Shown | None
) -> SignedReport:
    """Say that nothing of a report is valid; see `Assistant.withdraw`."""
    file = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, file)
    report = review.withdraw(file, reason=reason, by=call.actor, at=house.clock())
    return _replaced(house, call, review.Act.WITHDRAW, file, file, report, shown)


def _replaced(
    house: House,
    call: VerbCall,
    act: review.Act,
    before: CaseFile,
    file: CaseFile,
    report: SignedReport,
    shown: Shown | None,
    **marked: str,
) -> SignedReport:
    """Keep the next version of a report.

    The entry names it by digest, since the reason is a person's text and stays in the report.
    """
    case_id = before.case.id
    with house.store.step() as step:
        step.refuse_others(case_id, call.actor.id, house.clock())
        showing.refuse_changed(step, shown, before)
        step.unclaim(case_id)
        step.save_decisions(case_id, file.decisions, expected=before.decisions)
        step.set_state(case_id, review.advance(before.state, act), expected=before.state)
        sent_to = outbox.keep_report(house, step, report, before.versions, file.decisions)
        step.cover_identity(report.patient_key)
        call.done(
            step,
            report,
            case_id,
            version=report.version,
            kind=report.kind.value,
            replaces=report.replaces,
            **marked,
            **sent_to,
        )
    return report
