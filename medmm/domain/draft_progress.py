"""How far a draft is that is being made, and what of its words is known by then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from medmm.domain.draft import Draft, Section
from medmm.domain.errors import InputError


class DraftStage(Enum):
    """What is being done for a draft, in the order in which it is done."""

    WAITING = "waiting"
    READING = "reading the images"
    WRITING = "writing"
    CHECKING = "checking"
    DONE = "done"
    FAILED = "failed"
    ELSEWHERE = "in another program"  # of this installation; no more is known of it here


@dataclass(frozen=True, slots=True, kw_only=True)
class UncheckedSentence:
    """A sentence as it is being written: no check has seen it, and nobody can decide on it.

    It has no id and no evidence on purpose: it may be another or gone in the draft that is kept.
    """

    section: Section
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftProgress:
    """How far a draft is that is being made in the background.

    Attributes:
        by: id of who asked for it.
        began: when it was asked for.
        sentences: what is known of its words while it is written and checked; none before and
            after.
        problem, remedy: why there is no draft, and what helps; "" unless it failed.
    """

    case_id: str
    by: str
    began: datetime
    stage: DraftStage
    sentences: tuple[UncheckedSentence, ...] = ()
    problem: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.began.tzinfo is None:
            raise InputError("a time without zone", remedy="use aware times", case=self.case_id)

    @property
    def going(self) -> bool:
        """Whether the draft is still being made."""
        return self.stage not in (DraftStage.DONE, DraftStage.FAILED)


def unchecked(draft: Draft) -> tuple[UncheckedSentence, ...]:
    """Take the sentences of a draft that is not checked yet, in their order."""
    return tuple(UncheckedSentence(section=s.section, text=s.text) for s in draft.statements)
