"""What readers see first: kept before a draft is shown, by one reader or by two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from medmm import review
from medmm.domain.codec import to_json
from medmm.domain.double_reading import DoubleReading, FirstReads
from medmm.domain.errors import InputError, StateError
from medmm.domain.first_read import FirstRead, ReadingMode
from medmm.domain.report import (
    SIGNED_STATES,
    Add,
    CaseFile,
    CaseState,
    CaseSummary,
    IndependentRead,
    Reader,
)
from medmm.domain.roles import may
from medmm.domain.worklist import CaseFilter
from medmm.store import Step
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import By, kept, look, verb

UNREAD = frozenset({CaseState.DRAFTED, CaseState.IN_REVIEW, CaseState.PRELIMINARY})


@verb(
    "record_first_read",
    kept(FirstRead),
    request=lambda house, case_id, text, findings, nothing_suspected: {
        "case": case_id,
        "text": text,
        "findings": to_json(tuple(findings)),
        "nothing_suspected": nothing_suspected,
    },
)
def record_first_read(
    house: House,
    call: VerbCall,
    case_id: str,
    text: str,
    findings: Sequence[Add],
    nothing_suspected: bool,
) -> FirstRead:
    """Keep what a reader saw first; see `Assistant.record_first_read`.

    The entry holds a digest and numbers, never the words.
    """
    read = FirstRead(
        case_id=case_id,
        by=call.actor,
        at=house.clock(),
        text=text.strip(),
        findings=tuple(replace(one, statement_id="", by=None) for one in findings),
        nothing_suspected=nothing_suspected,
    )
    for one in read.findings:
        review.refuse_miscoded(one, case_id)
    review.refuse_contradicting_read(read)
    with house.store.step() as step:
        _refuse_finished(step.case_file(case_id))
        known = step.first_reads(case_id)
        if known.read_by(call.actor.id) is None:  # else it is refused as kept already
            known.refuse_reader(call.actor)
            step.refuse_seen(case_id, call.actor.id)
        read = replace(read, listed=step.may_have_listed(case_id, call.actor.id))
        step.save_first_read(read)
        said = {"findings": len(read.findings), "listed": read.listed}
        call.done(step, read, case_id, "done", reads=len(known.readers) + 1, **said)
    return read


def _refuse_finished(file: CaseFile) -> None:
    """Refuse a case that waits for nobody.

    Raises: StateError if so.
    """
    if file.state in SIGNED_STATES or file.state is CaseState.SUPERSEDED:
        raise StateError(
            f"a case that is {file.state.value} is not read first any more",
            remedy="open the study's newer case, or amend the report",
            case=file.case.id,
        )


@look("first_reads", lambda case_id: case_id)
def first_reads(house: House, call: VerbCall, case_id: str) -> FirstReads:
    """Look at who read a case first; see `Assistant.first_reads`.

    The entry says how many reads of others were shown.
    """
    file, found = house.store.case_file(case_id), house.store.first_reads(case_id)
    read = {one.id for one in found.readers}
    if file.state in SIGNED_STATES:
        shown = read
    elif found.ordered and not found.complete:
        shown = {call.actor.id}
    else:
        shown = read if found.ordered or call.actor.id in read else set()
    reads = tuple(one for one in found.reads if one.by.id in shown)
    call.seen["others"] = sum(one.by.id != call.actor.id for one in reads)
    return replace(found, reads=reads)


@verb(
    "order_double_reading",
    kept(DoubleReading),
    request=lambda house, case_id, adjudicator: {
        "case": case_id,
        "adjudicator": adjudicator.id if isinstance(adjudicator, Reader) else adjudicator,
    },
)
def order_double_reading(
    house: House, call: VerbCall, case_id: str, adjudicator: By | None
) -> DoubleReading:
    """Have a case read twice; see `Assistant.order_double_reading`."""
    named = None if adjudicator is None else _adjudicator(house, adjudicator)
    order = DoubleReading(
        case_id=case_id, ordered_by=call.actor, at=house.clock(), adjudicator=named
    )
    with house.store.step() as step:
        _refuse_finished(step.case_file(case_id))
        known = step.first_reads(case_id)
        if known.ordered:
            raise StateError(
                "the case is to be read twice already",
                remedy="drop the order first, to name another adjudicator",
                case=case_id,
            )
        if named is not None and named.id in {one.id for one in known.pair}:
            raise StateError(
                "who adjudicates has read the case first",
                remedy="name a third reader",
                case=case_id,
                reader=named.id,
            )
        step.save_double_reading(order)
        said = {} if named is None else {"adjudicator": named.id}
        call.done(step, order, case_id, "done", **said)
    return order


def _adjudicator(house: House, by: By) -> Reader:
    """Find who is to adjudicate.

    Raises: InputError if this role may not sign.
    """
    found = house.calls.reader_named(by if isinstance(by, str) else by.id)
    if not may("sign", found):
        raise InputError(
            f"role {found.role!r} may not sign, so it can't adjudicate",
            remedy="name a reader or an attending",
            reader=found.id,
        )
    return found


@verb(
    "drop_double_reading",
    kept(DoubleReading),
    request=lambda house, case_id, reason: {"case": case_id, "reason": reason},
)
def drop_double_reading(house: House, call: VerbCall, case_id: str, reason: str) -> DoubleReading:
    """Take the order to read a case twice back; see `Assistant.drop_double_reading`."""
    with house.store.step() as step:
        _refuse_finished(step.case_file(case_id))
        order = step.double_reading(case_id)
        if order is None or not order.counts:
            raise StateError(
                "the case is not to be read twice", remedy="order it first", case=case_id
            )
        if not reason.strip():
            raise InputError(
                "an order is taken back without a reason",
                remedy="say why one reading is enough",
                case=case_id,
            )
        dropped = replace(
            order, dropped_by=call.actor, dropped_at=house.clock(), reason=reason.strip()
        )
        step.save_double_reading(dropped)
        call.done(step, dropped, case_id, dropped=True)
    return dropped


def carry_order(step: Step, superseded: Iterable[str], case_id: str) -> None:
    """Let a case be read twice that takes the place of one which was to be."""
    orders = [step.double_reading(one) for one in superseded]
    counting = [order for order in orders if order is not None and order.counts]
    now = step.double_reading(case_id)
    if counting and (now is None or now.at < counting[-1].at):
        step.save_double_reading(replace(counting[-1], case_id=case_id))


def refuse_decision(step: Step, case_id: str, reader: Reader) -> None:
    """Refuse to decide on a case that is to be read twice, but for who adjudicates.

    Raises: StateError as `FirstReads.refuse_decision`.
    """
    order = step.double_reading(case_id)
    if order is not None and order.counts:
        step.first_reads(case_id).refuse_decision(reader)


def refused_decision(house: House, by: By, case_id: str) -> StateError | None:
    """Say why a double reading keeps a reader from deciding; see `Assistant.refused_decision`.

    It tells nothing of the case: no entry of the log.
    """
    reader = house.calls.person("case", by)
    order = house.store.double_reading(case_id)
    if order is None or not order.counts:
        return None
    try:
        house.store.first_reads(case_id).refuse_decision(reader)
    except StateError as refused:
        return refused
    return None


def independent_reads(step: Step, case_id: str) -> tuple[IndependentRead, ...]:
    """Give the two reads of a double reading, as the report names them; none without one."""
    order = step.double_reading(case_id)
    if order is None or not order.counts:
        return ()
    found = step.first_reads(case_id)
    pair = {reader.id for reader in found.pair}
    return tuple(
        IndependentRead(by=read.by, at=read.at) for read in found.reads if read.by.id in pair
    )


def reading_mode(house: House, by: By, case_id: str) -> ReadingMode:
    """Say what a reader is to see first of a case; see `Assistant.reading_mode`.

    It tells nothing of the case: no entry of the log.
    """
    reader = house.calls.person("case", by)
    if not may("record_first_read", reader):
        return ReadingMode.DRAFT_FIRST
    file, found = house.store.case_file(case_id), house.store.first_reads(case_id)
    done = file.state in SIGNED_STATES or file.state is CaseState.SUPERSEDED
    if done or reader.id in {one.id for one in found.readers}:
        return ReadingMode.DRAFT_FIRST
    if not _blind(house, reader, found.order):
        return ReadingMode.DRAFT_FIRST
    if found.ordered and found.complete:  # the two have read it: who comes now adjudicates
        return ReadingMode.DRAFT_FIRST
    seen = house.store.has_seen(case_id, reader.id)
    return ReadingMode.DRAFT_FIRST if seen else ReadingMode.BLIND_FIRST


def _blind(house: House, reader: Reader, order: DoubleReading | None) -> bool:
    """Tell whether a reader sees a case blind first, by its order or by the settings."""
    if order is not None and order.counts:
        return order.adjudicator is None or order.adjudicator.id != reader.id
    return house.settings.reading_mode_of(reader.id) == ReadingMode.BLIND_FIRST.value


def withheld(
    house: House, call: VerbCall, wanted: CaseFilter, found: Iterable[CaseSummary]
) -> frozenset[str]:
    """Name the cases of a worklist of which its reader is to see nothing suspected yet.

    How urgent a case is stays, whatever makes it so. Who asks for what is suspected is told it.
    """
    if not may("record_first_read", call.actor) or (wanted.critical, wanted.suspected) != (
        None,
        None,
    ):
        return frozenset()
    open_cases = [one.case_id for one in found if one.state in UNREAD]
    orders = house.store.double_readings(open_cases)
    blind = {one for one in open_cases if _blind(house, call.actor, orders.get(one))}
    hidden = frozenset(blind - house.store.first_read_by(call.actor.id, blind))
    if hidden:
        call.seen["withheld"] = " ".join(sorted(hidden))
    return hidden


def without_suspicions(summary: CaseSummary) -> CaseSummary:
    """Leave out of a row of the worklist what is suspected."""
    return replace(summary, suspected=(), suspicions=(), withheld=True)
