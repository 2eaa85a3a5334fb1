"""What a reader of the film should know of the record: few facts, in its own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from medmm.domain.draft import Assertion, FactEvidence, Section
from medmm.domain.errors import StateError
from medmm.domain.plain_text import clean
from medmm.domain.record import ClinicalContext, Fact, FactKind, FactStatus, Quantity
from medmm.drafting.phrases import phrases
from medmm.drafting.sentences import Sentence
from medmm.presentation.value_words import digits, quantity_words

_STATED_STATUS = {
    FactStatus.ACTIVE: "active",
    FactStatus.INACTIVE: "inactive",
    FactStatus.REFUTED: "refuted",
    FactStatus.UNCONFIRMED: "unconfirmed",
}


def record_sentences(context: ClinicalContext, body_part: str) -> Iterator[Sentence]:
    """Yield orders with reason, age and sex, conditions, procedures and odd values.

    They come in this order; odd values are out of range.

    Conditions and procedures are stated only if they bear on this body part, a refuted, inactive or
    unconfirmed one as that; nothing entered in error is. A value is stated if it is the newest of
    its kind, not too old, and out of the range that its source gives, or marked as doubtful.
    """
    facts = [f for f in context.facts if f.status is not FactStatus.ENTERED_IN_ERROR]
    yield from (_order(f) for f in stated_orders(facts, context.as_of))
    yield from _demographics(facts)
    yield from (_condition(f) for f in stated_conditions(facts, body_part))
    yield from (_procedure(f) for f in stated_procedures(facts, body_part))
    yield from (_observation(f) for f in stated_observations(facts, body_part, context.as_of))


def stated_orders(facts: Iterable[Fact], as_of: datetime | None) -> list[Fact]:
    """Return the newest active orders that are not too old.

    The record doesn't say which of them led to this study.
    """
    oldest = as_of.toordinal() - phrases().rules.order_days.value if as_of else 0
    active = [f for f in facts if f.kind is FactKind.ORDER and f.status is FactStatus.ACTIVE]
    orders = [f for f in active if f.when is None or _day(f) >= oldest]
    return sorted(orders, key=lambda f: (-_day(f), f.label, f.id))[: phrases().record.limits.order]


def stated_conditions(facts: Iterable[Fact], body_part: str) -> list[Fact]:
    """Return relevant conditions, those that hold first, then the newest.

    A body part without a list has none.
    """
    stated = _once([f for f in facts if f.kind is FactKind.CONDITION and relevant(f, body_part)])
    stated.sort(key=lambda f: (f.status is not FactStatus.ACTIVE, -_day(f), f.label, f.id))
    return stated[: phrases().record.limits.condition]


def stated_procedures(facts: Iterable[Fact], body_part: str) -> list[Fact]:
    """Return relevant procedures that took place, the newest first."""
    done = (FactStatus.ACTIVE, FactStatus.INACTIVE)  # FHIR: in progress, completed
    stated = [
        f
        for f in facts
        if f.kind is FactKind.PROCEDURE and f.status in done and relevant(f, body_part)
    ]
    stated = _once(sorted(stated, key=lambda f: (-_day(f), f.label, f.id)))
    return stated[: phrases().record.limits.procedure]


def stated_observations(
    facts: Iterable[Fact], body_part: str, as_of: datetime | None
) -> list[Fact]:
    """Return the newest value of each kind if it is out of its range or doubtful.

    They come relevant and newest first.
    """
    oldest = as_of.toordinal() - phrases().rules.observation_days.value if as_of else 0
    newest: dict[str, Fact] = {}
    for fact in facts:
        if fact.kind is FactKind.OBSERVATION and fact.status is FactStatus.ACTIVE:
            kind = fact.codings[0].code if fact.codings else fact.label.casefold()
            kept = newest.get(kind)
            if kept is None or (_moment(fact), fact.id) > (_moment(kept), kept.id):
                newest[kind] = fact
    stated = [
        f for f in newest.values() if _worth_stating(f) and (f.when is None or _day(f) >= oldest)
    ]
    stated.sort(key=lambda f: (not relevant(f, body_part), -_day(f), f.label, f.id))
    return stated[: phrases().record.limits.observation]


def _worth_stating(fact: Fact) -> bool:
    return isinstance(fact.value, Quantity) and (out_of_range(fact.value) or bool(fact.marks))


def relevant(fact: Fact, body_part: str) -> bool:
    """Tell whether a fact bears on a film of this body part, by its words."""
    row = phrases().relevant.get(body_part)
    words = " ".join([fact.label, *(c.display or "" for c in fact.codings)])
    return row is not None and row.matches(words)


def out_of_range(value: Quantity) -> bool:
    """Tell whether a value surely lies outside its source's range.

    A value with "<" or ">" does only if that is sure.
    """
    above = (
        value.high is not None
        and value.value > value.high
        and value.comparator in (None, ">", ">=")
    )
    below = (
        value.low is not None and value.value < value.low and value.comparator in (None, "<", "<=")
    )
    return above or below


def _order(fact: Fact) -> Sentence:
    reason = clean(fact.value) if isinstance(fact.value, str) else ""
    template = phrases().record.order_with_reason if reason else phrases().record.order
    return _reported(template.format(words=clean(fact.label), reason=reason), fact)


def _demographics(facts: list[Fact]) -> Iterator[Sentence]:
    known = [f for f in facts if f.kind is FactKind.DEMOGRAPHIC and f.value is not None]
    if known:
        words = "; ".join(_demographic_words(f) for f in known)
        yield _reported(phrases().record.demographics.format(words=words), *known)


def _demographic_words(fact: Fact) -> str:
    value = (
        quantity_words(fact.value) if isinstance(fact.value, Quantity) else clean(str(fact.value))
    )
    return f"{clean(fact.label)}: {value}"


def _condition(fact: Fact) -> Sentence:
    template: str = getattr(phrases().record.condition, _STATED_STATUS[fact.status])
    return _reported(template.format(words=clean(fact.label)), fact)


def _procedure(fact: Fact) -> Sentence:
    return _reported(phrases().record.procedure.format(words=clean(fact.label)), fact)


def _observation(fact: Fact) -> Sentence:
    if not isinstance(fact.value, Quantity):  # stated_observations takes no others
        raise StateError(
            "an observation that is not a quantity is not stated",
            remedy="leave it out",
            fact=fact.id,
        )
    details = [str(when) for when in [_date(fact)] if when] + range_words(fact.value)
    value = quantity_words(fact.value) + (f" ({'; '.join(details)})" if details else "")
    return _reported(
        phrases().record.observation.format(words=clean(fact.label), value=value), fact
    )


def _reported(text: str, *facts: Fact) -> Sentence:
    marks = ", ".join(clean(mark) for fact in facts for mark in fact.marks)
    return Sentence(
        section=Section.CLINICAL_INFORMATION,
        text=text + (phrases().record.doubt.format(marks=marks) if marks else ""),
        assertion=Assertion.REPORTED,
        evidence=tuple(FactEvidence(fact_id=f.id, source=f.source) for f in facts),
    )


def range_words(value: Quantity) -> list[str]:
    """Write the source's normal range in words; empty if it states none."""
    if value.low is not None and value.high is not None:
        return [f"normal range {digits(value.low)} to {digits(value.high)}"]
    if value.high is not None:
        return [f"normal up to {digits(value.high)}"]
    return [f"normal from {digits(value.low)}"] if value.low is not None else []


def _once(facts: list[Fact]) -> list[Fact]:
    """Keep the first of several facts with the same words and status."""
    seen: dict[tuple[str, FactStatus], Fact] = {}
    for fact in facts:
        seen.setdefault((clean(fact.label).casefold(), fact.status), fact)
    return list(seen.values())


def _date(fact: Fact) -> date | None:
    return fact.when.date() if isinstance(fact.when, datetime) else fact.when


def _day(fact: Fact) -> int:
    """Return days since year 1, 0 if undated: the newest sorts first by the negative."""
    day = _date(fact)
    return day.toordinal() if day else 0


def _moment(fact: Fact) -> tuple[int, float]:
    """Return a key that sorts facts by time.

    A day without time of day comes before any moment of it.
    """
    return _day(fact), fact.when.timestamp() if isinstance(fact.when, datetime) else 0.0
