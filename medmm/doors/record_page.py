"""The page of `medmm record show`: facts by kind, then what was left out and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from rich.table import Table

from medmm.domain.record import ClinicalContext, Fact, FactKind, FactStatus, Omission, Quantity
from medmm.doors.session import add_row, out, plain
from medmm.presentation.value_words import digits, quantity_words

MOST_PLACES = 3
WHEN_WIDTH = 12
COLUMNS = (
    ("when", 0),
    ("fact", 5),
    ("value", 4),
    ("code", 3),
    ("source", 2),
)  # header, share of the width
CODE_SYSTEMS = {
    "http://loinc.org": "LOINC",
    "http://snomed.info/sct": "SNOMED",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
}


def record_page(found: ClinicalContext, limit: int) -> None:
    """Print a record: at most `limit` facts of a kind, all of them where it is 0."""
    known = f"known at {found.as_of.isoformat()}" if found.as_of else "of any date"
    out().print(
        f"{len(found.facts)} facts {known}; {len(found.left_out)} notes on what was left out or doubted"
    )
    for reason in found.incomplete:
        out().print(plain(f"! the record is incomplete: {reason}"))
    for kind in FactKind:
        facts = sorted((f for f in found.facts if f.kind is kind), key=_newest)
        if facts:
            _print_kind(kind, facts, limit)
    if found.left_out:
        out().print("\nleft out, or read with a doubt")
    for reason, sources in _by_reason(found.left_out).items():
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
    out().print(f"\n{kind.value.replace('_', ' ')}: {len(facts)}{more}")
    rows = [tuple(_cells(fact)) for fact in shown]
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


def _newest(fact: Fact) -> tuple[int, float, str]:
    """Newest first, then undated; a day before its moments, then by label."""
    if fact.when is None:
        return 0, 0.0, fact.label
    moment = fact.when.timestamp() % 86400 if isinstance(fact.when, datetime) else 86400.0
    return -fact.when.toordinal(), -moment, fact.label


def _by_reason(left_out: tuple[Omission, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for omission in left_out:
        found.setdefault(omission.reason, []).append(_place(omission.source))
    return found


def _cells(fact: Fact) -> Iterator[str]:
    status = "" if fact.status is FactStatus.ACTIVE else f" ({fact.status.value})"
    beside = "".join(f"\n! {mark}" for mark in fact.marks)
    beside += f"\n· {'; '.join(fact.details)}" if fact.details else ""
    yield (
        f"{fact.when:%Y-%m-%d\n%H:%M %z}"
        if isinstance(fact.when, datetime)
        else str(fact.when or "undated")
    )
    yield f"{fact.label}{status}{beside}"
    yield _value(fact.value)
    yield "\n".join(f"{CODE_SYSTEMS.get(c.system, c.system)} {c.code}" for c in fact.codings)
    yield _place(fact.source)


def _place(source: str) -> str:
    """The entry or line of a source; the resource itself where it stands alone."""
    match = re.match(r"entry\[\d+\]|line \d+", source)
    return match.group() if match else source


def _value(value: Quantity | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    bounds = {"from": value.low, "to": value.high}
    stated = " ".join(
        f"{word} {digits(bound)}" for word, bound in bounds.items() if bound is not None
    )
    words = quantity_words(value)
    return f"{words}\nnormal {stated}" if stated else words
