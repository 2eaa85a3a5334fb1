"""What words of an outside model or a record are: plain, a refusal, an order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    why: str
    source: str


class _Plain(_Part):
    words: str


class _Refusals(_Part):
    patterns: tuple[str, ...]


class _Addressing(_Part):
    patterns: dict[str, tuple[str, ...]]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    plain: _Plain
    refusals: _Refusals
    addressing: _Addressing


@cache
def _table() -> _Table:
    text = files("medmm.drafting.writers").joinpath("outside_words.yaml").read_text("utf-8")
    return _Table.model_validate(yaml.safe_load(text))


@cache
def plain_words() -> frozenset[str]:
    """Return the words that a sentence may hold beside the name of its finding."""
    return frozenset(_table().plain.words.split())


def words_in(text: str) -> tuple[str, ...]:
    """Return the words of a text, in lower case."""
    return tuple(_WORD.findall(_bare(text)))


def refuses(texts: Sequence[str]) -> bool:
    """Tell whether an answer holds words of a refusal."""
    return any(_refusals().search(_bare(text)) for text in texts)


@lru_cache(maxsize=65536)
def addresses_a_program(text: str) -> bool:
    """Tell whether a text of a record speaks to a program instead of telling of the patient."""
    return bool(_addressing().search(_bare(text)))


@cache
def _refusals() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in _table().refusals.patterns))


@cache
def _addressing() -> re.Pattern[str]:
    listed = [one for rows in _table().addressing.patterns.values() for one in rows]
    return re.compile("|".join(f"(?:{one})" for one in listed))


def _bare(text: str) -> str:
    """Write a text in lower case, without signs that can't be seen, with plain blanks."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'")
    seen = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return " ".join(seen.lower().split())
