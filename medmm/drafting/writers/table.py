"""The writers that settings may name: one row each, and what each needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from medmm.domain.errors import MedmmError
from medmm.drafting.writers.language_model import NOT_INSTALLED, LanguageModel, LanguageWriter
from medmm.drafting.writers.protocol import Writer
from medmm.drafting.writers.rules import RuleWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterRow:
    """A writer that settings may name.

    Attributes:
        asks_model: whether the language model is opened for it.
        make: makes it of that model; None stands for one that is not installed, or not asked for.
    """

    asks_model: bool
    make: Callable[[LanguageModel | None], Writer]


def _by_rules(model: LanguageModel | None) -> Writer:
    return RuleWriter()


def _in_words_of(model: LanguageModel | None) -> Writer:
    """Make the writer in a language model's words; without one the rules write, and say so.

    MR is written by rules whatever is chosen, and the draft says so: see `LanguageWriter.write`.
    """
    return RuleWriter(NOT_INSTALLED) if model is None else LanguageWriter(model)


# By the names that `writer` of the settings takes.
WRITERS: Mapping[str, WriterRow] = {
    "language-model": WriterRow(asks_model=True, make=_in_words_of),
    "rules": WriterRow(asks_model=False, make=_by_rules),
}


def name_of(make: Callable[[], Writer]) -> tuple[str, str]:
    """Name the writer that is made, or the one by rules and why the other is not."""
    try:
        return make().name, ""
    except MedmmError as error:
        return RuleWriter().name, str(error)
