"""What the record does to a draft, in words."""

from __future__ import annotations

from medmm.domain.draft import Draft
from medmm.domain.record_influence import Change, FactInfluence, Influence
from medmm.domain.vocabulary import finding_term

CHANGES_TITLE = "WHAT THE RECORD CHANGES"
FACTS_TITLE = "FACT BY FACT: THE DRAFT WITHOUT IT AGAINST THE DRAFT WITH IT"
DRAFTS_TITLE = "THE DRAFT IN THREE WAYS"
FACTS_HEAD = ("fact", "strongest shift", "finding", "said otherwise")
BY_RULES = (
    "Fixed rules wrote these drafts: they never let the record touch what is said of the image."
)
SAME = "With and without the record the same is said of the image."


def change_words(change: Change) -> str:
    """Say what is said of a finding without the record, or the fact, and with it."""
    before, after = (one.value if one else "nothing said" for one in (change.before, change.after))
    claimed = ", claimed only with it" if change.claims else ""
    return f"{finding_term(change.finding).words}: {before} → {after}{claimed}"


def fact_cells(fact: FactInfluence) -> tuple[str, ...]:
    """Make the row of one fact, under `FACTS_HEAD`."""
    shift = "not read" if fact.shift is None else f"{fact.shift:.3f}"
    finding = finding_term(fact.finding).words if fact.finding else ""
    return fact.label, shift, finding, "; ".join(map(change_words, fact.changes))


def by_rules(found: Influence) -> bool:
    """Tell whether fixed rules wrote the drafts, so that no fact could have changed them."""
    written = any(s.generation for s in (*found.both.statements, *found.image_only.statements))
    return not written and not found.facts


def three_drafts(found: Influence) -> dict[str, Draft]:
    """Name the drafts by what they were made from."""
    return {
        "image alone": found.image_only,
        "record alone": found.record_only,
        "image and record": found.both,
    }
