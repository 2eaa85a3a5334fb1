"""What was found in a folder that may hold a reading model of somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ItemState(Enum):
    """Where what is known of an item comes from, or why it is not known."""

    READ = "read"
    DECLARED = "declared"
    MISSING = "missing"
    CONTRADICTS = "contradicts"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedItem:
    """One item of what must be known of a model before it may read.

    Attributes:
        item: its place in `reading-model.yaml`, such as "grid.orientation", or the file.
        words: what was found, or what must be done.
    """

    item: str
    state: ItemState
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheck:
    """What a folder says of its model, and what its author still has to say.

    Attributes:
        format: the format that its content shows; "" if none was recognised.
        refused: why the model can't be taken, whatever is declared; "" if nothing is against it.
        remedy: what helps against that.
        skeleton: a `reading-model.yaml` with what could be read, and TODO for the rest; "" if one
            is there. It is for its author to fill, and is never taken as it stands.
    """

    folder: str
    format: str
    items: tuple[CheckedItem, ...] = ()
    refused: str = ""
    remedy: str = ""
    skeleton: str = ""

    @property
    def ready(self) -> bool:
        """Whether the folder can be added as it is."""
        open_items = (ItemState.MISSING, ItemState.CONTRADICTS)
        return not self.refused and not any(one.state in open_items for one in self.items)
