"""What the record does to a draft, fact by fact.

The same case is drafted from the image alone, the record alone and both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from medmm.domain.draft import Assertion, Case, Draft, Opinion, Section
from medmm.domain.reading import Reading
from medmm.domain.record import Fact
from medmm.domain.record_influence import Change, FactInfluence, Influence
from medmm.domain.study import Modality
from medmm.drafting.writers.language_model import (
    LanguageModel,
    LanguageWriter,
    in_words_of,
    permitted,
)
from medmm.drafting.writers.rules import RuleWriter

Said = Mapping[str, Assertion]
LEAST_SHIFT = 5e-4  # of a probability with three digits: less is no difference


def influence(case: Case, reading: Reading, model: LanguageModel | None) -> Influence:
    """Draft a case in three ways, and find each fact's part in it.

    Without a language model, and for MR, no fact has any.

    By rules the record never touches what is said of the image, so only the record's own statements
    differ.
    """
    if case.study.modality is Modality.MR:
        model = None  # it does not write MR
    writer = RuleWriter() if model is None else LanguageWriter(model)
    both = writer.write(case, reading)
    image_only = writer.write(replace(case, context=None), reading)
    return Influence(
        case_id=case.id,
        image_only=image_only,
        record_only=RuleWriter().write(case, Reading(study_uid=reading.study_uid)),
        both=both,
        changes=changes(said_of_image(image_only), said_of_image(both)),
        facts=() if model is None else tuple(_by_fact(case, reading, model)),
    )


def said_of_image(draft: Draft) -> dict[str, Assertion]:
    """Return what a draft's findings section says of each finding."""
    return {
        s.finding: s.assertion
        for s in draft.statements
        if s.finding and s.section is Section.FINDINGS
    }


def changes(before: Said, after: Said) -> tuple[Change, ...]:
    """List the findings of which two drafts say different things."""
    differing = sorted(
        name for name in {*before, *after} if before.get(name) is not after.get(name)
    )
    return tuple(Change(finding=n, before=before.get(n), after=after.get(n)) for n in differing)


def _by_fact(case: Case, reading: Reading, model: LanguageModel) -> Iterator[FactInfluence]:
    context = case.context
    if context is None:
        return
    readable = model.facts_read(case)
    facts = [fact for fact in context.facts if fact.id in readable]
    without = [
        replace(case, context=replace(context, facts=_all_but(context.facts, fact)))
        for fact in facts
    ]
    opinions = model.opinions([case, *without], permitted(reading), reading.measurements)
    facts = facts if opinions else []
    whole, *others = opinions or [Opinion(proposals=(), probability={})]

    def said(opinion: Opinion) -> Said:
        return said_of_image(in_words_of(opinion, case, reading, model.name))

    found = [
        _of_fact(fact, other, whole, changes(said(other), said(whole)))
        for fact, other in zip(facts, others, strict=True)
    ]
    yield from sorted(found, key=lambda one: (-(one.shift or 0.0), one.fact_id))
    read = {fact.id for fact in facts}
    for fact in context.facts:
        if fact.id not in read:
            yield FactInfluence(fact_id=fact.id, label=fact.label, shift=None, finding=None)


def _all_but(facts: tuple[Fact, ...], left_out: Fact) -> tuple[Fact, ...]:
    return tuple(fact for fact in facts if fact.id != left_out.id)


def _of_fact(
    fact: Fact, without: Opinion, whole: Opinion, otherwise: tuple[Change, ...]
) -> FactInfluence:
    shifts = {name: abs(p - without.probability[name]) for name, p in whole.probability.items()}
    finding = max(sorted(shifts), key=lambda name: shifts[name]) if shifts else None
    shift = shifts[finding] if finding else 0.0
    return FactInfluence(
        fact_id=fact.id,
        label=fact.label,
        shift=round(shift, 4),
        finding=finding if shift >= LEAST_SHIFT else None,
        changes=otherwise,
    )
