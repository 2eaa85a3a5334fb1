"""What every page gets: the assistant, and who reads."""

from __future__ import annotations

from dataclasses import dataclass

from medmm.assistant import Assistant
from medmm.domain.report import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A reader's place in the reading room."""

    assistant: Assistant
    reader: Reader
