"""What the worklist is asked for, in words and as chips with how many cases each holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from medmm.domain.case_state import CaseState
from medmm.domain.plain_text import clean
from medmm.domain.priority import Order, Priority
from medmm.domain.report import CaseSummary
from medmm.domain.study import Modality
from medmm.domain.worklist import ALL_CASES, CaseFilter, Worklist

PAGE = 50  # cases
WAITING = CaseFilter(
    waiting=True
)  # what a reading room begins with: signed ones are out of the way
# Signed, superseded and withdrawn ones; of the signed, those that nobody was told of come first
UNTOLD = CaseFilter(critical=True, waiting=False)
ORDER_WORDS = {Order.URGENCY: "Most urgent first", Order.NEWEST: "Newest first"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistQuery:
    """What a page of the worklist shows.

    Attributes:
        search: words of a search; "" asks for nothing.
        places: where each page began that was turned to, the last one is shown; empty on the first.
    """

    wanted: CaseFilter = WAITING
    order: Order = Order.URGENCY
    search: str = ""
    places: tuple[str, ...] = ()

    def asking(
        self,
        *,
        wanted: CaseFilter | None = None,
        order: Order | None = None,
        search: str | None = None,
    ) -> WorklistQuery:
        """Ask for something else, from its first page on."""
        return WorklistQuery(
            wanted=self.wanted if wanted is None else wanted,
            order=self.order if order is None else order,
            search=self.search if search is None else search,
        )

    def turned(self, place: str | None) -> WorklistQuery:
        """Turn to the page after a place, or back by a page."""
        places = (*self.places, place) if place is not None else self.places[:-1]
        return replace(self, places=places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A value that cases can be narrowed to by one press.

    Attributes:
        name: what it narrows and to which value; no two chips have the same.
        cases: how many there are of it among those that are asked for.
        on: whether it is asked for now.
        wanted: what is asked for once it is pressed.
    """

    name: str
    words: str
    cases: int
    on: bool
    wanted: CaseFilter

    @property
    def label(self) -> str:
        """Its words and its count; a mark says that it is on, beside the colour."""
        return f"{'✓ ' if self.on else ''}{self.words} {self.cases}"


# For each count of a page: the value that a filter asks for by its word, and None for a word that
# no filter can ask for (what states no priority is neither of the levels).
VALUES: Mapping[str, Callable[[str], Any]] = {
    "critical": lambda word: True if word == "yes" else None,
    "priority": lambda word: Priority(word) if word else None,
    "state": CaseState,
    "modality": Modality,
}
WORDS = {"yes": "critical"}


def chips(page: Worklist, wanted: CaseFilter) -> tuple[Chip, ...]:
    """Make the chips of a page: critical, priorities, states, modalities, each in its order."""
    found = [
        (name, value, one)
        for name, read in VALUES.items()
        for one in page.counts
        if one.of == name and (value := read(one.value)) is not None
    ]
    ranks = [*Priority, *CaseState, *Modality]
    found.sort(key=lambda one: (list(VALUES).index(one[0]), _rank(one[1], ranks)))
    return tuple(
        Chip(
            name=f"{name} {one.value}",
            words=WORDS.get(one.value, one.value),
            cases=one.cases,
            on=getattr(wanted, name) == value,
            wanted=_pressed(wanted, name, value),
        )
        for name, value, one in found
    )


def _pressed(wanted: CaseFilter, name: str, value: Any) -> CaseFilter:
    changed: dict[str, Any] = {name: None if getattr(wanted, name) == value else value}
    return replace(wanted, **changed)


def _rank(value: object, ranks: list[Enum]) -> int:
    return ranks.index(value) if isinstance(value, Enum) else 0


def filter_words(wanted: CaseFilter, readers: Mapping[str, str]) -> str:
    """Say what is asked for: waiting for a reader, stat, DX; "all cases" if nothing is.

    Args:
        readers: names of readers by their ids.
    """
    return ", ".join(_parts(wanted, readers)) or "all cases"


def _parts(wanted: CaseFilter, readers: Mapping[str, str]) -> Iterator[str]:
    flags = {
        "waiting": ("waiting for a reader", "not waiting for a reader"),
        "critical": ("something critical suspected", "nothing critical suspected"),
        "suspected": ("something suspected", "nothing suspected"),
    }
    for name, (yes, no) in flags.items():
        value = getattr(wanted, name)
        if value is not None:
            yield yes if value else no
    for one in (wanted.priority, wanted.state, wanted.modality):
        if one is not None:
            yield one.value
    if wanted.body_part is not None:
        yield clean(wanted.body_part.upper())
    if wanted.site is not None:
        yield f"site {clean(wanted.site)}"
    if wanted.assigned is not None:
        yield f"read by {clean(readers.get(wanted.assigned, wanted.assigned))}"
    if wanted.acquired_from is not None:
        yield f"from {wanted.acquired_from:%Y-%m-%d}"
    if wanted.acquired_to is not None:
        yield f"to {wanted.acquired_to:%Y-%m-%d}"


def narrowed(wanted: CaseFilter) -> int:
    """Count what is asked for, apart from that a reader is waited for."""
    asked = sum(getattr(wanted, one.name) is not None for one in fields(CaseFilter))
    return asked - (wanted.waiting is not None)


def nothing_words(query: WorklistQuery, readers: Mapping[str, str]) -> tuple[str, str]:
    """Say that nothing was found, of what, and what can be done about it.

    Args:
        readers: names of readers by their ids.
    """
    among = filter_words(query.wanted, readers)
    if query.search.strip():
        found = f"No case of “{clean(query.search)}” among: {among}."
        return found, (
            "Names are found by the beginning of each part; patient IDs, accession numbers and "
            "Study UIDs as a whole."
        )
    if query.wanted == ALL_CASES:
        return "No case has been admitted yet.", (
            "Admit a study, or run “medmm demo”, which says how to open what it made."
        )
    if query.wanted == WAITING:
        return "No case waits for a reader.", (
            "Show all cases, or admit a study; “medmm demo” makes one and says how to open it."
        )
    return f"No case among: {among}.", "Show all cases, or ask for something else."


def page_words(query: WorklistQuery, shown: int, total: int) -> str:
    """Say which cases of how many a page shows: 51–100 of 182."""
    first = PAGE * len(query.places) + 1
    cases = "case" if total == 1 else "cases"
    return f"{first}–{first + shown - 1} of {max(total, first + shown - 1)} {cases}"


def untold_words(found: Iterable[CaseSummary]) -> str:
    """Say how many signed cases have a critical finding that nobody was told of; "" if none."""
    count = sum(one.critical_since is not None for one in found)
    return f"{count} signed and not told" if count else ""


def news_words(count: int) -> str:
    """Say how many cases came since the list was read; "" if none did."""
    return "" if count == 0 else f"{count} new {'case' if count == 1 else 'cases'}"
