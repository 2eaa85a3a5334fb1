"""Facts of FHIR R4 resources. A status or a negation is kept with its fact or the resource is left out, said."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time
from functools import cache
from importlib.resources import files
from typing import Any

from medmm.domain.record import Fact, FactKind, FactStatus, Omission, Quantity
from medmm.records.elements import code_of, codings, items, label, moment, quantity, text_of

LOINC = "http://loinc.org"
Resource = dict[str, Any]

# What dates a resource: the latest of these, because a fact counts from when it was known, not from when it began.
DATES = {
    "Condition": ("onsetDateTime", "onsetPeriod.start", "recordedDate", "assertedDate"),
    "Observation": ("effectiveDateTime", "effectiveInstant", "effectivePeriod.end", "effectivePeriod.start", "issued"),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod.start", "dateAsserted"),
    "AllergyIntolerance": ("onsetDateTime", "recordedDate", "assertedDate"),
    "Procedure": ("performedDateTime", "performedPeriod.end", "performedPeriod.start"),
    "ServiceRequest": ("authoredOn",),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod.end", "effectivePeriod.start", "issued"),
}
KINDS = {
    "Condition": FactKind.CONDITION,
    "Observation": FactKind.OBSERVATION,
    "MedicationRequest": FactKind.MEDICATION,
    "MedicationStatement": FactKind.MEDICATION,
    "AllergyIntolerance": FactKind.ALLERGY,
    "Procedure": FactKind.PROCEDURE,
    "ServiceRequest": FactKind.ORDER,
    "DiagnosticReport": FactKind.PRIOR_REPORT,
}
# Codes of `status` (of clinicalStatus for conditions and allergies) and what they make of the fact; FHIR R4 value sets.
STATUS = {
    **dict.fromkeys(("active", "recurrence", "relapse", "final", "amended", "corrected"), FactStatus.ACTIVE),
    **dict.fromkeys(("completed", "in-progress", "intended"), FactStatus.ACTIVE),
    **dict.fromkeys(("inactive", "remission", "resolved", "stopped", "cancelled"), FactStatus.INACTIVE),
    **dict.fromkeys(("ended", "on-hold", "revoked", "not-taken"), FactStatus.INACTIVE),
    **dict.fromkeys(
        ("preliminary", "registered", "partial", "draft", "unknown", "preparation"), FactStatus.UNCONFIRMED
    ),
    "not-done": FactStatus.REFUTED,
    "entered-in-error": FactStatus.ENTERED_IN_ERROR,
}
VERIFICATION = {
    "refuted": FactStatus.REFUTED,
    "entered-in-error": FactStatus.ENTERED_IN_ERROR,
    "unconfirmed": FactStatus.UNCONFIRMED,
    "provisional": FactStatus.UNCONFIRMED,
    "differential": FactStatus.UNCONFIRMED,
}


def facts_of(resource: Resource, source: str) -> Iterator[Fact | Omission]:
    """The facts of one resource (several for an observation with components), or why there is none."""
    kind = str(resource.get("resourceType"))
    if resource.get("modifierExtension"):
        yield Omission(source=source, reason="an unknown modifierExtension may turn its meaning round")
        return
    status, status_marks = _status(resource, kind)
    if status is FactStatus.ENTERED_IN_ERROR:
        yield Omission(source=source, reason="entered in error")
        return
    concept = _concept(resource, kind)
    words = label(concept)
    if words is None:
        yield Omission(source=source, reason="neither a code nor words say what it is")
        return
    when, date_marks = _when(resource, kind)
    base = Fact(
        id=f"{kind}/{resource['id']}",
        kind=KINDS[kind],
        label=words,
        status=status,
        codings=codings(concept),
        when=when,
        marks=(*status_marks, *date_marks),
        source=source,
    )
    yield from READERS.get(kind, _plain)(resource, base)


def end_of(resource: Resource) -> datetime | date | None:
    """When a condition ceased to hold, where it says so: until then it was active, whatever it is now."""
    return moment(resource.get("abatementDateTime"))[0] if resource.get("resourceType") == "Condition" else None


def _status(resource: Resource, kind: str) -> tuple[FactStatus, tuple[str, ...]]:
    """The status of a fact; what is missing or unknown leaves it unconfirmed, with a mark."""
    if resource.get("doNotPerform") is True:
        return FactStatus.REFUTED, ("must not be done or given",)
    verification = VERIFICATION.get(code_of(resource.get("verificationStatus")) or "")
    if verification is not None:
        return verification, ()
    code = code_of(resource.get("clinicalStatus" if kind in ("Condition", "AllergyIntolerance") else "status"))
    if code in STATUS:
        return STATUS[code], ()
    return FactStatus.UNCONFIRMED, ("no status" if code is None else "unknown status",)


def _concept(resource: Resource, kind: str) -> Any:
    if kind.startswith("Medication"):
        return resource.get("medicationCodeableConcept") or _referred_medicine(resource)
    return resource.get("code")


def _referred_medicine(resource: Resource) -> Any:
    """The code of a contained Medication, else the words of the reference to another resource."""
    reference = resource.get("medicationReference")
    if not isinstance(reference, dict):
        return None
    for inner in items(resource.get("contained")):
        if reference.get("reference") == f"#{inner.get('id')}" and isinstance(inner.get("code"), dict):
            return inner["code"]
    return {"text": reference.get("display")}


def _when(resource: Resource, kind: str) -> tuple[datetime | date | None, tuple[str, ...]]:
    found, marks = [], []
    for path in DATES[kind]:
        value: Any = resource
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        when, mark = moment(value)
        if when is not None:
            found.append(when)
        if mark is not None:
            marks.append(mark)
    latest = max(found, key=_as_key, default=None)
    return latest, tuple(dict.fromkeys(marks))


def _as_key(when: datetime | date) -> tuple[str, str]:
    """Order of mixed dates and times: by day, a whole day after every time of it."""
    if isinstance(when, datetime):
        return when.date().isoformat(), when.time().isoformat()
    return when.isoformat(), time.max.isoformat()


def _plain(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    yield fact


def _condition(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    severity = label(resource.get("severity"))
    yield replace(fact, value=severity)


def _order(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    reasons = [words for c in items(resource.get("reasonCode")) if (words := label(c))]
    yield replace(fact, value="; ".join(reasons) or None)


def _report(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    yield replace(fact, value=text_of(resource.get("conclusion")))


def _allergy(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    reactions = [
        words
        for reaction in items(resource.get("reaction"))
        for c in items(reaction.get("manifestation"))
        if (words := label(c))
    ]
    yield replace(fact, value="; ".join(reactions) or None)


def _observation(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    parts = list(items(resource.get("component")))
    if _has_value(resource) or not parts:
        yield _valued(resource, fact)
    for number, part in enumerate(parts, 1):
        words = label(part.get("code"))
        if words is None:
            yield Omission(
                source=f"{fact.source} component[{number}]", reason="neither a code nor words say what it is"
            )
            continue
        named = replace(fact, id=f"{fact.id}#{number}", label=words, codings=codings(part.get("code")))
        yield _valued(part, named)


def _has_value(resource: Resource) -> bool:
    return any(name.startswith("value") for name in resource)


def _valued(resource: Resource, fact: Fact) -> Fact:
    names = [name for name in resource if name.startswith("value")]
    marks = list(fact.marks)
    if len(names) > 1:
        return replace(fact, marks=(*marks, "two values: none was read"))
    value: Quantity | str | None = None
    if "valueQuantity" in resource:
        value, doubts = quantity(resource["valueQuantity"])
        marks += doubts
        if value is not None:
            value, range_doubts = _with_range(value, resource)
            marks += [*range_doubts, *_implausible(fact, value)]
    elif names:
        value = _worded(resource[names[0]])
    if value is None and not marks:
        marks.append(label(resource.get("dataAbsentReason")) or "no value")
    return replace(fact, value=value, marks=tuple(marks))


def _worded(value: Any) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    return text_of(value) or label(value)


def _with_range(value: Quantity, resource: Resource) -> tuple[Quantity, list[str]]:
    """The value with its reference range, where that is in the same unit and the right way round."""
    for reference in items(resource.get("referenceRange")):
        low, high = (quantity(reference.get(side))[0] for side in ("low", "high"))
        units = {q.unit for q in (low, high) if q is not None and q.unit}
        if not units <= {value.unit}:
            return value, ["reference range in another unit"]
        if low and high and low.value > high.value:
            return value, ["reference range reversed"]
        if low or high:
            return replace(value, low=low.value if low else None, high=high.value if high else None), []
    return value, []


@cache
def plausible_ranges() -> dict[tuple[str, str], tuple[float, float]]:
    """(LOINC, UCUM unit) -> what a living patient can have."""
    text = files("medmm.records").joinpath("data/plausible.csv").read_text(encoding="utf-8")
    return {
        (row["loinc"], row["unit"]): (float(row["low"]), float(row["high"]))
        for row in csv.DictReader(text.splitlines())
    }


def _implausible(fact: Fact, value: Quantity) -> list[str]:
    for coding in fact.codings:
        if coding.system == LOINC:
            low, high = plausible_ranges().get((coding.code, value.unit), (float("-inf"), float("inf")))
            if not low <= value.value <= high:
                return ["implausible value"]
    return ["implausible value"] if abs(value.value) > 1e12 else []


READERS: dict[str, Callable[[Resource, Fact], Iterator[Fact | Omission]]] = {
    "Condition": _condition,
    "Observation": _observation,
    "AllergyIntolerance": _allergy,
    "ServiceRequest": _order,
    "DiagnosticReport": _report,
}
