"""Text from outside as one line that can be printed and quoted."""

from __future__ import annotations

import unicodedata

from medmm.domain.errors import InputError

WORDS_LIMIT = 160


def clean(words: str, limit: int = WORDS_LIMIT) -> str:
    """Reduce words to one line of printable text of at most `limit` characters.

    Quotes become single, so that it can be quoted.
    """
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in words).replace('"', "'")
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def refuse_no_text(words: str, what: str) -> None:
    """Refuse words that hold half a character, which no file and no message can carry.

    Args:
        what: what the words are, for the error, which does not repeat them.

    Raises: InputError if they are no Unicode text.
    """
    try:
        words.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} holds half a character (a lone surrogate)", remedy="write the text again"
        ) from error
