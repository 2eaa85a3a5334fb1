"""The page of `medmm record show`: facts by kind, then what was left out and why."""

from __future__ import annotations

from rich.table import Table

from medmm.domain.record import ClinicalContext, Fact, FactKind
from medmm.doors.session import add_row, out, plain
from medmm.presentation.record_view import (
    code_words,
    kind_words,
    label_words,
    newest_first,
    place_words,
    places_by_reason,
    value_with_bounds,
    when_words,
)

MOST_PLACES = 3
WHEN_WIDTH = 12
# Header, share of the width
COLUMNS = (("when", 0), ("fact", 5), ("value", 4), ("code", 3), ("source", 2))


def record_page(found: ClinicalContext, limit: int) -> None:
    """Print a record: at most `limit` facts of a kind, all of them if it is 0."""
    known = f"known at {found.as_of.isoformat()}" if found.as_of else "of any date"
    notes = f"{len(found.left_out)} notes on what was left out or doubted"
    out().print(f"{len(found.facts)} facts {known}; {notes}")
    for reason in found.incomplete:
        out().print(plain(f"! the record is incomplete: {reason}"))
    for kind in FactKind:
        facts = newest_first(f for f in found.facts if f.kind is kind)
        if facts:
            _print_kind(kind, facts, limit)
    if found.left_out:
        out().print("\nleft out, or read with a doubt")
    for reason, sources in places_by_reason(found.left_out).items():
        places = ", ".join(sources[:MOST_PLACES]) + (" …" if len(sources) > MOST_PLACES else "")
        number = f" ({len(sources)})" if len(sources) > 1 else ""
        out().print(plain(f"- {reason}{number}: {places}"))


def _print_kind(kind: FactKind, facts: list[Fact], limit: int) -> None:
    shown = facts[: limit or None]
    more = (
        f", the newest {len(shown)} of them; --limit 0 prints all"
        if len(shown) < len(facts)
        else ""
    )
    out().print(f"\n{kind_words(kind)}: {len(facts)}{more}")
    rows = [_cells(fact) for fact in shown]
    filled = [place for place in range(len(COLUMNS)) if any(row[place] for row in rows)]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for place in filled:
        header, share = COLUMNS[place]
        table.add_column(
            header, ratio=share or None, width=None if share else WHEN_WIDTH, overflow="fold"
        )
    for row in rows:
        add_row(table, *(row[place] for place in filled))
    out().print(table)


def _cells(fact: Fact) -> tuple[str, ...]:
    """Show one fact under `COLUMNS`."""
    value, codes = value_with_bounds(fact), code_words(fact)
    return when_words(fact), label_words(fact), value, codes, place_words(fact.source)
