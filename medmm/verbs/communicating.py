"""Critical results: a person was told, and how; and until when the others are to be told."""

from __future__ import annotations

from datetime import datetime

from medmm.domain.critical_result import (
    Clock,
    Communication,
    CriticalResult,
    Route,
    category_of,
    critical_result,
)
from medmm.domain.errors import StateError
from medmm.domain.report import SIGNED_STATES, CaseState, CaseSummary
from medmm.domain.shown import Shown
from medmm.verbs import showing
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import kept, verb


@verb(
    "communicate",
    kept(Communication),
    request=lambda house, case_id, to, how, read_back, shown: {
        "case": case_id,
        "to": to,
        "how": how.value,
        "read_back": read_back,
    },
)
def communicate(
    house: House,
    call: VerbCall,
    case_id: str,
    to: str,
    how: Route,
    read_back: bool,
    shown: Shown | None,
) -> Communication:
    """Keep that a person was told; see `Assistant.communicate`.

    The entry names no person: who was told stands with the case, under a digest of the entry.
    """
    file = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, file)
    findings = file.critical_findings
    if not findings or file.state in (CaseState.SUPERSEDED, CaseState.WITHDRAWN):
        raise StateError(
            "the case has no critical finding to tell of",
            remedy="add the finding first, or say it in the report or an addendum",
            case=case_id,
        )
    told = Communication(
        findings=findings,
        category=category_of(findings),
        to=to.strip(),
        how=how,
        read_back=read_back,
        by=call.actor.id,
        reader=call.actor.name,
        at=house.clock(),
    )
    with house.store.step() as step:
        showing.refuse_changed(step, shown, file)
        before = step.case_file(case_id).communications
        step.save_communications(case_id, (*before, told))
        said = {"findings": " ".join(findings), "category": str(told.category), "how": how.value}
        call.done(step, told, case_id, "done", read_back=read_back, **said)
    return told


def to_tell(house: House, case: CaseSummary, at: datetime) -> CriticalResult | None:
    """Say until when a case's critical findings are to be told; None if all were, or none is."""
    if case.critical_since is None:
        return None
    rule, since = house.settings.critical.rule(), case.critical_since
    findings = tuple(dict.fromkeys(s.finding for s in case.suspicions if s.critical))
    if rule.clock is Clock.DETECTION:
        return critical_result(findings, since, rule, at)
    signed = case.state in SIGNED_STATES
    first = house.store.case_file(case.case_id).versions[0].signed_at if signed else None
    return critical_result(findings, first, rule, at)
