"""A record as people see it: its facts in words, and what was left out and why."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from medmm.domain.record import ClinicalContext, Fact, FactKind, FactStatus, Omission, Quantity
from medmm.presentation.value_words import digits, quantity_words

CODE_SYSTEMS = {
    "http://loinc.org": "LOINC",
    "http://snomed.info/sct": "SNOMED",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FactView:
    """One fact in words.

    `when` is ISO 8601, "" if undated; `doubts` is what speaks against it.
    """

    kind: str
    label: str
    value: str
    status: str
    doubts: tuple[str, ...]
    when: str
    source: str

    @property
    def state(self) -> str:
        """The status in capitals, so that a denial is not overlooked; "" for an active fact."""
        return "" if self.status == FactStatus.ACTIVE.value else self.status.upper()

    @property
    def cells(self) -> tuple[str, ...]:
        """The fact as a row: kind, label, value with status and doubts, day, source."""
        words = ", ".join(filter(None, (self.value, self.state, *self.doubts)))
        return self.kind, self.label, words, self.when[:10], self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """The whole record as of a study, so that what a draft does not state can be seen too."""

    title: str
    facts: tuple[FactView, ...]
    left_out: tuple[str, ...]


def record_view(context: ClinicalContext) -> RecordView:
    """Put a record into words."""
    as_of = context.as_of.isoformat() if context.as_of else "an unknown moment"
    counts = f"{len(context.facts)} facts, {len(context.left_out)} left out"
    return RecordView(
        title=f"record as of {as_of}: {counts}",
        facts=tuple(map(fact_view, context.facts)),
        left_out=tuple(f"{one.source}: {one.reason}" for one in context.left_out),
    )


def fact_view(fact: Fact) -> FactView:
    """Put one fact into words."""
    return FactView(
        kind=kind_words(fact.kind),
        label=fact.label,
        value=fact_value(fact),
        status=fact.status.value,
        doubts=fact.marks,
        when=fact.when.isoformat() if fact.when else "",
        source=fact.source,
    )


def kind_words(kind: FactKind) -> str:
    """Name a kind of fact."""
    return kind.value.replace("_", " ")


def fact_value(fact: Fact) -> str:
    """Say the value of a fact as it is written; "" if it has none."""
    if fact.value is None or isinstance(fact.value, str):
        return fact.value or ""
    return quantity_words(fact.value)


def value_with_bounds(fact: Fact) -> str:
    """Say the value of a fact, with the bounds of what is usual if they are stated."""
    words = fact_value(fact)
    if not isinstance(fact.value, Quantity):
        return words
    bounds = {"from": fact.value.low, "to": fact.value.high}
    stated = " ".join(f"{word} {digits(at)}" for word, at in bounds.items() if at is not None)
    return f"{words}\nnormal {stated}" if stated else words


def code_words(fact: Fact) -> str:
    """List the codes of a fact, a line each, with the usual name of their system."""
    return "\n".join(f"{CODE_SYSTEMS.get(c.system, c.system)} {c.code}" for c in fact.codings)


def when_words(fact: Fact) -> str:
    """Say the day of a fact, its time on a line of its own, or that it is undated."""
    if isinstance(fact.when, datetime):
        return f"{fact.when:%Y-%m-%d\n%H:%M %z}"
    return str(fact.when or "undated")


def label_words(fact: Fact) -> str:
    """Say what a fact is, and its status unless it is active.

    On lines below stands what is marked or told beside it.
    """
    status = "" if fact.status is FactStatus.ACTIVE else f" ({fact.status.value})"
    beside = "".join(f"\n! {mark}" for mark in fact.marks)
    beside += f"\n· {'; '.join(fact.details)}" if fact.details else ""
    return f"{fact.label}{status}{beside}"


def place_words(source: str) -> str:
    """Name the entry or line of a source; the resource itself if it stands alone."""
    match = re.match(r"entry\[\d+\]|line \d+", source)
    return match.group() if match else source


def newest_first(facts: Iterable[Fact]) -> list[Fact]:
    """Sort facts: the newest first, a day before its moments, then undated ones, by label."""
    return sorted(facts, key=_newest)


def _newest(fact: Fact) -> tuple[int, float, str]:
    if fact.when is None:
        return 0, 0.0, fact.label
    moment = fact.when.timestamp() % 86400 if isinstance(fact.when, datetime) else 86400.0
    return -fact.when.toordinal(), -moment, fact.label


def places_by_reason(left_out: Iterable[Omission]) -> dict[str, list[str]]:
    """List what was left out of a record: the places of each reason."""
    found: dict[str, list[str]] = {}
    for omission in left_out:
        found.setdefault(omission.reason, []).append(place_words(omission.source))
    return found
