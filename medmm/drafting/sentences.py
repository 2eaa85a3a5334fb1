"""What a writer says before it is numbered."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.draft import Assertion, Evidence, Generation, Section
from medmm.domain.reading import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A statement without its number; `summarises` is the findings sentence it repeats."""

    section: Section
    text: str
    assertion: Assertion
    evidence: tuple[Evidence, ...]
    finding: str | None = None
    side: Side | None = None
    summarises: Sentence | None = None
    generation: Generation | None = None
