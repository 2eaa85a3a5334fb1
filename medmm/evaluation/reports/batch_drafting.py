"""Many drafts by the language model, eight at a time, and whose words they came out in.

They are what live use writes one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from medmm.domain.draft import Case, Draft, Opinion, Proposal, Section, Statement
from medmm.domain.reading import Reading
from medmm.drafting.writers.language_model import CLAIMS, in_words_of, permitted
from medmm.models.report_model.chest_report import ChestReportModel, Job, frontal_grey

AT_ONCE = 8
OWN_WORDS = "in the language model's words"
REFUSED = "sent back to the rule's words: the writer's check refuses them"
SIDED = "the rule's words: a side is named"
UNSTATED = "the rule's words: critical, and not stated by the language model"
KINDS = (OWN_WORDS, REFUSED, SIDED, UNSTATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """In whose words the image statements of drafts came out, by `KINDS`.

    Also which drafts fixed rules wrote as a whole.
    """

    drafts: int = 0
    by_rule: int = 0
    statements: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Wording) -> Wording:
        return Wording(
            drafts=self.drafts + other.drafts,
            by_rule=self.by_rule + other.by_rule,
            statements=self.statements + other.statements,
        )

    def json(self) -> dict[str, object]:
        """Return counts, and the share of the language model's statements that was sent back."""
        worded = self.statements[OWN_WORDS] + self.statements[REFUSED]
        return {
            "drafts": self.drafts,
            "drafts_by_rule": self.by_rule,
            "statements": {kind: self.statements[kind] for kind in KINDS},
            "share_sent_back": round(self.statements[REFUSED] / worded, 4) if worded else None,
        }


def wording_of(draft: Draft, opinion: Opinion, writer: str) -> Wording:
    """Say in whose words a draft came out that `writer` made of an opinion."""
    if draft.writer != writer:
        return Wording(drafts=1, by_rule=1)
    heard = {one.finding: one for one in opinion.proposals}
    stated = [
        s for s in draft.statements if s.section is Section.FINDINGS and s.finding is not None
    ]
    return Wording(
        drafts=1, statements=Counter(_kind(s, heard.get(s.finding or "")) for s in stated)
    )


def _kind(statement: Statement, said: Proposal | None) -> str:
    if statement.generation is not None:
        return OWN_WORDS
    if said is None or (said.assertion in CLAIMS) is not (statement.assertion in CLAIMS):
        return UNSTATED
    return SIDED if statement.side is not None else REFUSED


def drafts(model: ChestReportModel, cases: Sequence[tuple[Case, Reading]]) -> list[Draft]:
    """Draft cases that each have a frontal film, in their order."""
    return [draft for draft, _ in worded(model, cases)]


def worded(
    model: ChestReportModel, cases: Sequence[tuple[Case, Reading]]
) -> list[tuple[Draft, Wording]]:
    """Draft cases that each have a frontal film; say in whose words each came out.

    Drafts come in the order of the cases.
    """
    jobs = []
    for case, reading in cases:
        grey, measured = frontal_grey(case), reading.measurements
        jobs.append(
            Job(
                grey=grey, context=case.context, measurements=measured, permitted=permitted(reading)
            )
        )
    said: list[Opinion] = []
    for start in range(0, len(jobs), AT_ONCE):
        said += model.opinions_on(jobs[start : start + AT_ONCE])
    found = []
    for (case, reading), opinion in zip(cases, said, strict=True):
        draft = in_words_of(opinion, case, reading, model.name)
        found.append((draft, wording_of(draft, opinion, model.name)))
    return found
