"""What a caller asks to be read, apart from the study, so that options need no numpy."""

from __future__ import annotations

from enum import Enum


class ReadTask(Enum):
    """What to read in arrays, which say nothing of themselves: the caller says it."""

    HIPPOCAMPUS = "hippocampus"
    BRAIN_LESION = "brain-lesion"
    CARDIAC = "cardiac"
