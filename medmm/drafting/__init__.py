"""Drafting: case and reading become a draft of statements that carry their evidence."""

from medmm.drafting.promises import with_promises
from medmm.drafting.record_influence import influence
from medmm.drafting.versions import following
from medmm.drafting.writers.language_model import LanguageModel, LanguageWriter
from medmm.drafting.writers.protocol import Writer
from medmm.drafting.writers.rules import RuleWriter
from medmm.drafting.writers.table import WRITERS, name_of

__all__ = [
    "WRITERS",
    "LanguageModel",
    "LanguageWriter",
    "RuleWriter",
    "Writer",
    "following",
    "influence",
    "name_of",
    "with_promises",
]
