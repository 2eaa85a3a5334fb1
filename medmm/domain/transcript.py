"""What a server heard in a reader's recording: words that decide nothing yet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The words of one recording.

    Attributes:
        text: as the server wrote it, on one line; empty if it heard none.
        seconds: length of the recording.
        host: which server heard it.
        language: as the server names it ("english"); None if it names none.
        foreign: words of another language than English in the text.
    """

    text: str
    seconds: float
    host: str
    language: str | None = None
    foreign: tuple[str, ...] = ()

    @property
    def in_another_language(self) -> bool:
        """Whether it is not in the language of this project's reports."""
        other = self.language is not None and self.language.casefold() not in ENGLISH
        return other or bool(self.foreign)


ENGLISH = frozenset({"en", "english", "en-us", "en-gb"})
