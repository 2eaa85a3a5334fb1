"""Drafting: a case and its reading become a draft of statements that each carry their evidence."""

from __future__ import annotations

from collections.abc import Callable

from medmm.domain.errors import MedmmError
from medmm.drafting.record_influence import influence
from medmm.drafting.versions import following
from medmm.drafting.writers.language_model import NOT_INSTALLED, LanguageModel, LanguageWriter
from medmm.drafting.writers.protocol import Writer
from medmm.drafting.writers.rules import RuleWriter

__all__ = [
    "LanguageModel",
    "LanguageWriter",
    "RuleWriter",
    "Writer",
    "following",
    "influence",
    "name_of",
    "writer",
]


def writer(model: LanguageModel | None, *, by_rules: bool = False) -> Writer:
    """The writer in the language model's words; by rules where they were chosen, or where there is no model, which it says.

    MR is written by rules whatever is chosen, and the draft says so: see `LanguageWriter.write`.
    """
    if by_rules:
        return RuleWriter()
    return RuleWriter(NOT_INSTALLED) if model is None else LanguageWriter(model)


def name_of(make: Callable[[], Writer]) -> tuple[str, str]:
    """The name of the writer that is made, and ""; where it can't be made, that of the one by rules, and why not."""
    try:
        return make().name, ""
    except MedmmError as error:
        return RuleWriter().name, str(error)
