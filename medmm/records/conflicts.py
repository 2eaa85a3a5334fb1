"""Facts of one record that contradict each other, such as active and denied.

They are of the same condition or allergy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from medmm.domain.record import Fact, FactKind, FactStatus
from medmm.records.periods import Moment, day_of

MAY_CONTRADICT = (FactKind.CONDITION, FactKind.ALLERGY)
OVER = (FactStatus.INACTIVE, FactStatus.REFUTED)
NO_ALLERGY = re.compile(r"(?:no|not)(?: known)? allerg(?:y|ies)(?: \(situation\))?", re.IGNORECASE)
Key = tuple[FactKind, str, tuple[str, ...]]


def with_conflicts(
    facts: Iterable[Fact],
    sites: Mapping[str, tuple[str, ...]],
    ended: Mapping[str, Moment],
    dated: Mapping[str, tuple[Moment, ...]],
) -> Iterator[Fact]:
    """Yield the facts; those that contradict another one carry a mark that names it.

    An episode that was over before another began is no contradiction: pneumonia may come twice.
    """
    kept = list(facts)
    by_key: dict[Key, list[Fact]] = {}
    for fact in kept:
        for key in _keys(fact, sites.get(fact.id, ())):
            by_key.setdefault(key, []).append(fact)
    marks: dict[str, str] = {}
    for group in by_key.values():
        active = [f for f in group if f.status is FactStatus.ACTIVE]
        over = [f for f in group if f.status in OVER]
        if active and over:
            marks |= _of_episodes(
                {f.id: _began(f, dated) for f in active},
                {f.id: _day(ended.get(f.id) or f.when) for f in over},
                group,
            )
    marks |= _of_allergies(
        [f for f in kept if f.kind is FactKind.ALLERGY and f.status is FactStatus.ACTIVE]
    )
    for fact in kept:
        yield replace(fact, marks=(*fact.marks, marks[fact.id])) if fact.id in marks else fact


def _of_episodes(
    began: Mapping[str, date], over: Mapping[str, date], group: list[Fact]
) -> dict[str, str]:
    """Mark each episode that another one contradicts, in one pass.

    A record may hold thousands of the same words.
    """
    first = min(began, key=lambda name: began[name])
    last = max(over, key=lambda name: over[name])
    status = {fact.id: fact.status.value for fact in group}
    contradicted = {name: last for name, day in began.items() if day <= over[last]}
    contradicted |= {name: first for name, day in over.items() if began[first] <= day}
    return {
        name: f"the record contradicts itself: {status[by]} in {by}"
        for name, by in contradicted.items()
    }


def _of_allergies(active: list[Fact]) -> dict[str, str]:
    """Mark statements that no allergy is known where one is stated."""
    denied = [f for f in active if NO_ALLERGY.fullmatch(f.label.strip())]
    stated = [f for f in active if not re.match(r"(?i)no\b", f.label)]
    if not denied or not stated:
        return {}
    one, other = (
        "the record contradicts itself: no allergy in",
        "the record contradicts itself: an allergy in",
    )
    return {f.id: f"{one} {denied[0].id}" for f in stated} | {
        f.id: f"{other} {stated[0].id}" for f in denied
    }


def _keys(fact: Fact, sites: tuple[str, ...]) -> Iterator[Key]:
    """Yield what a fact is about: its codes and its words, at its sites.

    A left one is not a right one.
    """
    if fact.kind not in MAY_CONTRADICT:
        return
    where = tuple(sorted(site.casefold() for site in sites))
    names = {f"{coding.system}|{coding.code}" for coding in fact.codings} | {
        " ".join(fact.label.casefold().split())
    }
    for name in sorted(names):
        yield fact.kind, name, where


def _began(fact: Fact, dated: Mapping[str, tuple[Moment, ...]]) -> date:
    """Return the first day that a fact names; undated it may have begun at any time."""
    days = [day_of(when) for when in dated.get(fact.id, ()) or ((fact.when,) if fact.when else ())]
    return min(days, default=date.min)


def _day(when: Moment | None) -> date:
    """Return the day by which something was over; undated it may be as late as today."""
    return day_of(when) if when else date.max
