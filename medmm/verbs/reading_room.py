"""What a reading room works by: the worklist with names, its news, the next case.

Beside them the words that a reader is typing, which are kept without being decided.
"""

from __future__ import annotations

from dataclasses import replace

from medmm.domain.codec import to_json
from medmm.domain.errors import InputError, StateError
from medmm.domain.report import CaseSummary
from medmm.domain.roles import may, require
from medmm.domain.shown import Shown
from medmm.domain.unfinished_text import UnfinishedText
from medmm.domain.worklist import CaseFilter, Page, SavedFilter, Worklist, WorklistRow
from medmm.verbs import communicating, first_reads
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import By, look, verb

MOST_ROWS = 200  # of a page


@look("worklist", lambda wanted, search, part, counted: "worklist")
def worklist(
    house: House, call: VerbCall, wanted: CaseFilter, search: str, part: Page, counted: bool
) -> Worklist:
    """List a page of cases with who they are; see `Assistant.worklist`.

    One entry names every case of the page.
    """
    if part.limit is None or part.limit > MOST_ROWS:
        raise InputError(
            "a page of the worklist names its patients, and has an end",
            remedy=f"ask for 1 to {MOST_ROWS} cases, then for those after the last",
        )
    if search.strip():  # what is found says who it is
        require("identity", call.actor)
    named = may("identity", call.actor)
    asked = house.store.asked(wanted, house.clock(), search)
    found = house.store.worklist(asked, part, named=named, counted=counted)
    rows = tuple(
        replace(row, critical=communicating.to_tell(house, row.case, asked.at))
        for row in found.rows
    )
    call.seen = {"named": named, "cases": " ".join(row.case.case_id for row in found.rows)}
    hidden = first_reads.withheld(house, call, wanted, (row.case for row in found.rows))
    rows = tuple(_blinded(row) if row.case.case_id in hidden else row for row in rows)
    if search.strip():
        call.seen["searched"] = True
    return replace(found, rows=rows)


def _blinded(row: WorklistRow) -> WorklistRow:
    """Leave out of a row what is suspected; that something critical is to be told stays."""
    critical = None if row.critical is None else replace(row.critical, findings=())
    return replace(row, case=first_reads.without_suspicions(row.case), critical=critical)


def arrived(house: House, wanted: CaseFilter, entry: int, by: By | None) -> int:
    """Count the cases that came since a page was listed; see `Assistant.arrived`.

    A number names no case: no entry of the log tells of it, since an open page asks all day.
    """
    house.calls.allow("worklist", by)
    return house.store.arrived(house.store.asked(wanted, house.clock()), entry)


@look("cases", lambda wanted, part: "worklist")
def next_case(house: House, call: VerbCall, wanted: CaseFilter, part: Page) -> CaseSummary | None:
    """Find the next case for a reader; see `Assistant.next_case`."""
    asked = house.store.asked(wanted, house.clock())
    found = house.store.following(asked, part, call.actor.id)
    call.seen["cases"] = "" if found is None else found.case_id
    if found is not None and first_reads.withheld(house, call, wanted, (found,)):
        return first_reads.without_suspicions(found)
    return found


@verb(
    "save_filter",
    lambda house, value: None,
    request=lambda house, saved: {"filter": to_json(saved)},
)
def save_filter(house: House, call: VerbCall, saved: SavedFilter) -> None:
    """Keep a filter of the reader's own; see `Assistant.save_filter`."""
    with house.store.step() as step:
        step.save_filter(call.actor.id, saved)
        call.done(step, True, "worklist")


@verb("drop_filter", lambda house, value: None, request=lambda house, name: {"filter": name})
def drop_filter(house: House, call: VerbCall, name: str) -> None:
    """Drop a filter of the reader's own; see `Assistant.drop_filter`."""
    with house.store.step() as step:
        step.drop_filter(call.actor.id, name)
        call.done(step, True, "worklist")


def filters(house: House, by: By) -> tuple[SavedFilter, ...]:
    """List a reader's own filters, which hold nothing of a patient; see `Assistant.filters`."""
    return house.store.filters(house.calls.person("save_filter", by).id)


def keep_unfinished(
    house: House, by: By, case_id: str, field: str, text: str, shown: Shown | None
) -> None:
    """Keep what a reader is typing; see `Assistant.keep_unfinished`.

    No entry of the log tells of it, as of no key stroke.
    """
    reader = house.calls.person("keep_unfinished", by)
    if shown is not None and shown.case_id != case_id:
        raise StateError(
            "the text was typed beside another case; it was not kept with this one",
            remedy="keep it with the case beside which it was typed",
            case=case_id,
            differs="case",
        )
    draft = None if shown is None else shown.draft
    typed = UnfinishedText(case_id=case_id, field=field, text=text, draft=draft, at=house.clock())
    house.store.keep_unfinished(reader.id, typed)


def unfinished(house: House, by: By, case_id: str) -> tuple[UnfinishedText, ...]:
    """Give a reader back what they typed in a case; see `Assistant.unfinished`."""
    reader = house.calls.person("keep_unfinished", by)
    house.store.study_of(case_id)
    return house.store.unfinished(case_id, reader.id)
