"""A draft as it was kept: its version, the one that it follows, its author, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medmm.domain.draft import CheckedDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftVersion:
    """One version of the draft of a case.

    Attributes:
        version: its number in the case, from 1.
        parent: the version in whose place it came; None of the first, and of the one that an
            earlier release kept.
        author: who made it: a writer by its name, or a reader by id.
        created_at: when it was kept; None if nothing tells.
        checked: the draft with its verdicts.
    """

    case_id: str
    version: int
    parent: int | None
    author: str
    created_at: datetime | None
    checked: CheckedDraft
