"""What a reader saw before anything that was read or drafted was shown to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from medmm.domain.claim import CLAIMS
from medmm.domain.errors import InputError
from medmm.domain.plain_text import refuse_no_text
from medmm.domain.report import Add, Reader

LONGEST_TEXT, MOST_FINDINGS = 20_000, 100


class ReadingMode(Enum):
    """What a reader sees first of a case."""

    DRAFT_FIRST = "draft-first"
    BLIND_FIRST = "blind-first"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRead:
    """A reader's own impression of a case, kept before a draft was shown and never changed.

    Attributes:
        text: the impression in the reader's words; "" where the findings say it all.
        findings: findings of the vocabulary, each once, as a reader adds them.
        nothing_suspected: whether the reader looked and suspects nothing.
        listed: whether a worklist may have named to the reader before what is suspected in the
            case: then the draft was not wholly unknown.
    """

    case_id: str
    by: Reader
    at: datetime
    text: str = ""
    findings: tuple[Add, ...] = ()
    nothing_suspected: bool = False
    listed: bool = False

    def __post_init__(self) -> None:
        refuse_no_text(self.text, "a first read")
        if self.at.tzinfo is None:
            raise InputError("a first read without time zone", remedy="use an aware time")
        if len(self.text) > LONGEST_TEXT or len(self.findings) > MOST_FINDINGS:
            raise InputError(
                "a first read that is too long",
                remedy=f"keep it to {LONGEST_TEXT} characters and {MOST_FINDINGS} findings",
                case=self.case_id,
            )
        names = [one.finding for one in self.findings]
        if None in names or len(set(names)) != len(names):
            raise InputError(
                "a finding of a first read is free text, or stands there twice",
                remedy="choose findings of the vocabulary, each once; say the rest as text",
                case=self.case_id,
            )
        claimed = any(one.assertion in CLAIMS for one in self.findings)
        if not (self.text.strip() or self.findings or self.nothing_suspected):
            raise InputError(
                "a first read that says nothing",
                remedy="say what you see, or that you suspect nothing",
                case=self.case_id,
            )
        if self.nothing_suspected and claimed:
            raise InputError(
                "a first read that suspects nothing names a finding",
                remedy="take the finding out, or say that something is suspected",
                case=self.case_id,
            )

    @property
    def id(self) -> str:
        """The id of its row: a reader reads a case first once."""
        return first_read_id(self.case_id, self.by.id)


def first_read_id(case_id: str, reader: str) -> str:
    """Name the first read of a case by a reader."""
    return f"{case_id} {reader}"
