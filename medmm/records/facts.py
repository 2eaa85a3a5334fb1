"""Facts of FHIR R4 resources, with status and negation, or the reason to leave one out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from medmm.domain.record import Fact, FactStatus, Omission
from medmm.records.bundles import cut_short
from medmm.records.fhir_access import at, code_of, codings, items, label, text_of, words_at
from medmm.records.modifiers import modifier_in
from medmm.records.observation_values import quantity, quantity_text, valued
from medmm.records.periods import Dating, day_of, sort_key, time_words
from medmm.records.resources import DETAILS, KINDS, within_reach
from medmm.records.statuses import NOT_ORDERED, status_of

Resource = dict[str, Any]
Referred = Mapping[str, Resource]
ENDED_SOMETIME = "stated as active, and said to have ended"
CUT_SHORT = "only some of its elements are in the record"


def facts_of(
    resource: Resource, source: str, referred: Referred, dating: Dating
) -> Iterator[Fact | Omission]:
    """Yield the facts of one resource, or why there is none.

    An observation with components has several.

    `referred` are the resources of the record by how they may be referred to, `dating` is what
    dates this one.
    """
    kind = str(resource.get("resourceType"))
    cut = cut_short(resource)
    if modifier := modifier_in(
        {name: value for name, value in resource.items() if name != "component"}
    ):
        yield Omission(source=source, reason=f"an unknown {modifier} may turn its meaning round")
        return
    resource = within_reach(resource, kind)
    status, status_marks = status_of(resource, kind)
    if status is FactStatus.ENTERED_IN_ERROR:
        yield Omission(source=source, reason="entered in error")
        return
    concept, turned = _concept(resource, kind, referred)
    if turned is not None:
        yield Omission(
            source=source, reason=f"an unknown {turned} may turn round what the medicine is"
        )
        return
    words = label(concept)
    if words is None:
        yield Omission(source=source, reason="neither a code nor words say what it is")
        return
    when, date_marks = _when(dating)
    if dating.ended_sometime and status is FactStatus.ACTIVE:
        status, status_marks = FactStatus.UNCONFIRMED, (*status_marks, ENDED_SOMETIME)
    base = Fact(
        id=f"{kind}/{resource['id']}",
        kind=KINDS[kind],
        label=_with_site(words, resource),
        status=status,
        codings=codings(concept),
        when=when,
        marks=(*status_marks, *(CUT_SHORT,) * bool(cut), *_code_marks(concept), *date_marks),
        details=tuple(_details(resource, kind, when)),
        source=source,
    )
    yield from READERS.get(kind, _plain)(resource, base)


def _concept(resource: Resource, kind: str, referred: Referred) -> tuple[Any, str | None]:
    """Return what a resource is about, and what of its medicine may reverse the meaning.

    That of a medicine is its own code, that of a Medication in the resource or the record, else a
    reference's words.
    """
    if not kind.startswith("Medication"):
        return resource.get("code"), None
    if resource.get("medicationCodeableConcept"):
        return resource["medicationCodeableConcept"], None
    reference = resource.get("medicationReference")
    if not isinstance(reference, dict):
        return None, None
    name = str(reference.get("reference"))
    inner = next((c for c in items(resource.get("contained")) if name == f"#{c.get('id')}"), None)
    found = inner or referred.get(name.partition("/_history/")[0])
    if found is not None and label(within_reach(found, "Medication").get("code")):
        return found["code"], modifier_in(found)
    return {"text": reference.get("display")}, None


def _code_marks(concept: Any) -> Iterator[str]:
    """Mark a concept whose only meaning is a code of the sender's own."""
    bare = isinstance(concept, dict) and label(concept) == code_of(concept)
    if bare and not any(coding.system.startswith("http") for coding in codings(concept)):
        yield "only a local code says what it is"


def _with_site(words: str, resource: Resource) -> str:
    """Add to the words the body sites that they don't hold."""
    sites = [
        site for site in words_at(resource, "bodySite") if site.casefold() not in words.casefold()
    ]
    return f"{words} ({', '.join(sites)})" if sites else words


def _details(resource: Resource, kind: str, when: datetime | date | None) -> Iterator[str]:
    for path, name in DETAILS[kind].items():
        found = (
            [_dosage(d) for d in items(resource.get(path))]
            if name == "dosage"
            else words_at(resource, path)
        )
        if found and (name != "intent" or found[0] in NOT_ORDERED):
            yield f"{name}: {'; '.join(found)}"
    for stem, name in (("onset", "onset"), ("abatement", "ended")):
        for element in [e for e in resource if e.startswith(stem)]:
            words = time_words(resource[element])
            if words and not (when is not None and words == when.isoformat()):
                yield f"{name}: {words}"
    over = (
        text_of(next(at(resource, "effectivePeriod.end"), None))
        if kind == "MedicationStatement"
        else None
    )
    if over:
        yield f"taken until: {over}"


def _dosage(dosage: Resource) -> str:
    """Return the text of a dosage, else its dose; say what stands in structure alone."""
    doses = [*at(dosage, "doseAndRate.doseQuantity"), *at(dosage, "doseQuantity")]  # R4, STU3
    dose = next((found for value in doses if (found := quantity(value)[0])), None)
    words = text_of(dosage.get("text")) or text_of(dosage.get("patientInstruction"))
    if words is None and dose is not None:
        words = f"{quantity_text(dose)}, how often is not read"
    needed = " (as needed)" if dosage.get("asNeededBoolean") is True else ""
    return (words or "in structure only, not read") + needed


def _when(dating: Dating) -> tuple[datetime | date | None, tuple[str, ...]]:
    latest = max(dating.known, key=sort_key, default=None)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    late = latest is not None and day_of(latest) > tomorrow
    return latest, (*dating.marks, *(("dated in the future",) if late else ()))


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
        if modifier := modifier_in(part):
            yield Omission(
                source=f"{fact.source} component[{number}]",
                reason=f"an unknown {modifier} may turn its meaning round",
            )
            continue
        words = label(part.get("code"))
        if words is None:
            yield Omission(
                source=f"{fact.source} component[{number}]",
                reason="neither a code nor words say what it is",
            )
            continue
        named = replace(
            fact,
            id=f"{fact.id}#{number}",
            label=_with_site(words, resource),
            codings=codings(part.get("code")),
            details=(
                *fact.details,
                *(f"interpretation: {w}" for w in words_at(part, "interpretation")),
            ),
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
