"""What a reader said as a command: a closed list of phrases, and all else is free text.

A command is the whole transcript, word by word: of "accept, but not the left one" nothing is done.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from medmm.domain.draft import Assertion
from medmm.domain.reading import Side
from medmm.domain.vocabulary import FindingTerm
from medmm.language.patterns import undisguised
from medmm.language.word_tables import rows_of

WHY_NOT_SIGN = (
    "A report is never signed by voice: a signature takes the patient's name, the whole text and "
    "a confirmation before the signer's eyes."
)
# How a finding is said; each sentence of the list begins with one of them
SAID = {
    "": Assertion.PRESENT,
    "possible": Assertion.POSSIBLE,
    "no": Assertion.ABSENT,
}
_STRAY = re.compile(r"[.,;:!?]")


class Act(Enum):
    """What a reader can ask for by voice."""

    NEXT = "next"
    PREVIOUS = "previous"
    ACCEPT = "accept"
    ACCEPT_ALL = "accept_all"
    REJECT = "reject"
    UNDO = "undo"
    ADD = "add"

    @property
    def decides(self) -> bool:
        """Whether it changes a decision, so that the reader is asked first."""
        return self not in (Act.NEXT, Act.PREVIOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command as it was said.

    Attributes:
        words: of the list, as they were heard.
        finding: its name in the vocabulary, of `Act.ADD` alone; likewise side and assertion.
    """

    act: Act
    words: str
    finding: str | None = None
    side: Side | None = None
    assertion: Assertion = Assertion.PRESENT


@dataclass(frozen=True, slots=True)
class NeverByVoice:
    """What is said and never done; `why` says it to the reader."""

    words: str
    why: str


@dataclass(frozen=True, slots=True)
class FreeText:
    """Words that are no command, as they were heard."""

    text: str


Heard = Command | NeverByVoice | FreeText


def heard(transcript: str, findings: Iterable[FindingTerm]) -> Heard:
    """Tell a command from free text.

    Args:
        findings: those that may be stated of the study.
    """
    words = " ".join(_STRAY.sub(" ", undisguised(transcript)).split())
    return grammar(findings).get(words) or FreeText(" ".join(transcript.split()))


def grammar(findings: Iterable[FindingTerm]) -> Mapping[str, Command | NeverByVoice]:
    """List every phrase that is a command, in lower case, and what it means."""
    phrases: dict[str, Command | NeverByVoice] = {}
    for row in rows_of("spoken_commands"):
        for words in row["phrases"].split("|"):
            phrases[words] = (
                NeverByVoice(words, WHY_NOT_SIGN)
                if row["act"] == "sign"
                else Command(act=Act(row["act"]), words=words)
            )
    for command in _findings(findings):
        phrases[command.words] = command
    return phrases


def _findings(findings: Iterable[FindingTerm]) -> Iterator[Command]:
    for term in findings:
        for how, assertion in SAID.items():
            for side in (None, *Side) if term.sided else (None,):
                words = " ".join(filter(None, (how, side and side.value, term.words)))
                yield Command(
                    act=Act.ADD,
                    words=words.lower(),
                    finding=term.name,
                    side=side,
                    assertion=assertion,
                )
