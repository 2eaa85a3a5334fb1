"""Transforms of MONAI bundles, read as data: which of medmm's own steps they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Transform = Mapping[str, Any]
# They load, type or order axes of channels: medmm hands in an array with its channels first
FORM = frozenset(
    {"LoadImaged", "EnsureChannelFirstd", "AddChanneld", "EnsureTyped", "ToTensord", "SqueezeDimd"}
)
# They turn the output into a file: medmm maps it back and keeps it itself
WRITING = frozenset({"Invertd", "SaveImaged", "ToTensord", "EnsureTyped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a network is shown, by the places of the declaration; `against` is not known."""

    known: Mapping[str, Any] = field(default_factory=dict)
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedOutput:
    """What is made of the output: `classes`, None if it is not said; `notes` are left out."""

    classes: str | None
    notes: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


def shown_by(transforms: Sequence[Transform]) -> Shown:
    """Read the transforms before a network."""
    known: dict[str, Any] = {}
    against: list[str] = []
    steps: list[dict[str, Any]] = []
    for one in transforms:
        name = _name(one)
        if name in FORM:
            continue
        try:
            found = _place_of(name, one)
            if found is None:
                steps.append(_intensity_of(name, one))
            else:
                known |= found
        except (KeyError, TypeError, ValueError):
            against.append(f"its preprocessing step {name!r} is not known, or not as it stands")
    if steps:
        known["intensity"] = steps
    return Shown(known=known, against=tuple(against))


def _place_of(name: str, one: Transform) -> dict[str, Any] | None:
    """Return what a transform of the grid says; None if it is another one."""
    if name == "Orientationd":
        return {"grid.orientation": str(one["axcodes"])}
    if name == "Spacingd":
        return {"grid.spacing_mm": [float(mm) for mm in one["pixdim"]]}
    if name == "Resized":
        return {"grid.size": [int(n) for n in one["spatial_size"]], "grid.fit": "stretch"}
    return None


def _intensity_of(name: str, one: Transform) -> dict[str, Any]:
    """Return the step of intensities that a transform is. Raises: ValueError for another one."""
    unit = (one.get("minv", 0.0), one.get("maxv", 1.0)) == (0.0, 1.0)
    scaled = (one.get("b_min"), one.get("b_max")) == (0.0, 1.0) and bool(one.get("clip"))
    if name == "NormalizeIntensityd" and "subtrahend" not in one and "divisor" not in one:
        if not _true(one.get("channel_wise")):
            raise ValueError("one scale for all channels")
        return {"rule": "z-score", "nonzero": _true(one.get("nonzero"))}
    if name == "ScaleIntensityd" and unit and not one.get("factor"):
        return {"rule": "min-max"}
    if name == "ScaleIntensityRanged" and scaled:
        return {"rule": "window", "low": float(one["a_min"]), "high": float(one["a_max"])}
    if name == "ScaleIntensityRangePercentilesd" and scaled and not one.get("relative"):
        return {"rule": "percentile", "low": float(one["lower"]), "high": float(one["upper"])}
    raise ValueError(name)


def stated_of_output(transforms: Sequence[Transform]) -> StatedOutput:
    """Read the transforms after a network.

    A function that joins channels for the file that is saved, after they were made discrete, is
    left out and said: medmm keeps each channel by itself.
    """
    classes: str | None = None
    notes: list[str] = []
    against: list[str] = []
    discrete = False
    for one in transforms:
        name = _name(one)
        if name == "Activationsd" and _true(one.get("softmax")) is not _true(one.get("sigmoid")):
            classes = "exclusive" if _true(one.get("softmax")) else "overlapping"
        elif name == "AsDiscreted":
            discrete = True
            classes = "exclusive" if _true(one.get("argmax")) else classes
        elif name == "Lambdad" and discrete:
            notes.append("Lambdad joins channels for a file, and is left out")
        elif name not in WRITING:
            against.append(f"its postprocessing step {name!r} is not known")
    return StatedOutput(classes=classes, notes=tuple(notes), against=tuple(against))


def _name(one: Transform) -> str:
    return str(one.get("_target_", "")).removeprefix("monai.transforms.")


def _true(value: Any) -> bool:
    return value is True or value == "True"
