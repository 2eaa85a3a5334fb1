"""Drafting: a case and its reading become a draft of statements that each carry their evidence."""

from __future__ import annotations

from medmm.drafting.influence import influence
from medmm.drafting.language_writer import NOT_INSTALLED, LanguageModel, LanguageWriter
from medmm.drafting.rule_writer import RuleWriter
from medmm.drafting.writer import Writer

__all__ = ["LanguageModel", "LanguageWriter", "RuleWriter", "Writer", "influence", "writer"]


def writer(model: LanguageModel | None) -> Writer:
    """The writer in the language model's words, or the one by rules, which says that there is no model."""
    return RuleWriter(NOT_INSTALLED) if model is None else LanguageWriter(model)
