"""What words of an outside model are: plain ones, or a refusal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict

from medmm.language.patterns import undisguised

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    why: str
    source: str


class _Plain(_Part):
    words: str


class _Refusals(_Part):
    patterns: tuple[str, ...]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    plain: _Plain
    refusals: _Refusals


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
    return tuple(_WORD.findall(undisguised(text)))


def refuses(texts: Sequence[str]) -> bool:
    """Tell whether an answer holds words of a refusal."""
    return any(_refusals().search(undisguised(text)) for text in texts)


@cache
def _refusals() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in _table().refusals.patterns))
