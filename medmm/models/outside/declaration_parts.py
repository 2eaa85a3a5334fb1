"""The parts of `reading-model.yaml`: grid, inputs, outputs and what they mean."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from medmm.domain.vocabulary import finding_terms, measurement_terms

OUTSIDE, BACKGROUND = "outside: ", "background"
FILM_AXES = "rows-columns"
STORED_AXES = ("slices-rows-columns", "slices-columns-rows")
AXIS_CODES = "RLAPSI"
Text = Annotated[str, Field(min_length=1, max_length=4000)]
Name = Annotated[str, Field(min_length=1, max_length=60)]  # a segment label of DICOM has 64
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Part(BaseModel):
    """A part of the declaration: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Licences(Part):
    """The terms of the code and of the weights, which often differ."""

    code: Text = Field(description="terms of the code, in words or by SPDX")
    weights: Text = Field(description="terms of the weights, in words or by SPDX")


class Grid(Part):
    """The grid on which the network looks at an image, its axes in the network's order."""

    orientation: str = Field(
        description="`rows-columns` of a film; of a volume where its axes run to, as three axis "
        "codes by nibabel's convention (`RAS`: to the right, the front and the head), the axis "
        "that slices are stacked along first where the network is 2D; `slices-rows-columns` or "
        "`slices-columns-rows` for slices as they were acquired"
    )
    spacing_mm: tuple[Positive | None, ...] | None = Field(
        description="voxel size in mm along these axes; null, of one or of all, leaves it as it is"
    )
    size: tuple[Annotated[int, Field(gt=0, le=4096)], ...] = Field(
        description="voxels along each axis of the network, without the axis of stacked slices"
    )
    fit: Literal["pad-or-crop", "stretch", "multiple"] = Field(
        description="how an image is brought to `size`: padded with its least value and cropped "
        "about its centre; stretched; or padded until each axis is a multiple of it"
    )

    @field_validator("orientation")
    @classmethod
    def _known_axes(cls, value: str) -> str:
        if value in (FILM_AXES, *STORED_AXES):
            return value
        pairs = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
        if len(value) != 3 or sorted(pairs.get(code, -1) for code in value) != [0, 1, 2]:
            raise ValueError(
                f"{value!r} names no axes: write {FILM_AXES}, {' or '.join(STORED_AXES)}, or three "
                "codes such as RAS, LPS or LIA"
            )
        return value

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        axes = 2 if self.orientation == FILM_AXES else 3
        if len(self.size) not in ((2,) if axes == 2 else (2, 3)):
            raise ValueError(f"size {list(self.size)} does not fit {self.orientation}")
        if self.spacing_mm is not None and len(self.spacing_mm) != axes:
            raise ValueError(f"spacing_mm needs {axes} numbers, one for each axis of orientation")
        if self.orientation in STORED_AXES and len(self.size) == 3:
            raise ValueError("a 3D network needs axis codes such as RAS as its orientation")
        return self

    @property
    def stacked(self) -> bool:
        """Whether a 2D network reads a volume slice by slice."""
        return self.orientation != FILM_AXES and len(self.size) == 2


class MainInput(Part):
    """The input that takes the image."""

    tensor: Name | None = Field(
        default=None, description="its name; may be left out where the network has one input"
    )
    layout: Literal["channels-first", "channels-last"] = Field(
        description="where the axis of channels stands"
    )
    copies: Annotated[int, Field(ge=1, le=4)] = Field(
        default=1, description="how many channels take the same film (3 of a network for colours)"
    )


class Coordinates(Part):
    """Where each voxel of the network's grid lies, a channel for each axis."""

    axes: str = Field(
        description="axis codes such as RAS: a channel each, counted in voxels from the other end"
    )
    origin: tuple[float, ...] = Field(description="the voxel that counts as 0 on each of them")
    divide_by: Positive = Field(description="the number that the distance is divided by")

    @model_validator(mode="after")
    def _known_axes(self) -> Self:
        if not self.axes or set(self.axes) - set(AXIS_CODES) or len(self.origin) != len(self.axes):
            raise ValueError("name axis codes such as RAS, and an origin on each of them")
        return self


class FurtherInput(Part):
    """An input beside the image, on the same grid."""

    tensor: Name = Field(description="its name")
    means: Text = Field(description="what it is")
    constant: tuple[float, ...] | None = Field(
        default=None, description="a number that fills each of its channels"
    )
    coordinates: Coordinates | None = Field(
        default=None, description="in place of a constant: where each voxel lies"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.constant is None) is (self.coordinates is None):
            raise ValueError("give constant or coordinates")
        return self

    @property
    def channels(self) -> int:
        """How many channels it has."""
        return len(self.constant if self.coordinates is None else self.coordinates.axes)  # type: ignore[arg-type]


class Interval(Part):
    """The 95 % interval of a measurement, as it was found on studies with a reference."""

    kind: Literal["absolute", "relative"] = Field(
        description="`half_width` in the unit, or of the natural logarithm"
    )
    half_width: Positive


class Channel(Part):
    """What one channel of the output means."""

    name: Name = Field(
        description="a finding of the vocabulary; a structure of it; `background`; or `outside: ` "
        "and words of your own, which are kept in masks and never stated"
    )
    side: Literal["left", "right"] | None = Field(
        default=None, description="of the patient, where both sides are labels of their own"
    )
    threshold: Share | None = Field(
        default=None, description="operating point of a finding, on the calibrated scale"
    )
    rule_out: Share | None = Field(
        default=None, description="below it the finding is not suspected; without it none is denied"
    )
    slope: float = Field(default=1.0, description="of the calibration of the logit")
    intercept: float = Field(default=0.0, description="of the calibration of the logit")
    quantity: Name | None = Field(
        default=None, description="the quantity of the vocabulary that its volume in ml is"
    )
    interval: Interval | None = Field(default=None, description="of that quantity")

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value.startswith(OUTSIDE) and value[len(OUTSIDE) :].strip():
            return value
        known = [*finding_terms(), *structures(), BACKGROUND]
        if value not in known:
            near = difflib.get_close_matches(value, known, n=3, cutoff=0.6)
            raise ValueError(
                f"{value!r} is neither a finding nor a structure of the vocabulary: write "
                f"{' or '.join([*map(repr, near), repr(OUTSIDE + value)])}"
            )
        return value

    @field_validator("quantity")
    @classmethod
    def _in_ml(cls, value: str | None) -> str | None:
        in_ml = [name for name, term in measurement_terms().items() if term.unit == "ml"]
        if value is not None and value not in in_ml:
            raise ValueError(f"{value!r} is no volume of the vocabulary: {', '.join(in_ml)}")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.quantity is not None and self.interval is None:
            raise ValueError("a quantity needs its interval")
        if (self.threshold is not None) is not self.is_finding:
            raise ValueError(
                "a finding needs a threshold" if self.is_finding else "only a finding has one"
            )
        if self.rule_out is not None and self.rule_out > (self.threshold or 0):
            raise ValueError("rule_out lies above threshold")
        return self

    @property
    def is_finding(self) -> bool:
        """Whether it is a finding of the vocabulary."""
        return self.name in finding_terms()


class Output(Part):
    """The output that is read, channel by channel."""

    tensor: Name | None = Field(
        default=None, description="its name; may be left out where the network has one output"
    )
    classes: Literal["exclusive", "overlapping"] = Field(
        description="whether one class excludes the others (softmax) or not (sigmoid)"
    )
    activated: bool = Field(description="whether that function is part of the network already")
    mask_threshold: Share | None = Field(
        default=None, description="probability from which an overlapping label marks a voxel"
    )
    channels: dict[Annotated[int, Field(ge=0, lt=1024)], Channel] = Field(
        description="what each channel means, from 0; see below"
    )

    @field_validator("channels")
    @classmethod
    def _without_gaps(cls, value: dict[int, Channel]) -> dict[int, Channel]:
        if sorted(value) != list(range(len(value))) or not value:
            raise ValueError("name every channel, from 0 on, in one gapless count")
        named = [(c.name, c.side) for c in value.values() if c.name != BACKGROUND]
        if len(set(named)) < len(named):
            raise ValueError("two channels have one name")
        if len(value) > 255:
            raise ValueError("label maps hold at most 255 labels")
        return dict(sorted(value.items()))


class Calibration(Part):
    """Which studies thresholds, slopes and intervals come from."""

    data_sha256: Sha256 = Field(description="digest of the list of these studies")
    studies: Annotated[int, Field(gt=0)] = Field(description="how many they are")
    about: Text = Field(description="where they come from")


class MeshNetLayers(Part):
    """What the layers of a MeshNet leave open; left out for all other formats."""

    activation: Literal["relu", "elu", "gelu"] | None = Field(
        default=None, description="between its convolutions"
    )
    norm_groups: Annotated[int, Field(ge=0, le=1024)] | None = Field(
        default=None, description="groups of its group norms without parameters; 0 for none"
    )


class Limits(Part):
    """What one reading may cost before it is stopped."""

    seconds: Annotated[int, Field(ge=1, le=7200)] = Field(
        default=600, description="from its start to its last answer; 600 if it is left out"
    )
    memory_gb: Annotated[float, Field(ge=0.25, le=256)] = Field(
        default=8.0, description="beyond its libraries, in 2^30 bytes; 8 if it is left out"
    )


def structures() -> tuple[str, ...]:
    """List the structures of the vocabulary: what its quantities are measured on."""
    sites = (term.site for term in measurement_terms().values())
    return tuple(dict.fromkeys(site.display.lower() for site in sites if site and site.display))
