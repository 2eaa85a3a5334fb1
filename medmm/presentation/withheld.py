"""What a language model proposed and a draft does not state, as every page has it."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.domain.draft import CheckedDraft, Fate, Outcome, SentenceRecord
from medmm.presentation.evidence_words import evidence_line

WITHHELD_TITLE = "proposed, not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class WithheldView:
    """One sentence that is not stated as it was proposed.

    Attributes:
        line: its number, its words, what became of it, and why.
        instead: the words that stand in its place; "" if none do.
        evidence: what the reading holds of its finding, a line each.
        failed: the checks that failed on it, each with its reason.
    """

    line: str
    instead: str = ""
    evidence: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def details(self) -> tuple[str, ...]:
        """All that is said of it beside its line."""
        instead = (f"stated instead: “{self.instead}”",) if self.instead else ()
        return (*instead, *self.evidence, *self.failed)


def withheld(draft: CheckedDraft) -> tuple[WithheldView, ...]:
    """List the sentences of a draft that are not stated as they were proposed."""
    return tuple(_view(one) for one in draft.draft.sentences if one.fate is not Fate.STATED)


def withheld_count(count: int) -> str:
    """Say how many sentences are not stated as they were proposed."""
    return f"{count} {'sentence' if count == 1 else 'sentences'} proposed, not stated"


def _view(record: SentenceRecord) -> WithheldView:
    instead = f" by {record.statement_id}" if record.fate is Fate.REPLACED else ""
    said = f"{record.id} “{record.proposal.text}” {record.fate.value}{instead}"
    return WithheldView(
        line=f"{said}: {record.reason}",
        instead=record.words,
        evidence=tuple(dict.fromkeys(evidence_line(e) for e in record.evidence)),
        failed=tuple(
            f"{v.check} failed: {v.reason}" for v in record.verdicts if v.outcome is Outcome.FAILED
        ),
    )
