"""What a reader decides of a draft, and signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from medmm import grounding, review
from medmm.domain.codec import from_json, to_json
from medmm.domain.confirmation import Confirmation
from medmm.domain.draft import CheckedDraft, Outcome
from medmm.domain.report import (
    CaseFile,
    CaseState,
    Decision,
    Preliminary,
    SignedReport,
    SignedStatement,
)
from medmm.domain.shown import Shown
from medmm.verbs import first_reads, outbox, showing
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import kept, look, verb

CONFIRMED_FOR = timedelta(minutes=10)  # a signature that was asked for


@verb(
    "decide",
    kept(CheckedDraft),
    # what was shown is no part of what is asked for: a repeated call sees what the first one made
    request=lambda house, case_id, decisions, shown: {
        "case": case_id,
        "decisions": to_json(tuple(decisions)),
    },
)
def decide(
    house: House,
    call: VerbCall,
    case_id: str,
    decisions: Sequence[Decision],
    shown: Shown | None,
) -> CheckedDraft:
    """Keep what a reader decided; see `Assistant.decide`."""
    file = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, file, _decided_on(file, decisions))
    return _kept(house, call, file, decisions, shown)


@verb(
    "accept_passing",
    kept(CheckedDraft),
    request=lambda house, case_id, shown: {"case": case_id},
)
def accept_passing(house: House, call: VerbCall, case_id: str, shown: Shown | None) -> CheckedDraft:
    """Accept every open statement that passed its checks; see `Assistant.accept_passing`."""
    file = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, file)
    review.advance(file.state, review.Act.DECIDE)
    return _kept(house, call, file, review.passing(file), shown)


def _kept(
    house: House,
    call: VerbCall,
    file: CaseFile,
    decisions: Sequence[Decision],
    shown: Shown | None,
) -> CheckedDraft:
    """Keep decisions in one step with their entry, and what stood decided before."""
    case_id, state = file.case.id, review.advance(file.state, review.Act.DECIDE)
    merged = review.decide(file, decisions, call.actor)
    draft = review.draft_of(file)
    marked = marks(replace(file, decisions=merged))
    with house.store.step() as step:
        step.refuse_others(case_id, call.actor.id, house.clock())
        first_reads.refuse_decision(step, case_id, call.actor)
        step.refuse_drafting(case_id, house.clock())
        showing.refuse_changed(step, shown, file)
        step.save_decisions(case_id, merged, expected=file.decisions)
        step.set_state(case_id, state, expected=file.state)
        step.remember_decisions(case_id, call.actor.id, file.decisions)
        step.drop_unfinished(case_id, call.actor.id, {one.statement_id for one in decisions})
        call.done(step, draft, case_id, decisions=len(decisions), decided=len(merged), **marked)
    return draft


@verb("undo", kept(CheckedDraft), request=lambda house, case_id, shown: {"case": case_id})
def undo(house: House, call: VerbCall, case_id: str, shown: Shown | None) -> CheckedDraft:
    """Undo the reader's last decision; see `Assistant.undo`."""
    file = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, file)
    state = review.advance(file.state, review.Act.UNDO)
    with house.store.step() as step:
        step.refuse_others(case_id, call.actor.id, house.clock())
        first_reads.refuse_decision(step, case_id, call.actor)
        showing.refuse_changed(step, shown, file)
        before = step.decisions_before(case_id, call.actor.id)
        step.save_decisions(case_id, before, expected=file.decisions)
        state = state if before else CaseState.DRAFTED
        step.set_state(case_id, state, expected=file.state)
        draft = review.draft_of(file)
        call.done(step, draft, case_id, decided=len(before))
    return draft


def _decided_on(file: CaseFile, decisions: Sequence[Decision]) -> set[str]:
    """List the statements that decisions are about, with the summaries that follow them."""
    named = {decision.statement_id for decision in decisions}
    drafted = file.draft.statements if file.draft else ()
    return named | {s.id for s in drafted if s.summarises in named}


def marks(file: CaseFile) -> dict[str, str]:
    """Give what the checks have against the words of readers, as details of an entry."""
    failed = [v for v in grounding.recheck(file) if v.outcome is Outcome.FAILED]
    return {"marked": " ".join(f"{v.statement_id}:{v.check}" for v in failed)} if failed else {}


def as_it_stands(house: House, value: object) -> SignedReport:
    """Recall the signed report given under an idempotency key, checked against the log."""
    return house.store.report(from_json(SignedReport, value).id)


@verb("propose", kept(Preliminary), request=lambda house, case_id, shown: {"case": case_id})
def propose(house: House, call: VerbCall, case_id: str, shown: Shown | None) -> Preliminary:
    """Leave what was decided to another's signature; see `Assistant.propose`."""
    file = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, file)
    preliminary = review.propose(file, call.actor, house.clock())
    state = review.advance(file.state, review.Act.PROPOSE)
    with house.store.step() as step:
        step.refuse_others(case_id, call.actor.id, house.clock())
        first_reads.refuse_decision(step, case_id, call.actor)
        step.refuse_drafting(case_id, house.clock())
        showing.refuse_changed(step, shown, file)
        step.unclaim(case_id)
        step.set_state(case_id, state, expected=file.state)
        step.save_preliminary(case_id, preliminary)
        call.done(step, preliminary, case_id)
    return preliminary


@verb("confirm", kept(Confirmation), request=lambda house, case_id, shown: {"shown": shown.digest})
def confirm(house: House, call: VerbCall, case_id: str, shown: Shown) -> Confirmation:
    """Ask for a signature on what is shown; see `Assistant.confirm`."""
    file = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, file)
    review.advance(file.state, review.Act.SIGN)
    review.to_sign(file, call.actor)
    until = house.clock() + CONFIRMED_FOR
    with house.store.step() as step:
        first_reads.refuse_decision(step, case_id, call.actor)
        showing.refuse_changed(step, shown, file)
        asked = step.ask_confirmation(case_id, call.actor.id, shown.digest, until)
        call.done(step, asked, case_id, until=until.isoformat(timespec="seconds"))
    return asked


@verb("sign", as_it_stands, request=lambda house, case_id, shown, confirmation: {"case": case_id})
def sign(
    house: House,
    call: VerbCall,
    case_id: str,
    shown: Shown | None,
    confirmation: Confirmation | None,
) -> SignedReport:
    """Sign what was decided; see `Assistant.sign`."""
    file = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, file)
    state = review.advance(file.state, review.Act.SIGN)
    review.refuse_outgrown(file, house.store.study(file.case.study.uid))
    report = review.sign(file, call.actor, house.clock())
    events, site = house.store.events(case_id), house.store.site_of(case_id)
    reviewed = review.reviewed(file, report, events, site)
    with house.store.step() as step:
        step.refuse_others(case_id, call.actor.id, house.clock())
        first_reads.refuse_decision(step, case_id, call.actor)
        step.refuse_drafting(case_id, house.clock())
        showing.refuse_changed(step, shown, file)
        if confirmation is not None:
            seen = "" if shown is None else shown.digest
            step.take_confirmation(case_id, call.actor.id, confirmation.token, seen, house.clock())
        step.unclaim(case_id)
        step.drop_unfinished(case_id, call.actor.id)
        reads = first_reads.independent_reads(step, case_id)
        report = review.adjudicated(report, reads)
        step.set_state(case_id, state, expected=file.state)
        sent_to = outbox.keep_report(house, step, report, (), file.decisions)
        step.save_reviewed(reviewed)
        step.cover_identity(report.patient_key)
        read_by = {"read_by": " ".join(one.by.id for one in reads)} if reads else {}
        call.done(step, report, case_id, "done", **read_by, **sent_to)
    return report


@look("case", lambda case_id, decisions: case_id)
def to_sign(
    house: House, call: VerbCall, case_id: str, decisions: Sequence[Decision]
) -> tuple[SignedStatement, ...]:
    """Say what a signature would take now; see `Assistant.to_sign`."""
    file = house.store.case_file(case_id)
    if decisions and file.report is not None:
        return review.to_amend(file, review.amended(file, decisions, call.actor), call.actor)
    if decisions:
        file = replace(file, decisions=review.decide(file, decisions, call.actor))
    return review.to_sign(file, call.actor)
