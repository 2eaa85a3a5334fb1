"""Drafting: case and reading become a draft of statements that carry their evidence."""

from __future__ import annotations

from collections.abc import Callable

from medmm.domain.errors import MedmmError
from medmm.drafting.record_influence import influence
from medmm.drafting.writers.language_model import NOT_INSTALLED, LanguageModel, LanguageWriter
from medmm.drafting.writers.protocol import Writer
from medmm.drafting.writers.rules import RuleWriter

__all__ = [
    "LanguageModel",
    "LanguageWriter",
    "RuleWriter",
    "Writer",
    "influence",
    "name_of",
    "writer",
]


def writer(model: LanguageModel | None, *, by_rules: bool = False) -> Writer:
    """Choose the writer in the language model's words, or by rules.

    Rules write if they were chosen, or if there is no model, which the draft says.

    MR is written by rules whatever is chosen, and the draft says so: see `LanguageWriter.write`.
    """
    if by_rules:
        return RuleWriter()
    return RuleWriter(NOT_INSTALLED) if model is None else LanguageWriter(model)


def name_of(make: Callable[[], Writer]) -> tuple[str, str]:
    """Name the writer that is made and ""; if that fails, the rule writer and why."""
    try:
        return make().name, ""
    except MedmmError as error:
        return RuleWriter().name, str(error)
