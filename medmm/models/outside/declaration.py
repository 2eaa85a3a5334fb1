"""The declaration `reading-model.yaml`: what a model of somebody else reads, and how.

What a format leaves open (spacing, axes, meaning of outputs, thresholds) its author says here;
nothing that is not declared is guessed. Loads without torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from medmm.domain import reading_model
from medmm.domain.errors import InputError
from medmm.domain.study import Modality, SequenceRole, View
from medmm.models.outside.declaration_parts import (
    FILM_AXES,
    Calibration,
    FurtherInput,
    Grid,
    Licences,
    Limits,
    MainInput,
    MeshNetLayers,
    Name,
    Output,
    Part,
    Sha256,
    Text,
)
from medmm.models.outside.intensity import IntensityStep

FILE = "reading-model.yaml"
MOST_BYTES = 1 << 20
TODO = "TODO"


class OutsideDeclaration(Part):
    """All that must be known of a reading model before it may read."""

    id: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="its name in readings"
    )
    version: Text = Field(description="as its author counts")
    files: dict[Name, Sha256] = Field(description="name and sha256 of each file of the model")
    licences: Licences
    task: Literal["classification", "segmentation"]
    modality: Literal["DX", "MR"] = Field(description="`DX` for radiographs, or `MR`")
    body_part: Text = Field(description="`CHEST`, `BRAIN`, `HEART`, `HIPPOCAMPUS`")
    views: tuple[View, ...] = Field(
        default=(), description="views of the films that it reads: `PA`, `AP`, `UNKNOWN`"
    )
    sequences: tuple[SequenceRole, ...] = Field(
        default=(), description="MR sequences in the order of its channels, by their roles"
    )
    contrast: Literal["with", "without", "either"] = Field(
        description="whether the images are with contrast agent"
    )
    age_years: tuple[float, float] = Field(description="youngest and oldest that it was made for")
    sex: Literal["any", "female", "male"]
    grid: Grid
    intensity: tuple[IntensityStep, ...] = Field(description="steps in their order; see below")
    value_range: tuple[float, float] | None = Field(
        description="least and greatest value that the network expects; null if it expects none"
    )
    input: MainInput
    further_inputs: tuple[FurtherInput, ...] = ()
    output: Output
    laterality: Literal["by-affine", "none", "separate-labels"] = Field(
        description="how left and right are told: by where a label lies in the patient, not at "
        "all, or by labels of their own"
    )
    calibration: Calibration | None = Field(
        default=None, description="needed where a threshold or an interval is stated"
    )
    intended_use: Text
    not_for: Text = Field(description="what it must not be used for")
    device_uid: str | None = Field(
        default=None, pattern=r"^[0-9.]{1,64}$", description="DICOM Device UID (0018,1002)"
    )
    meshnet: MeshNetLayers | None = None
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _nothing_to_do(cls, value: Any) -> Any:
        open_items = sorted(_todos(value))
        if open_items:
            raise ValueError(f"still {TODO}: {', '.join(open_items)}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for problem in self._problems():
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        film = self.modality == Modality.RADIOGRAPH.value
        if film is not bool(self.views) or film is bool(self.sequences):
            yield "a film needs views and no sequences, an MR sequences and no views"
        if View.LATERAL in self.views:
            yield "lateral films are not read"
        if film is not (self.grid.orientation == FILM_AXES):
            yield f"grid.orientation {self.grid.orientation} does not fit modality {self.modality}"
        if self.contrast == "without" and SequenceRole.T1_CONTRAST in self.sequences:
            yield "contrast is without, and a sequence is after contrast agent"
        if self.task == "classification" and self.grid.stacked:
            yield "a classifier of single slices has no rule how slices are joined"
        if film and self.task == "segmentation":
            yield "films are classified; masks of films are not taken"
        if self.age_years[0] > self.age_years[1] or not all(map(math.isfinite, self.age_years)):
            yield "age_years is not from youngest to oldest"
        if self.value_range is not None and self.value_range[0] >= self.value_range[1]:
            yield "value_range is not from least to greatest"
        yield from self._output_problems()

    def _output_problems(self) -> Iterator[str]:
        channels = self.output.channels.values()
        rests = [c for c in channels if c.threshold is not None or c.interval is not None]
        if rests and self.calibration is None:
            yield "thresholds and intervals need calibration, which says where they come from"
        masks = self.task == "segmentation"
        if not masks and any(c.quantity or c.side for c in channels):
            yield "a quantity or a side needs a segmentation"
        overlapping = masks and self.output.classes == "overlapping"
        if overlapping is not (self.output.mask_threshold is not None):
            yield "output.mask_threshold belongs to overlapping masks, and must stand there"
        if not masks and self.output.classes == "exclusive" and any(c.is_finding for c in channels):
            yield "findings are calibrated one by one: classes must be overlapping"
        sided = any(c.side for c in channels)
        if sided is not (self.laterality == "separate-labels"):
            yield "a side of a channel belongs to laterality separate-labels, and must stand there"

    @property
    def declares(self) -> reading_model.Declaration:
        """What it reads, and the most that it states of it."""
        channels = self.output.channels.values()
        return reading_model.Declaration(
            modality=Modality(self.modality),
            body_parts=(self.body_part,),
            findings=tuple(c.name for c in channels if c.is_finding),
            quantities=tuple(dict.fromkeys(c.quantity for c in channels if c.quantity)),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the channels, in their order, each with its side."""
        channels = self.output.channels.values()
        return tuple(f"{c.side} {c.name}" if c.side else c.name for c in channels)


def _todos(value: Any, place: str = "") -> Iterator[str]:
    """Yield the places of a tree of YAML that still say TODO."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            inner = f"{place}.{key}" if place else str(key)
            yield from [inner] if str(key) == TODO else _todos(item, inner)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _todos(item, f"{place}.{number}")
    elif isinstance(value, str) and re.search(rf"\b{TODO}\b", value):
        yield place


class _NoDuplicates(yaml.SafeLoader):
    """Plain YAML in which a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = {str(key) for key in keys if keys.count(key) > 1}
        if doubled:
            raise yaml.constructor.ConstructorError(
                problem=f"{', '.join(sorted(doubled))} stands twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


def written_in(folder: Path) -> dict[str, Any]:
    """Read the tree of a folder's `reading-model.yaml`, unchecked.

    Raises: InputError if it is not there, no YAML, or no mapping.
    """
    path = folder / FILE
    try:
        if path.is_symlink() or path.stat().st_size > MOST_BYTES:
            raise _unfit("it is a link, or larger than any declaration")
        text = path.read_text(encoding="utf-8")
        if "&" in text and re.search(r"(^|\s)[&*][\w-]+", text):
            raise _unfit("anchors and aliases are not taken")
        loader = _NoDuplicates(text)  # a safe loader
        try:
            tree = loader.get_single_data()
        finally:
            loader.dispose()
    except FileNotFoundError as error:
        raise InputError(
            "the folder does not declare what its model reads",
            remedy="see `medmm models check FOLDER`, and write what it asks for",
            file=FILE,
        ) from error
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())[:200]
        raise _unfit(f"it can't be read ({type(error).__name__}: {why})") from error
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise _unfit("it is no mapping of names")
    return tree


def read_declaration(folder: Path) -> OutsideDeclaration:
    """Read and check the `reading-model.yaml` of a folder.

    Raises: InputError that names every fault with its place.
    """
    tree = written_in(folder)
    try:
        return OutsideDeclaration.model_validate(tree)
    except ValidationError as error:
        faults = "; ".join(
            f"{place}: {what}" if place else what for place, what in faults_of(error)
        )
        raise _unfit(faults) from error


def faults_of(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield place and words of each fault, without the values that were given."""
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(step) for step in fault["loc"] if not _is_tag(step))
        yield place, fault["msg"].removeprefix("Value error, ")


def _is_tag(step: int | str) -> bool:
    return isinstance(step, str) and (step.startswith("tuple[") or step in ("float", "constrained"))


def _unfit(why: str) -> InputError:
    return InputError(
        f"the declaration can't be taken: {why}",
        remedy="correct it; `medmm models check FOLDER` shows what it must say",
        file=FILE,
    )
