"""Facts of FHIR R4 resources. A status or a negation is kept with its fact or the resource is left out, said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from medmm.domain.record import Fact, FactStatus, Omission
from medmm.records.elements import at, code_of, codings, items, label, moment, text_of, words_at
from medmm.records.resources import DATES, DETAILS, KINDS, within_reach
from medmm.records.values import quantity, valued

Resource = dict[str, Any]
Referred = Mapping[str, Resource]

# Codes of `status` (of clinicalStatus for conditions and allergies) and what they make of the fact; FHIR R4 value sets.
STATUS = {
    **dict.fromkeys(
        ("active", "recurrence", "relapse", "final", "amended", "corrected", "appended"), FactStatus.ACTIVE
    ),
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


# A request of another intent is only thought of; FHIR R4 value set request-intent.
NOT_ORDERED = ("proposal", "plan", "option")


def facts_of(resource: Resource, source: str, referred: Referred) -> Iterator[Fact | Omission]:
    """The facts of one resource (several for an observation with components), or why there is none.

    `referred` are the resources of the record by how they may be referred to.
    """
    kind = str(resource.get("resourceType"))
    resource = within_reach(resource, kind)
    if resource.get("modifierExtension"):
        yield Omission(source=source, reason="an unknown modifierExtension may turn its meaning round")
        return
    status, status_marks = _status(resource, kind)
    if status is FactStatus.ENTERED_IN_ERROR:
        yield Omission(source=source, reason="entered in error")
        return
    concept = _medicine(resource, referred) if kind.startswith("Medication") else resource.get("code")
    words = label(concept)
    if words is None:
        yield Omission(source=source, reason="neither a code nor words say what it is")
        return
    when, date_marks = _when(resource, kind)
    base = Fact(
        id=f"{kind}/{resource['id']}",
        kind=KINDS[kind],
        label=_with_site(words, resource),
        status=status,
        codings=codings(concept),
        when=when,
        marks=(*status_marks, *_code_marks(concept), *date_marks),
        details=tuple(_details(resource, kind, when)),
        source=source,
    )
    yield from READERS.get(kind, _plain)(resource, base)


def end_of(resource: Resource) -> datetime | date | None:
    """When a condition ceased to hold, where it says so: until then it was active, whatever it is now."""
    if resource.get("resourceType") != "Condition":
        return None
    return next((end for path in ENDS if (end := moment(next(at(resource, path), None))[0])), None)


ENDS = ("abatementDateTime", "abatementPeriod.end", "abatementPeriod.start")


def dates_of(resource: Resource) -> tuple[datetime | date, ...]:
    """Everything that dates a resource: it was known only when all of these had come."""
    paths = DATES.get(str(resource.get("resourceType")), ())
    return tuple(when for path in paths if (when := moment(next(at(resource, path), None))[0]) is not None)


def _status(resource: Resource, kind: str) -> tuple[FactStatus, tuple[str, ...]]:
    """The status of a fact; what is missing or unknown leaves it unconfirmed, with a mark."""
    clinical = kind in ("Condition", "AllergyIntolerance")
    code = code_of(resource.get("clinicalStatus" if clinical else "status"))
    if code == "entered-in-error":
        return FactStatus.ENTERED_IN_ERROR, ()
    if resource.get("doNotPerform") is True:
        return FactStatus.REFUTED, ("must not be done or given",)
    verification = VERIFICATION.get(code_of(resource.get("verificationStatus")) or "")
    if verification is not None:
        return verification, ()
    if code not in STATUS:
        return FactStatus.UNCONFIRMED, ("no status" if code is None else "unknown status",)
    if code == "completed" and kind.startswith("Medication"):
        return FactStatus.INACTIVE, ()  # a course that is over
    if STATUS[code] is FactStatus.ACTIVE and code_of(resource.get("intent")) in NOT_ORDERED:
        return FactStatus.UNCONFIRMED, ()
    return STATUS[code], ()


def _medicine(resource: Resource, referred: Referred) -> Any:
    """The code of a medicine: its own, that of a Medication in the resource or the record, else a reference's words."""
    if resource.get("medicationCodeableConcept"):
        return resource["medicationCodeableConcept"]
    reference = resource.get("medicationReference")
    if not isinstance(reference, dict):
        return None
    name = str(reference.get("reference"))
    inner = next((c for c in items(resource.get("contained")) if name == f"#{c.get('id')}"), None)
    found = inner or referred.get(name.partition("/_history/")[0])
    if found is not None and label(within_reach(found, "Medication").get("code")):
        return found["code"]
    return {"text": reference.get("display")}


def _code_marks(concept: Any) -> Iterator[str]:
    """A mark where nothing but a code of the sender's own says what it is."""
    bare = isinstance(concept, dict) and label(concept) == code_of(concept)
    if bare and not any(coding.system.startswith("http") for coding in codings(concept)):
        yield "only a local code says what it is"


def _with_site(words: str, resource: Resource) -> str:
    """The words with the body sites that they don't hold."""
    sites = [site for site in words_at(resource, "bodySite") if site.casefold() not in words.casefold()]
    return f"{words} ({', '.join(sites)})" if sites else words


def _details(resource: Resource, kind: str, when: datetime | date | None) -> Iterator[str]:
    for path, name in DETAILS[kind].items():
        found = [_dosage(d) for d in items(resource.get(path))] if name == "dosage" else words_at(resource, path)
        if found and (name != "intent" or found[0] in NOT_ORDERED):
            yield f"{name}: {'; '.join(found)}"
    for stem, name in (("onset", "onset"), ("abatement", "ended")):
        for element in [e for e in resource if e.startswith(stem)]:
            words = _time_words(resource[element])
            if words and not (when is not None and words == when.isoformat()):
                yield f"{name}: {words}"


def _time_words(value: Any) -> str | None:
    """A time of any of FHIR's types in words: a date, an age, a period, a range, a text."""
    if isinstance(value, dict) and "value" in value:
        found = quantity(value)[0]
        return f"at {found.value:g} {found.unit}".rstrip() if found else None
    if isinstance(value, dict):
        parts = [text_of(value.get(part)) for part in ("start", "end")]
        return " to ".join(part or "…" for part in parts) if any(parts) else None
    return text_of(value)


def _dosage(dosage: Resource) -> str:
    """The text of a dosage, else its dose; what stands in structure alone is said."""
    doses = [*at(dosage, "doseAndRate.doseQuantity"), *at(dosage, "doseQuantity")]  # R4, STU3
    dose = next((found for value in doses if (found := quantity(value)[0])), None)
    words = text_of(dosage.get("text")) or text_of(dosage.get("patientInstruction"))
    if words is None and dose is not None:
        words = f"{dose.value:g} {dose.unit}".rstrip() + ", how often is not read"
    needed = " (as needed)" if dosage.get("asNeededBoolean") is True else ""
    return (words or "in structure only, not read") + needed


def _when(resource: Resource, kind: str) -> tuple[datetime | date | None, tuple[str, ...]]:
    found, marks = [], []
    for path in DATES[kind]:
        when, mark = moment(next(at(resource, path), None))
        if when is not None:
            found.append(when)
        if mark is not None:
            marks.append(mark)
    latest = max(found, key=_as_key, default=None)
    if latest is not None and _as_key(latest)[0] > (datetime.now(UTC) + timedelta(days=1)).date().isoformat():
        marks.append("dated in the future")
    return latest, tuple(dict.fromkeys(marks))


def _as_key(when: datetime | date) -> tuple[str, str]:
    """Order of mixed dates and times for show: by day as written, a whole day after every time of it."""
    if isinstance(when, datetime):
        return when.date().isoformat(), when.time().isoformat()
    return when.isoformat(), time.max.isoformat()


def _plain(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    yield fact


def _condition(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    yield replace(fact, value=label(resource.get("severity")))


def _order(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    yield replace(fact, value="; ".join(words_at(resource, "reasonCode")) or None)


def _report(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    yield replace(fact, value=text_of(resource.get("conclusion")))


def _allergy(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    yield replace(fact, value="; ".join(words_at(resource, "reaction.manifestation")) or None)


def _observation(resource: Resource, fact: Fact) -> Iterator[Fact | Omission]:
    parts = list(items(resource.get("component")))
    if _has_value(resource) or not parts:
        yield valued(resource, fact)
    for number, part in enumerate(parts, 1):
        words = label(part.get("code"))
        if words is None:
            yield Omission(
                source=f"{fact.source} component[{number}]", reason="neither a code nor words say what it is"
            )
            continue
        named = replace(
            fact,
            id=f"{fact.id}#{number}",
            label=_with_site(words, resource),
            codings=codings(part.get("code")),
            details=(*fact.details, *(f"interpretation: {w}" for w in words_at(part, "interpretation"))),
        )
        yield valued(part, named)


def _has_value(resource: Resource) -> bool:
    return any(name.startswith("value") for name in resource)


READERS: dict[str, Callable[[Resource, Fact], Iterator[Fact | Omission]]] = {
    "Condition": _condition,
    "Observation": _observation,
    "AllergyIntolerance": _allergy,
    "ServiceRequest": _order,
    "DiagnosticReport": _report,
}
