"""Recipes of configs/train as typed models; a key that no recipe has is an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from medmm.domain.errors import ConfigError, InputError
from medmm.domain.vocabulary import finding_term
from medmm.training.data.layouts import LAYOUTS, Layout, read_layout
from medmm.training.loop.options import LoopOptions

SHARED: Literal["shared"] = "shared"
Share = Annotated[float, Field(ge=0, le=1)]
STAGES = ("language", "alignment", "end_to_end")  # of chest-report, in the order in which they run


def _known_finding(name: str) -> str:
    try:
        return finding_term(name).name
    except InputError as error:
        raise ValueError(error.problem) from None


def _known_layout(name: str) -> str:
    if name not in LAYOUTS:
        raise ValueError(f"no layout {name!r}; there are {', '.join(LAYOUTS)}")
    return name


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Findings = Annotated[list[Annotated[str, AfterValidator(_known_finding)]], Field(min_length=1)]


class RecipePart(BaseModel):
    """What all parts of recipes have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LayoutFolder(RecipePart):
    """A folder in the layout of a public set; see docs/training-data.md."""

    layout: Annotated[str, AfterValidator(_known_layout)]
    folder: Path
    uncertain: Literal["ignore", "positive", "negative"] = "ignore"
    partial: bool = False

    def read(self) -> Layout:
        """Read its films.

        Raises: InputError as `read_layout`.
        """
        return read_layout(
            self.layout, self.folder.expanduser(), uncertain=self.uncertain, partial=self.partial
        )


class Augmentation(RecipePart):
    """How far views of a film are turned, cut and toned; see `random_views`."""

    rotation_degrees: float
    log_zoom: float
    shift: float
    log_gamma: float
    log_contrast: float
    brightness: float


class Run(RecipePart):
    """One run of the fine tuning."""

    seed: NonNegativeInt
    epochs: PositiveInt


class ChestFindingsRecipe(RecipePart):
    """See configs/train/chest_findings.yaml."""

    task: Literal["chest-findings"]
    findings: Findings
    init: str
    size_px: PositiveInt
    stored_px: PositiveInt
    batch: PositiveInt
    penalty: Annotated[list[PositiveFloat], Field(min_length=1)]
    learning_rate: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0)]
    average: Share
    runs: Annotated[list[Run], Field(min_length=1)]
    augmentation: Augmentation
    layouts: list[LayoutFolder] = []
    kept: Literal["memory", "disk"] = "memory"


class StrongViews(RecipePart):
    """How far strong views go; see `strong_views`."""

    rotation_degrees: float
    log_zoom: float
    log_aspect: float
    shear: float
    shift: float
    bend: float
    heart_width: float
    log_gamma: float
    log_contrast: float
    uneven: float
    opacities: Share
    white_bases: Share
    devices: Share
    noise: float
    border: Share


class StrongSteps(RecipePart):
    """Steps on strong views; see `widened`."""

    seed: NonNegativeInt
    steps: PositiveInt
    batch: Annotated[int, Field(ge=2)]
    rise_steps: PositiveInt
    learning_rate: PositiveFloat
    average: Share
    share: Share


class OwnOutlines(StrongSteps):
    """How outlines are learned from films that nobody outlined; see `own_outlines`."""

    most_edge_spread: PositiveFloat
    share_of_step: Share


class WiderOutlines(StrongSteps):
    """How outlines are learned wider; `size_px` is the size of live use."""

    size_px: PositiveInt
    views_px: PositiveInt
    strong_views: StrongViews
    own: OwnOutlines


class ChestAnatomyRecipe(RecipePart):
    """See configs/train/chest_anatomy.yaml."""

    task: Literal["chest-anatomy"]
    channels: list[PositiveInt]
    residual_units: NonNegativeInt
    size_px: PositiveInt
    stored_px: PositiveInt
    seed: NonNegativeInt
    epochs: PositiveInt
    batch: PositiveInt
    learning_rate: PositiveFloat
    average: Share
    augmentation: Augmentation
    wider: WiderOutlines


class FilmKindRecipe(RecipePart):
    """See configs/train/film_kind.yaml."""

    task: Literal["film-kind"]
    init: str
    size_px: PositiveInt
    stored_px: PositiveInt
    batch: PositiveInt
    draws: PositiveInt
    epochs: PositiveInt
    seed: NonNegativeInt
    learning_rate: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0)]
    average: Share
    shares: dict[str, Share]
    made_of_films: Share
    frontal_refused: Share
    frontal_held: Share
    augmentation: Augmentation


class Facts(RecipePart):
    """How often facts of an example are dropped, and how many are drawn; see `drawn_record`."""

    drop: Share
    most_random: NonNegativeInt


class ChestReportRecipe(RecipePart):
    """See configs/train/chest_report.yaml and chest_report_mimic.yaml.

    With `decoder` the language model of a folder learns on, with `start` the whole model of a
    weights folder: what it is made of (`LANGUAGE`, `PARTS`) is that folder's. Stages run in the
    order of `STAGES`, whatever their order in the file. With `encoder_recipe` the film encoder is
    trained first, by a recipe of chest-findings; else it is that of the installed chest-findings. A
    stage's options are those of `LoopOptions`, and `kept_maps`.
    """

    PARTS: ClassVar = ("penalty", "connector", "connector_size")
    LANGUAGE: ClassVar = ("vocabulary", "language_model")

    task: Literal["chest-report"]
    findings: Findings
    facts: Facts
    most_invented: PositiveFloat
    stages: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    reports: Annotated[
        list[Literal["shared"] | LayoutFolder], BeforeValidator(_listed), Field(min_length=1)
    ] = [SHARED]
    start: Path | None = None
    decoder: Path | None = None
    encoder_recipe: Path | None = None
    lora: dict[str, Any] | None = None
    kept: Literal["memory", "disk"] = "memory"
    device: Literal["cpu", "cuda"] = "cpu"
    penalty: PositiveFloat | None = None
    connector: Literal["pooled", "perceiver"] | None = None
    connector_size: PositiveInt | None = None
    vocabulary: PositiveInt | None = None
    language_model: dict[str, Any] | None = None

    @field_validator("stages")
    @classmethod
    def _in_order(cls, stages: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if unknown := sorted(stages.keys() - set(STAGES)):
            raise ValueError(
                f"no stage {', '.join(unknown)}; they run in the order {', '.join(STAGES)}"
            )
        return {name: stages[name] for name in STAGES if name in stages}

    @model_validator(mode="after")
    def _fitting(self) -> ChestReportRecipe:
        begun = self.start is not None or self.decoder is not None
        if self.start is not None and self.decoder is not None:
            raise ValueError("start and decoder: give one of them")
        if self.start is not None and self.encoder_recipe is not None:
            raise ValueError("encoder_recipe: the folder of `start` brings its encoder")
        needed = (
            () if self.start is not None else self.PARTS if begun else (*self.PARTS, *self.LANGUAGE)
        )
        given = [name for name in (*self.PARTS, *self.LANGUAGE) if getattr(self, name) is not None]
        if more := [name for name in given if name not in needed]:
            raise ValueError(
                f"{', '.join(more)}: the folder of `{'start' if self.start else 'decoder'}` decides"
            )
        if missing := [name for name in needed if name not in given]:
            raise ValueError(f"{', '.join(missing)}: a value is missing")
        if self.lora is not None and not begun:
            raise ValueError(
                "lora: adapters need a language model that learned before; name it in start or "
                "decoder"
            )
        for name, stage in self.stages.items():
            if not isinstance(stage.get("kept_maps"), bool):
                raise ValueError(f"stages.{name}: say kept_maps: true or false")
            if stage["kept_maps"] and any(
                p.startswith("encoders") for p in self.options(name).trained
            ):
                raise ValueError(f"stages.{name}: an encoder cannot learn from its kept maps")
        return self

    def options(self, stage: str) -> LoopOptions:
        """Return the options of a stage.

        The recipe's adapters are those of every stage that names none itself.
        """
        options = {key: value for key, value in self.stages[stage].items() if key != "kept_maps"}
        if self.lora is not None:
            options = {"lora": self.lora, **options}
        return LoopOptions.from_mapping(options)


Three = Annotated[list[int], Field(min_length=3, max_length=3)]
ThreeFloats = Annotated[list[float], Field(min_length=3, max_length=3)]


class VolumeAugmentation(RecipePart):
    """How far views of a volume are cut, turned and toned; axes are slices, rows, columns.

    See `mr.objective.views`.
    """

    outlined_share: Share
    rotation_degrees_zyx: ThreeFloats
    scale_zyx: ThreeFloats
    shift_zyx: ThreeFloats
    mirrored_axes: list[Literal[0, 1, 2]]
    contrast: float
    brightness: float
    gamma: Annotated[list[PositiveFloat], Field(min_length=2, max_length=2)]
    noise: float
    blur: PositiveFloat
    missing_share: Share


class VolumeRecipe(RecipePart):
    """See configs/train/brain_lesion.yaml, hippocampus.yaml and cardiac.yaml.

    `precision` is as in `LoopOptions`.
    """

    task: Literal["brain-lesion", "hippocampus", "cardiac"]
    sequences: Annotated[list[str], Field(min_length=1)]
    labels: Annotated[list[str], Field(min_length=1)]
    spacing_zyx_mm: Annotated[list[PositiveFloat | None], Field(min_length=3, max_length=3)]
    side_px: PositiveInt | None
    patch_zyx: Three
    window_zyx: Three
    channels: Annotated[list[PositiveInt], Field(min_length=2)]
    kernels: list[Three]
    strides: list[Three]
    norm: Literal["batch", "instance"]
    presence: bool
    presence_weight: Annotated[float, Field(ge=0)]
    flips: list[Literal[0, 1, 2]]
    seed: NonNegativeInt
    cycles: Annotated[list[PositiveInt], Field(min_length=1)]
    patches: PositiveInt
    batch: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0)]
    average: Annotated[float, Field(ge=0, lt=1)]
    look_every: PositiveInt
    augmentation: VolumeAugmentation
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    @model_validator(mode="after")
    def _fitting(self) -> VolumeRecipe:
        if not len(self.channels) == len(self.kernels) == len(self.strides):
            raise ValueError("channels, kernels and strides: give one of each for every level")
        if any(step != 1 for step in self.strides[0]):
            raise ValueError("strides: the first level keeps the grid, give it [1, 1, 1]")
        for name in ("patch_zyx", "window_zyx"):
            for side, *steps in zip(getattr(self, name), *self.strides, strict=True):
                if side < 1 or side % math.prod(steps):
                    raise ValueError(
                        f"{name}: each side must be a multiple of the product of its strides"
                    )
        if self.task == "brain-lesion" and not (self.presence and "FLAIR" in self.sequences):
            raise ValueError(
                "presence and sequences: brain-lesion needs its head for presence, and FLAIR"
            )
        if self.presence and any(stride[0] != 1 for stride in self.strides):
            raise ValueError("presence: a stride along the slices leaves no slice to speak of")
        if self.augmentation.missing_share and "FLAIR" not in self.sequences:
            raise ValueError(
                "augmentation.missing_share: only FLAIR can stand for a missing sequence"
            )
        return self

    def options(self, cycle: int) -> LoopOptions:
        """Return the options of a cycle, from 0: each draws by a seed of its own."""
        return LoopOptions(
            epochs=self.cycles[cycle],
            batch=self.batch,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup_steps=50,
            clip_norm=12.0,
            seed=self.seed + cycle,
            precision=self.precision,
            average=self.average,
            validate_every=self.look_every,
        )


Recipe = (
    ChestFindingsRecipe | ChestAnatomyRecipe | FilmKindRecipe | ChestReportRecipe | VolumeRecipe
)
R = TypeVar("R", ChestFindingsRecipe, ChestReportRecipe, VolumeRecipe)
RECIPES: Mapping[str, type[Recipe]] = {
    "chest-findings": ChestFindingsRecipe,
    "chest-anatomy": ChestAnatomyRecipe,
    "film-kind": FilmKindRecipe,
    "chest-report": ChestReportRecipe,
    "hippocampus": VolumeRecipe,
    "brain-lesion": VolumeRecipe,
    "cardiac": VolumeRecipe,
}


def recipe_of(config: Any, **where: str) -> Recipe:
    """Parse the recipe of a YAML file's content.

    Raises: ConfigError naming the key that is unknown, missing or wrong.
    """
    task = config.get("task") if isinstance(config, Mapping) else None
    if not isinstance(task, str) or task not in RECIPES:
        raise ConfigError(
            f"unknown task {task!r}", remedy=f"use one of {', '.join(RECIPES)}", **where
        )
    try:
        return RECIPES[task].model_validate(config)
    except ValidationError as error:
        raise ConfigError(
            f"the recipe is wrong: {_said(error.errors())}", remedy="correct it", **where
        ) from error


def recipe_as(kind: type[R], config: Any) -> R:
    """Parse a recipe of one kind.

    Raises: ConfigError as `recipe_of`, and if it is of another kind.
    """
    recipe = recipe_of(config)
    if not isinstance(recipe, kind):
        raise ConfigError(
            f"this is a recipe of {recipe.task}", remedy="train it with the program of its task"
        )
    return recipe


def _said(errors: Sequence[Any]) -> str:
    """Say the first three errors, each with its place."""
    said = []
    for error in errors[:3]:
        place = ".".join(str(part) for part in error["loc"])
        said.append(
            f"{place}: {error['msg']}" if place else error["msg"].removeprefix("Value error, ")
        )
    return "; ".join(said)
