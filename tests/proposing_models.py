"""Outside models for tests: they propose what they are told to, or fail as they are told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from medmm.domain.draft import Case, Draft, Generation, Proposal, Section
from medmm.domain.instruction import Instruction, Pictures
from medmm.domain.reading import Reading
from medmm.language.proposed import proposals_of

NAME = "outside-test"


class Says:
    """Proposes sentences, whatever it is shown; or those that `by` gives of what it is given."""

    name = NAME

    def __init__(
        self,
        *sentences: str,
        by: Callable[[Case, Reading, Instruction], Iterator[str]] | None = None,
        pictures: Pictures = Pictures.ALL,
        fails: Exception | None = None,
    ) -> None:
        self.sentences, self.by, self.pictures, self.fails = sentences, by, pictures, fails
        self.given: list[Instruction] = []

    def propose(self, case: Case, reading: Reading, instruction: Instruction) -> Iterator[Proposal]:
        self.given.append(instruction)
        said = self.by(case, reading, instruction) if self.by else iter(self.sentences)
        for sentence in said:
            yield from proposals_of(sentence, Generation(model=self.name))
        if self.fails is not None:
            raise self.fails


def findings_of(draft: Draft) -> list[dict[str, Any]]:
    """What a draft states of the image, in all but the wording."""
    of = {s.id: s.finding for s in draft.statements}
    return [
        {
            "section": s.section.value,
            "finding": s.finding,
            "assertion": s.assertion.value,
            "side": s.side and s.side.value,
            "evidence": [repr(item) for item in s.evidence],
            "summarises": s.summarises and of[s.summarises],
        }
        for s in draft.statements
        if s.section in (Section.FINDINGS, Section.IMPRESSION)
    ]
