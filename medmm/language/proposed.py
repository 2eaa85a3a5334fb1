"""Sentences of a model that writes free text, each with the findings that its words claim."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.claim import Assertion
from medmm.domain.draft import Generation, Proposal
from medmm.language.claims import claims_of

# Of a finding that a sentence claims and denies the claim counts.
_STRONGEST = (Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT)


def proposals_of(sentence: str, generation: Generation) -> Iterator[Proposal]:
    """Yield what a sentence proposes of each finding that it names, in its own words.

    One that names none gives a proposal without a finding, which is never stated.
    """
    claims = claims_of(sentence)
    for finding in dict.fromkeys(c.finding for c in claims if c.finding) or (None,):
        said = {c.assertion for c in claims if c.finding == finding}
        yield Proposal(
            finding=finding,
            assertion=next((one for one in _STRONGEST if one in said), Assertion.ABSENT),
            text=sentence,
            generation=generation,
        )
