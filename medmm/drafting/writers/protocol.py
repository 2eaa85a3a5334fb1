"""A writer turns what was read and what is recorded into a draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from medmm.domain.draft import Case, Draft
from medmm.domain.reading import Reading

Growing = Callable[[Draft], None]


def unseen(draft: Draft) -> None:
    """Heed no draft that is still being written."""


class Writer(Protocol):
    """Writes drafts: every statement with its evidence, one finding a statement."""

    @property
    def name(self) -> str:
        """The name that stands in the draft and in the report."""
        ...

    def write(self, case: Case, reading: Reading, growing: Growing = unseen) -> Draft:
        """Draft a case.

        Args:
            growing: told of the draft as it would be if no more came, whenever a sentence has come;
                never by a writer that has all of it at once.

        Raises: InputError if the reading is of another study or carries a finding without model or
            term.
        """
        ...
