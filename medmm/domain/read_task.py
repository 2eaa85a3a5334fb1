"""What a caller asks to be read. Apart from the study, so that an option can name it without numpy."""

from __future__ import annotations

from enum import Enum


class ReadTask(Enum):
    """What is to be read in arrays that say nothing of themselves: the caller says what they show."""

    HIPPOCAMPUS = "hippocampus"
    BRAIN_LESION = "brain-lesion"
    CARDIAC = "cardiac"
