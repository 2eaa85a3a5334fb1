"""What the files of a model say of it by themselves, whatever its author declares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from medmm.domain.errors import InputError
from medmm.domain.model_check import CheckedItem, ItemState
from medmm.models.outside.declaration import OutsideDeclaration
from medmm.models.outside.declaration_parts import OUTSIDE

Fault = tuple[str, str]  # the item that it contradicts, and words


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """An input or output; a size of None is not fixed."""

    name: str
    shape: tuple[int | None, ...]

    @property
    def words(self) -> str:
        """Name and shape."""
        return f"{self.name} ({' x '.join('any' if n is None else str(n) for n in self.shape)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What could be read from the files.

    Attributes:
        format: in words.
        files: those that the declaration must list with their digests.
        inputs: empty where the format names none.
        channels: how many the output has; None if nothing says it.
        labels: names of the channels that the format states; empty if it states none.
        any_size: whether the network takes images of any size, so that it is tried on a small one.
        refusal: why the model can't be taken, though it could be read; "" if nothing is against
            it. `remedy` is what helps.
        known: what a skeleton of the declaration takes from it, by the item's place.
        items: all this for a person to read.
        recipe: what the worker needs to open it, by names of files in the adopted folder.
        tensors: its parameters, where they had to be read.
    """

    format: str
    files: tuple[str, ...]
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    channels: int | None = None
    labels: tuple[str, ...] = ()
    any_size: bool = False
    refusal: str = ""
    remedy: str = ""
    known: Mapping[str, Any] = field(default_factory=dict)
    items: tuple[CheckedItem, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def image_input(self, declared: OutsideDeclaration) -> str:
        """Name the input that takes the image."""
        further = {one.tensor for one in declared.further_inputs}
        rest = [one.name for one in self.inputs if one.name not in further]
        return declared.input.tensor or (rest[0] if rest else "image")


class ModelFormat(Protocol):
    """A format of models of others."""

    def recognises(self, folder: Path) -> bool:
        """Say by content whether a folder is of this format."""
        ...

    def examine(self, folder: Path) -> Examined:
        """Read what the files say. Raises: InputError for what can't be taken, with the reason."""
        ...

    def against(self, examined: Examined, declared: OutsideDeclaration) -> Iterator[Fault]:
        """Yield what of a declaration the files contradict, or lack of it."""
        ...

    def take(
        self, folder: Path, incoming: Path, examined: Examined, declared: OutsideDeclaration
    ) -> Mapping[str, Any]:
        """Write into `incoming` what the worker needs; no pickle and no code.

        Returns: the recipe that the worker opens.
        Raises: InputError if the parameters can't be read.
        """
        ...


def read_item(item: str, words: str) -> CheckedItem:
    """Make a line of what was read."""
    return CheckedItem(item=item, state=ItemState.READ, words=words)


def channel_faults(examined: Examined, declared: OutsideDeclaration) -> Iterator[Fault]:
    """Yield contradictions between channels of the output and those that are named.

    A name that the files give to another channel is one: two labels are mixed up.
    """
    named = len(declared.output.channels)
    if examined.channels is not None and examined.channels != named:
        yield "output.channels", f"{named} are named, the network has {examined.channels}"
        return
    stated = [_plain(label) for label in examined.labels]
    for number, label in enumerate(declared.labels):
        plain = _plain(label.removeprefix(OUTSIDE))
        if plain in stated and stated[number] != plain:
            place, there = f"output.channels.{number}", stated.index(plain)
            yield place, f"it is named {label!r}, which the files call channel {there}"


def _plain(label: str) -> str:
    return " ".join(re.split(r"[\s_-]+", label.casefold())).strip()


def refused(why: str, remedy: str, **where: str) -> InputError:
    """Make the error of a model that can't be taken."""
    return InputError(f"the model can't be taken: {why}", remedy=remedy, **where)
