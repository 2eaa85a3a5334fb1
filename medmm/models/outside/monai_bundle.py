"""MONAI bundles, read as data: nothing is evaluated, and no script of a bundle runs.

A network of MONAI with plain arguments, known transforms and a known inferer become a recipe; a
step that is none of them keeps the bundle out by its name. Source: MONAI bundle specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medmm.domain.model_check import CheckedItem, ItemState
from medmm.models.outside.bundle_transforms import Shown, shown_by, stated_of_output
from medmm.models.outside.declaration import OutsideDeclaration
from medmm.models.outside.examined import (
    Examined,
    Fault,
    TensorSpec,
    channel_faults,
    read_item,
    refused,
)
from medmm.models.outside.parameters import keep, tensors_of
from medmm.models.weights.model_folder import json_mapping

METADATA, INFERENCE, WEIGHTS = "metadata.json", "inference.json", "model.pt"
PLACES = {METADATA: "configs", INFERENCE: "configs", WEIGHTS: "models"}
# Classes of monai.networks.nets that build from plain numbers, strings and lists
NETWORKS = frozenset(
    {
        "AttentionUnet", "BasicUNet", "BasicUNetPlusPlus", "DenseNet121", "DenseNet169",
        "DenseNet201", "DenseNet264", "DynUNet", "HighResNet", "SEResNet50", "SegResNet",
        "SegResNetVAE", "SwinUNETR", "UNETR", "UNet", "VNet", "ViT",
    }
)  # fmt: skip
# Steps that read and write files, or run the engine: medmm hands in arrays and takes them back
OWN_STEPS = re.compile(
    r"imports?|bundle_root|(output|dataset|model|ckpt|image|data_list|test_data|val_data)\w*|"
    r"datalist|dataloader|device|amp|network|network_def|preprocessing|inferer|postprocessing|"
    r"handlers|evaluator|checkpointloader|initialize|run|evaluating|inferring|separate_folder|load_pretrain"
)
EVALUATOR = frozenset(
    {
        "_target_", "device", "val_data_loader", "network", "inferer", "postprocessing",
        "val_handlers", "amp",
    }
)  # fmt: skip
NETWORK_EXPRESSIONS = ("@network_def", "$@network_def.to(@device)")
HANDLERS = frozenset({"CheckpointLoader", "StatsHandler", "ClassificationSaver"})
ROLES = {  # names of channels that bundles use, for the role that a declaration gives
    "t1c": "T1 post-contrast", "t1ce": "T1 post-contrast", "t1gd": "T1 post-contrast",
    "t1": "T1", "t2": "T2", "flair": "FLAIR", "adc": "ADC", "dwi": "DWI",
}  # fmt: skip
MR, FILMS = ("MR", "MRI"), ("DX", "CR", "X-RAY")
MOST_NAMES = 24  # of channels in a line
ASIDE = "give the network as ONNX, with a reading-model.yaml that says what the step does"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bundle:
    """The files of a bundle by their paths in the folder."""

    metadata: Mapping[str, Any]
    inference: Mapping[str, Any]
    names: tuple[str, str, str | None]


class MonaiBundleFormat:
    """A folder with `metadata.json`, `inference.json` and `model.pt`."""

    def recognises(self, folder: Path) -> bool:
        """Say whether it has the metadata of a bundle."""
        return _place(folder, METADATA) is not None and _place(folder, INFERENCE) is not None

    def examine(self, folder: Path) -> Examined:
        """Read metadata and inference as data, and say what keeps the bundle out."""
        bundle = _opened(folder)
        image, pred, against = _tensors_of(bundle.metadata)
        steps = _Steps(bundle.inference)
        shown = shown_by(steps.transforms("preprocessing"))
        output = stated_of_output(steps.transforms("postprocessing"))
        network, arguments = steps.network()
        window, stacked = steps.inferer()
        against += [*steps.against, *shown.against, *output.against]
        if bundle.names[2] is None:
            against.append(f"its parameters are missing ({WEIGHTS})")
        labels = _names_of(pred)
        recipe = {"kind": "monai", "class": network, "arguments": arguments}
        files = tuple(name for name in bundle.names if name is not None)
        return Examined(
            format="MONAI bundle",
            files=files,
            inputs=(TensorSpec(name="image", shape=(None, _count(image))),),
            channels=_count(pred),
            labels=labels,
            refusal="; ".join(dict.fromkeys(against)),
            remedy=_remedy(against),
            known=_known(image, shown, output.classes, stacked),
            items=tuple(_items(bundle.metadata, image, pred, shown, output.notes)),
            recipe=recipe if window is None else {**recipe, "window": window},
        )

    def against(self, examined: Examined, declared: OutsideDeclaration) -> Iterator[Fault]:
        """Yield what of a declaration the bundle contradicts."""
        yield from channel_faults(examined, declared)
        wanted = examined.inputs[0].shape[1]
        given = declared.input.copies * max(len(declared.sequences), 1)
        if wanted not in (None, given):
            yield "sequences", f"{given} channels are declared, the network has {wanted}"
        if declared.input.layout != "channels-first" or declared.further_inputs:
            yield "input", "a network of MONAI takes one image, channels first"
        dims = examined.recipe["arguments"].get("spatial_dims", 3)
        if len(declared.grid.size) != dims:
            yield "grid.size", f"{len(declared.grid.size)} sizes for a network of {dims} axes"
        yield from _known_faults(examined.known, declared)

    def take(
        self, folder: Path, incoming: Path, examined: Examined, declared: OutsideDeclaration
    ) -> Mapping[str, Any]:
        """Keep the parameters as safetensors; the network is built from its plain arguments."""
        weights = next(name for name in examined.files if name.endswith(WEIGHTS))
        return {**examined.recipe, "weights": keep(tensors_of(folder / weights), incoming)}


def _place(folder: Path, name: str) -> str | None:
    for place in (f"{PLACES[name]}/{name}", name):
        if (folder / place).is_file():
            return place
    return None


def _opened(folder: Path) -> _Bundle:
    metadata, inference = _place(folder, METADATA), _place(folder, INFERENCE)
    if metadata is None or inference is None:
        raise refused("its metadata.json or inference.json is missing", "give the whole bundle")
    return _Bundle(
        metadata=json_mapping(folder / metadata),
        inference=json_mapping(folder / inference),
        names=(metadata, inference, _place(folder, WEIGHTS)),
    )


def _tensors_of(
    metadata: Mapping[str, Any],
) -> tuple[Mapping[str, Any], Mapping[str, Any], list[str]]:
    """Return the image input and the output of the metadata, and what is against them."""
    against: list[str] = []
    found: list[Mapping[str, Any]] = []
    formats = metadata.get("network_data_format")
    formats = formats if isinstance(formats, dict) else {}
    for kind in ("inputs", "outputs"):
        named = formats.get(kind)
        tensors = (
            [one for one in named.values() if isinstance(one, dict)]
            if isinstance(named, dict)
            else []
        )
        if len(tensors) != 1:
            against.append(f"its metadata name {len(tensors)} {kind}, of which medmm takes one")
        found.append(tensors[0] if tensors else {})
    image, pred = found
    if image.get("type") != "image" or not _count(image):
        against.append(f"its input is no image ({str(image.get('type'))[:40]})")
    if pred.get("type") == "image" and pred.get("format") not in ("segmentation", "labels"):
        against.append("it makes images, and reads none")
    modality = str(image.get("modality", "not stated"))
    if image.get("type") == "image" and modality.upper() not in (*MR, *FILMS):
        against.append(f"it reads {modality[:40]}, and medmm radiographs and MR")
    return image, pred, against


def _count(tensor: Mapping[str, Any]) -> int | None:
    count = tensor.get("num_channels")
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def _names_of(tensor: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of channels by their numbers, or none if they are not those of all."""
    named = tensor.get("channel_def")
    count = _count(tensor) or 0
    if not isinstance(named, dict) or sorted(named) != sorted(map(str, range(count))):
        return ()
    return tuple(str(named[str(number)])[:60] for number in range(count))


class _Steps:
    """The steps of `inference.json`, read as data; `against` are those that are not known."""

    def __init__(self, inference: Mapping[str, Any]) -> None:
        self._inference = inference
        self.against: list[str] = []
        for name, step in inference.items():
            if not OWN_STEPS.fullmatch(name) and _expressions(step):
                self.against.append(f"its step {name!r} is an expression or code")
        if inference.get("network", NETWORK_EXPRESSIONS[0]) not in NETWORK_EXPRESSIONS:
            self.against.append("its step 'network' is an expression that is not known")
        self._check_engine()
        for name in ("dataset", "data"):
            target = _target(inference.get(name))
            if target.startswith("scripts."):
                self.against.append(f"its step {name!r} is a script of its own ({target})")

    def _check_engine(self) -> None:
        evaluator = self._inference.get("evaluator")
        more = set(evaluator) - EVALUATOR if isinstance(evaluator, dict) else set()
        self.against += [f"its step 'evaluator.{name}' is not known" for name in sorted(more)]
        handlers = self._inference.get("handlers")
        for handler in handlers if isinstance(handlers, list) else []:
            if _target(handler) not in HANDLERS:
                self.against.append(f"its handler {_target(handler)!r} is not known")

    def transforms(self, step: str) -> list[Mapping[str, Any]]:
        """List the transforms of a step; none if it is missing."""
        composed = self._inference.get(step)
        listed = composed.get("transforms") if isinstance(composed, dict) else None
        if composed is None:
            return []
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            self.against.append(f"its step {step!r} is no list of transforms")
            return []
        return listed

    def network(self) -> tuple[str, dict[str, Any]]:
        """Return class and plain arguments of the network."""
        given = self._inference.get("network_def")
        given = given if isinstance(given, dict) else {}
        target = _target(given).removeprefix("monai.networks.nets.")
        if target not in NETWORKS:
            own = "a script of its own" if "." in target else "none that medmm builds"
            self.against.append(f"its network {target or 'network_def'!r} is {own}")
        arguments = {key: value for key, value in given.items() if key != "_target_"}
        for key, value in arguments.items():
            if _expressions(value) or (isinstance(value, str) and value.startswith("@")):
                self.against.append(f"its step 'network_def.{key}' is an expression")
            if key == "pretrained" and value:
                self.against.append("its network fetches parameters from elsewhere (pretrained)")
        return target, arguments

    def inferer(self) -> tuple[dict[str, Any] | None, bool]:
        """Return the window in which the network looks, and whether it looks slice by slice."""
        given = self._inference.get("inferer")
        target = _target(given)
        if given is None or target == "SimpleInferer":
            return None, False
        known = {
            "_target_",
            "roi_size",
            "overlap",
            "sw_batch_size",
            "mode",
            "spatial_dim",
            "progress",
        }
        roi = given.get("roi_size") if isinstance(given, dict) else None
        plain = isinstance(roi, list) and all(isinstance(n, int) and n > 0 for n in roi)
        if (
            target not in ("SlidingWindowInferer", "SliceInferer")
            or not plain
            or set(given) - known
        ):
            self.against.append(f"its step 'inferer' ({target}) is not known")
            return None, False
        overlap, mode = given.get("overlap", 0.25), given.get("mode", "constant")
        if not isinstance(overlap, int | float) or mode not in ("constant", "gaussian"):
            self.against.append("its step 'inferer' has an overlap or a mode that is not known")
            return None, False
        window = {"roi_size": roi, "overlap": float(overlap), "mode": mode}
        return window, target == "SliceInferer"


def _target(step: Any) -> str:
    target = step.get("_target_") if isinstance(step, dict) else None
    return str(target) if target is not None else ""


def _expressions(value: Any) -> bool:
    """Say whether a tree of JSON holds an expression or a class that is built."""
    if isinstance(value, dict):
        return "_target_" in value or any(map(_expressions, value.values()))
    if isinstance(value, list):
        return any(map(_expressions, value))
    return isinstance(value, str) and value.startswith(("$", "%"))


def _known(
    image: Mapping[str, Any], shown: Shown, classes: str | None, stacked: bool
) -> dict[str, Any]:
    """Gather what a skeleton of the declaration takes from the bundle."""
    known: dict[str, Any] = {"input.layout": "channels-first"}
    shape = image.get("spatial_shape")
    if isinstance(shape, list) and all(isinstance(n, int) for n in shape):
        known["grid.size"] = shape
    elif isinstance(shape, list):
        multiples = [re.fullmatch(r"(\d+)\s*\*\s*n", str(one)) for one in shape]
        if all(multiples):
            known["grid.size"] = [int(one[1]) for one in multiples if one]
            known["grid.fit"] = "multiple"
    known |= shown.known
    if classes is not None:
        known |= {"output.classes": classes, "output.activated": False}
    if str(image.get("modality")).upper() in MR:
        known["modality"] = "MR"
    roles = [ROLES.get(name.casefold()) for name in _names_of(image)]
    if roles and all(roles):
        known["sequences"] = roles
    if stacked and "grid.orientation" in known:
        del known["grid.orientation"]
    return known


def _remedy(against: list[str]) -> str:
    if not against:
        return ""
    missing = against[-1].startswith("its parameters are missing") and len(against) == 1
    return f"put {WEIGHTS} into its folder models" if missing else ASIDE


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_NAMES
    shown = ", ".join(names[:MOST_NAMES]) or "no names"
    return f"{shown} and {more} more" if more > 0 else shown


def _known_faults(known: Mapping[str, Any], declared: OutsideDeclaration) -> Iterator[Fault]:
    tree = declared.model_dump(mode="json")
    for place, value in known.items():
        said: Any = tree
        for key in place.split("."):
            said = said[key]
        if said != value:
            yield place, f"{said} is declared, the bundle says {value}"


def _items(
    metadata: Mapping[str, Any],
    image: Mapping[str, Any],
    pred: Mapping[str, Any],
    shown: Shown,
    notes: tuple[str, ...],
) -> Iterator[CheckedItem]:
    about = f"{str(metadata.get('name'))[:80]} {str(metadata.get('version'))[:20]}"
    yield read_item("version", f"{about}; intended use: {str(metadata.get('intended_use'))[:120]}")
    channels = _some(_names_of(image))
    yield read_item("sequences", f"{_count(image)} channels: {channels}")
    outputs = _some(_names_of(pred))
    yield read_item("output.channels", f"{_count(pred)} channels: {outputs}")
    for place, value in shown.known.items():
        yield read_item(place, str(value))
    for note in notes:
        yield read_item("postprocessing", note)
    if image.get("format") == "hounsfield" and str(image.get("modality")).upper() in MR:
        words = "the metadata call an MR signal hounsfield, which is a unit of CT"
        yield CheckedItem(item="modality", state=ItemState.CONTRADICTS, words=words)
