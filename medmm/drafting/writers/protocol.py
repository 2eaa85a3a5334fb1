"""A writer turns what was read and what is recorded into a draft."""

from __future__ import annotations

from typing import Protocol

from medmm.domain.draft import Case, Draft
from medmm.domain.reading import Reading


class Writer(Protocol):
    """Writes drafts: every statement with its evidence, one finding a statement."""

    @property
    def name(self) -> str:
        """The name that stands in the draft and in the report."""
        ...

    def write(self, case: Case, reading: Reading) -> Draft:
        """Draft a case.

        Raises: InputError if the reading is of another study or carries a finding without model or
            term.
        """
        ...
