"""Signed reports on their way: addressed with the signature, sent, put back by a person.

A delivery is kept in the step that keeps its version. It is sent outside of any step, so that a
process may die between sending and saying so: then the same objects are sent again under the same
keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from medmm import delivery
from medmm.config import Destination
from medmm.domain.delivery import Delivery, DeliveryFilter, DeliveryState
from medmm.domain.draft import CLAIMS
from medmm.domain.errors import ConfigError, InputError, IntegrityError, MedmmError, StateError
from medmm.domain.report import Decision, SignedReport
from medmm.domain.roles import may
from medmm.domain.suspicion import OwnWords
from medmm.domain.transmission import Outcome, OutgoingObject, Transmission
from medmm.store import Step
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.publishing import outgoing
from medmm.verbs.senders import Sender, sender_of
from medmm.verbs.verb import By, kept, look, verb

OUTCOMES = {Outcome.ARRIVED: "done", Outcome.REFUSED: "refused", Outcome.POSTPONED: "failed"}
LIST = "deliveries"  # the subject of looks at several cases


def keep_report(
    house: House,
    step: Step,
    report: SignedReport,
    earlier: Sequence[SignedReport],
    decisions: tuple[Decision, ...],
) -> dict[str, str]:
    """Keep a version of a report in its step, addressed to the destinations that get it.

    Returns: details of the entry, which name those destinations; {} if there are none.
    """
    step.save_report(report, decisions=decisions)
    versions = (*earlier, report)
    before = step.addressed(report.case_id)
    to = [
        one
        for one in house.settings.destinations
        if one.name in before or _is_wanted(one, versions)
    ]
    for one in to:
        urgent = one.critical_first and any(s.critical for v in versions for s in v.statements)
        step.make_delivery(
            Delivery.of(
                report.id, report.case_id, report.version, one.name, urgent, report.signed_at
            )
        )
    return {"destinations": " ".join(one.name for one in to)} if to else {}


def _is_wanted(destination: Destination, versions: Sequence[SignedReport]) -> bool:
    """Tell whether a destination gets a report, by what any version of it says."""
    modalities = {one.value for one in destination.modalities}
    if modalities and versions[-1].study.modality not in modalities:
        return False
    said = {finding for version in versions for finding in _findings(version)}
    return not destination.findings or bool(said & set(destination.findings))


def _findings(report: SignedReport) -> Iterator[str]:
    """Yield what a report states or suspects, by its codes and by its readers' own words."""
    for one in report.statements:
        if one.finding is not None and one.assertion in CLAIMS:
            yield one.finding
        if one.drafted_text is not None or one.author is not None:
            yield from OwnWords(statement_id=one.id, text=one.text).claims


def deliver(house: House, by: By | None, destination: str | None) -> Iterator[Delivery]:
    """Send what is due, each a call with its entry; see `Assistant.deliver`."""
    here = _Round(house)
    while True:
        with house.calls.call("deliver", by) as call:
            to = _destinations(house, destination)
            found = house.store.next_delivery(to, house.clock(), here.passed)
            if found is None:
                return
            after = here.tried(call, found, to[found.destination])
        if after is None:
            here.passed.add(found.number)
        else:
            yield after


def _destinations(house: House, name: str | None) -> dict[str, Destination]:
    """Find where is sent to: to all destinations, or to the one of this name."""
    to = {one.name: one for one in house.settings.destinations}
    if not to:
        raise ConfigError(
            "the settings name no destination",
            remedy="name one under `destinations` (docs/delivering.md)",
        )
    if name is None:
        return to
    if name not in to:
        raise InputError(f"no destination is named {name!r}", remedy=f"use one of {', '.join(to)}")
    return {name: to[name]}


@dataclass(slots=True)
class _Round:
    """One time of going through what is due.

    Attributes:
        passed: numbers of deliveries that another process has in hand.
        senders: those that were used, by the names of their destinations; each may keep a token.
    """

    house: House
    passed: set[int] = field(default_factory=set)
    senders: dict[str, Sender] = field(default_factory=dict)

    def tried(self, call: VerbCall, found: Delivery, to: Destination) -> Delivery | None:
        """Try a delivery; None if another process has it in hand."""
        store, clock = self.house.store, self.house.clock
        with store.delivering(found.case_id, to.name, call.actor.id, clock) as work:
            # Who held the lease until now may have sent what was due a moment ago
            if work is None or store.next_delivery([to.name], clock(), self.passed) != found:
                return None
            sent = self._sent(found, to)
            after = found.after(sent, clock(), to.give_up)
            try:
                with store.step() as step:
                    step.end(work)
                    step.save_delivery(found, after)
                    outcome = OUTCOMES[sent.outcome]
                    call.done(step, None, found.case_id, outcome, **_told(after))
            except StateError:  # another took over, since this process was not heard of
                return None
            return after

    def _sent(self, found: Delivery, to: Destination) -> Transmission:
        """Make the objects of a delivery and send them.

        What can't be made is refused, so that it holds up no other.
        """
        try:
            objects = _objects(self.house, found, to)
        except (InputError, StateError, IntegrityError) as error:
            return _failed(error, Outcome.REFUSED)
        if not objects:
            return Transmission(outcome=Outcome.ARRIVED, code="nothing to send")
        try:
            if to.name not in self.senders:
                self.senders[to.name] = sender_of(to)
            return self.senders[to.name].send(objects)
        except ConfigError as error:
            return _failed(error, Outcome.POSTPONED)


def _told(after: Delivery) -> dict[str, object]:
    """Say in the entry what was tried; never the reason, which may name a patient."""
    given_up = {"given_up": "yes"} if after.state is DeliveryState.DEAD else {}
    return {
        "report": after.report_id,
        "version": after.version,
        "destination": after.destination,
        "attempt": after.attempts,
        "code": after.code,
        **given_up,
    }


def _failed(error: MedmmError, outcome: Outcome) -> Transmission:
    return Transmission(outcome=outcome, code=type(error).__name__, reason=str(error))


def _objects(house: House, found: Delivery, destination: Destination) -> tuple[OutgoingObject, ...]:
    """Make the objects of a version as it was when it counted, so that they never change.

    Into a folder go the files of earlier versions too, which say now that they were replaced.
    """
    printed = house.store.printed(found.report_id)
    up_to = tuple(one for one in printed.versions if one.version <= found.version)
    own = getattr(destination, "hl7", None)
    hl7 = house.settings.hl7 if own is None else own
    out = outgoing(house, replace(printed, versions=up_to), destination.forms, hl7)
    objects = out.objects(destination.forms)
    if destination.kind != "folder":
        return objects
    there = house.store.versions_arrived(found.case_id, found.destination)
    texts = [form for form in delivery.FORMATS if form in destination.forms]
    replaced = [one for one in up_to[:-1] if one.id in there]
    return (*objects, *(out.text_object(one, form) for one in replaced for form in texts))


@verb("retry_delivery", kept(Delivery), request=lambda house, number: {"delivery": number})
def retry_delivery(house: House, call: VerbCall, number: int) -> Delivery:
    """Put back what was given up; see `Assistant.retry_delivery`."""
    with house.store.step() as step:
        found, at = step.delivery(number), house.clock()
        again = found.again(at)
        step.refuse_overtaken(found, at)
        step.save_delivery(found, again)
        call.done(
            step,
            again,
            found.case_id,
            report=found.report_id,
            version=found.version,
            destination=found.destination,
        )
    return again


@look("deliveries", lambda wanted: wanted.case_id or LIST)
def deliveries(house: House, call: VerbCall, wanted: DeliveryFilter) -> tuple[Delivery, ...]:
    """List deliveries; see `Assistant.deliveries`."""
    found = house.store.deliveries(wanted)
    call.seen = {"deliveries": len(found)}
    if not may("identity", call.actor):
        return tuple(replace(one, reason="") for one in found)
    if reasons := sorted({one.case_id for one in found if one.reason}):
        call.seen["cases"] = " ".join(reasons)
    return found
