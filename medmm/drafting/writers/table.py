"""The writers that settings may name: one row each, and what each needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from medmm.domain.errors import MedmmError
from medmm.drafting.writers.language_model import NOT_INSTALLED, LanguageModel, LanguageWriter
from medmm.drafting.writers.outside import NOT_READY, OutsideWriter, ProposingModel
from medmm.drafting.writers.protocol import Writer
from medmm.drafting.writers.rules import RuleWriter


class Asks(Enum):
    """What a writer asks for: nothing, the language model in use, or a model from outside."""

    NOTHING = "nothing"
    LANGUAGE_MODEL = "language model"
    FOLDER = "folder"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speakers:
    """What writers are made of; None of what is not there, or not asked for.

    Attributes:
        names: the patient's, of which nothing that an outside model is given holds a word.
    """

    language_model: LanguageModel | None = None
    outside: ProposingModel | None = None
    names: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterRow:
    """A writer that settings may name.

    Attributes:
        asks: what is opened for it.
        make: makes it of that.
    """

    asks: Asks
    make: Callable[[Speakers], Writer]


def _by_rules(speakers: Speakers) -> Writer:
    return RuleWriter()


def _in_words_of(speakers: Speakers) -> Writer:
    """Make the writer in a language model's words; without one the rules write, and say so.

    MR is written by rules whatever is chosen, and the draft says so: see `LanguageWriter.write`.
    """
    model = speakers.language_model
    return RuleWriter(NOT_INSTALLED) if model is None else LanguageWriter(model)


def _outside(speakers: Speakers) -> Writer:
    """Make the writer in an outside model's words; without one the rules write, and say so."""
    model = speakers.outside
    return RuleWriter(NOT_READY) if model is None else OutsideWriter(model, speakers.names)


# By the names that `writer` of the settings takes.
WRITERS: Mapping[str, WriterRow] = {
    "language-model": WriterRow(asks=Asks.LANGUAGE_MODEL, make=_in_words_of),
    "rules": WriterRow(asks=Asks.NOTHING, make=_by_rules),
    "hugging-face": WriterRow(asks=Asks.FOLDER, make=_outside),
    "openai-compatible": WriterRow(asks=Asks.SERVER, make=_outside),
}


def name_of(make: Callable[[], Writer]) -> tuple[str, str]:
    """Name the writer that is made, or the one by rules and why the other is not."""
    try:
        return make().name, ""
    except MedmmError as error:
        return RuleWriter().name, str(error)
