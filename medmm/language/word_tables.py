"""The tables of words in `data/`: patterns of whole words, compiled once."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

from medmm.language.patterns import any_of


@cache
def rows_of(table: str) -> tuple[dict[str, str], ...]:
    """Read the rows of `data/TABLE.csv`."""
    text = files("medmm.language").joinpath(f"data/{table}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def phrase_patterns(table: str, name: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Compile the column `phrases` of a table, each beside the column `name` of its row."""
    return tuple((row[name], whole_words(row["phrases"])) for row in rows_of(table))


def whole_words(phrases: str) -> re.Pattern[str]:
    """Compile phrases that stand between bars; a blank of one stands for any white space."""
    return any_of(*(re.escape(p).replace("\\ ", "_") for p in phrases.split("|")))
