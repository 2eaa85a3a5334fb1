"""MeshNets: dilated convolutions, their layers as JSON and their parameters beside it.

Source: Fedorov et al., IJCNN 2017; the JSON of neuroneural/brainchop. The tensors decide shapes;
what neither says (a norm without parameters, an activation) the declaration must.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medmm.domain.errors import InputError
from medmm.domain.model_check import CheckedItem, ItemState
from medmm.models.outside.declaration import FILE, OutsideDeclaration
from medmm.models.outside.examined import (
    Examined,
    Fault,
    TensorSpec,
    channel_faults,
    read_item,
    refused,
)
from medmm.models.outside.parameters import content_of, keep, tensors_of
from medmm.models.weights.model_folder import json_mapping

LAYER = ("in_channels", "out_channels", "kernel_size", "padding", "stride", "dilation")
ACTIVATIONS = ("relu", "elu", "gelu")
INPUT = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """The files of a folder: layers, labels if there are any, parameters."""

    layers: Path
    parameters: Path
    labels: tuple[str, ...]


class MeshNetFormat:
    """A folder with the layers of a MeshNet as JSON, and one file of parameters."""

    def recognises(self, folder: Path) -> bool:
        """Say whether a JSON file of the folder lists layers of convolutions."""
        return any(_layers_in(path) for path in sorted(folder.glob("*.json")))

    def examine(self, folder: Path) -> Examined:
        """Hold layers against tensors, and count what has a name."""
        files = _files_in(folder)
        about = json_mapping(files.layers)
        tensors = tensors_of(files.parameters)
        rows, notes = _rows(about["layers"], tensors, files)
        channels = rows[-1]["out"]
        activation = next((one for one in ACTIVATIONS if about.get(one) is True), None)
        groups = 0 if about.get("bnorm") is False else None
        known: dict[str, Any] = {}
        if activation is not None:
            known["meshnet.activation"] = activation
        if groups is not None:
            known["meshnet.norm_groups"] = groups
        items = [
            read_item("files", f"{files.parameters.name} holds {content_of(files.parameters)}"),
            read_item("input", f"{rows[0]['in']} channels"),
            read_item("output.channels", f"{channels} outputs"),
            *(read_item("layers", note) for note in notes),
            *_open_items(about, known, (folder / FILE).exists()),
            *_label_items(files.labels, channels, (folder / FILE).exists()),
        ]
        return Examined(
            format="MeshNet",
            files=tuple(sorted({files.layers.name, files.parameters.name})),
            inputs=(TensorSpec(name=INPUT, shape=(None, rows[0]["in"], None, None, None)),),
            channels=channels,
            any_size=True,
            labels=files.labels if len(files.labels) == channels else (),
            known=known,
            items=tuple(items),
            tensors=tensors,
            recipe={
                "kind": "meshnet",
                "layers": rows,
                "activation": activation,
                "norm_groups": groups,
            },
        )

    def against(self, examined: Examined, declared: OutsideDeclaration) -> Iterator[Fault]:
        """Yield what the layers leave open and nobody declares, and what contradicts them."""
        yield from channel_faults(examined, declared)
        if len(declared.grid.size) != 3 or declared.further_inputs:
            yield "grid.size", "a MeshNet reads volumes alone: give three sizes and no more inputs"
        if declared.input.layout != "channels-first" or declared.input.copies != 1:
            yield "input", "a MeshNet takes its channels first"
        wanted = examined.recipe["layers"][0]["in"]
        if len(declared.sequences) != wanted:
            yield "sequences", f"{len(declared.sequences)} are declared, the network has {wanted}"
        if declared.task != "segmentation":
            yield "task", "a MeshNet segments"
        for key in ("activation", "norm_groups"):
            stated = examined.recipe[key]
            said = getattr(declared.meshnet, key) if declared.meshnet else None
            if stated is None and said is None:
                yield f"meshnet.{key}", "the files do not say it, and it must be declared"
            elif None not in (stated, said) and stated != said:
                yield f"meshnet.{key}", f"{said} is declared, the files say {stated}"
        groups = declared.meshnet.norm_groups if declared.meshnet else None
        if groups and any(row["out"] % groups for row in examined.recipe["layers"][:-1]):
            yield "meshnet.norm_groups", f"{groups} groups do not divide the channels"

    def take(
        self, folder: Path, incoming: Path, examined: Examined, declared: OutsideDeclaration
    ) -> Mapping[str, Any]:
        """Keep the tensors by the numbers of the layers that the worker builds."""
        said = declared.meshnet
        recipe = dict(examined.recipe)
        for key in ("activation", "norm_groups"):
            recipe[key] = recipe[key] if recipe[key] is not None or not said else getattr(said, key)
        step = 3 if recipe["norm_groups"] else 2
        tensors = examined.tensors
        kept = {}
        for number, name in enumerate(_convolutions(tensors)):
            kept[f"{number * step}.weight"] = tensors[f"{name}.weight"]
            if f"{name}.bias" in tensors:
                kept[f"{number * step}.bias"] = tensors[f"{name}.bias"]
        return {**recipe, "weights": keep(kept, incoming)}


def _layers_in(path: Path) -> bool:
    """Say whether a JSON file lists convolutions."""
    try:
        layers = json_mapping(path).get("layers")
    except InputError:
        return False
    return isinstance(layers, list) and bool(layers) and all(_is_layer(one) for one in layers)


def _is_layer(row: Any) -> bool:
    return isinstance(row, dict) and all(
        isinstance(row.get(key), int) and not isinstance(row[key], bool) for key in LAYER
    )


def _files_in(folder: Path) -> _Files:
    texts = sorted(folder.glob("*.json"))
    (layers, *more) = [path for path in texts if _layers_in(path)]
    if more:
        raise refused("two files list layers", "keep one of them", file=more[0].name)
    known = {".json", ".yaml", ".md", ".txt", ""}
    rest = [p for p in sorted(folder.iterdir()) if p.is_file() and p.suffix not in known]
    rest = [p for p in rest if not p.name.startswith(".")]
    if len(rest) != 1:
        names = ", ".join(path.name for path in rest) or "none"
        raise refused(f"{len(rest)} files may hold its parameters ({names})", "keep one of them")
    labels: tuple[str, ...] = ()
    for path in texts:
        named = json_mapping(path).get("labels")
        if isinstance(named, list) and all(isinstance(one, str) for one in named):
            labels = tuple(one[:60] for one in named)
    return _Files(layers=layers, parameters=rest[0], labels=labels)


def _convolutions(tensors: Mapping[str, Any]) -> list[str]:
    """Name the convolutions in the order of their numbers."""
    names = [name.removesuffix(".weight") for name in tensors if name.endswith(".weight")]
    return sorted(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def _rows(
    layers: Sequence[Mapping[str, int]], tensors: Mapping[str, Any], files: _Files
) -> tuple[list[dict[str, Any]], list[str]]:
    """Join layers and tensors.

    Returns: rows for the worker, and where the JSON says otherwise.
    Raises: InputError if the tensors are not those of so many convolutions in a row.
    """
    names, notes, rows = _convolutions(tensors), set(), []
    where = {"file": files.parameters.name}
    extra = set(tensors) - {f"{n}.weight" for n in names} - {f"{n}.bias" for n in names}
    if len(names) != len(layers) or extra or any(tensors[f"{n}.weight"].ndim != 5 for n in names):
        raise refused(
            f"{len(tensors)} tensors are not those of {len(layers)} convolutions in a row",
            "give the parameters that belong to these layers",
            **where,
        )
    before: int | None = None
    for layer, name in zip(layers, names, strict=True):
        out, into, *kernel = (int(n) for n in tensors[f"{name}.weight"].shape)
        if before not in (None, into) or kernel != [layer["kernel_size"]] * 3:
            raise refused("its tensors do not follow each other", "save them again", **where)
        if layer["in_channels"] not in (into, -1) or layer["out_channels"] not in (out, -1):
            said = f"{layer['in_channels']} to {layer['out_channels']}"
            notes.add(f"the JSON says {said} channels, the tensors {into} to {out}: these count")
        elif -1 in (layer["in_channels"], layer["out_channels"]):
            notes.add(f"the JSON leaves channels open, the tensors say {into} to {out}")
        rows.append(
            {
                "in": into, "out": out, "kernel": kernel[0], "stride": layer["stride"],
                "padding": layer["padding"], "dilation": layer["dilation"],
                "bias": f"{name}.bias" in tensors,
            }
        )  # fmt: skip
        before = out
    if any(
        row["stride"] != 1 or 2 * row["padding"] != row["dilation"] * (row["kernel"] - 1)
        for row in rows
    ):
        raise refused("its layers change the size of the image", "export it as ONNX", **where)
    return rows, sorted(notes)


def _open_items(
    about: Mapping[str, Any], known: Mapping[str, Any], declared: bool
) -> Iterator[CheckedItem]:
    """Yield what the JSON says of activation and norm; a declaration is asked for the rest."""
    asked = {
        "meshnet.activation": "the JSON names none of relu, elu and gelu",
        "meshnet.norm_groups": "no tensor is of a norm, and the JSON says "
        f"bnorm {about.get('bnorm', 'not at all')}",
    }
    for place, words in asked.items():
        if place in known:
            yield read_item(place, str(known[place]))
        elif not declared:
            yield CheckedItem(item=place, state=ItemState.MISSING, words=words)


def _label_items(labels: tuple[str, ...], channels: int, declared: bool) -> Iterator[CheckedItem]:
    if len(labels) == channels:
        yield read_item("output.channels", f"the files name them: {', '.join(labels)}")
        return
    words = (
        f"the files name {len(labels)} of {channels} outputs" if labels else "no output has a name"
    )
    if declared:
        yield read_item("output.channels", f"{words}; the declaration names them")
        return
    state = ItemState.CONTRADICTS if labels else ItemState.MISSING
    yield CheckedItem(item="output.channels", state=state, words=f"{words}: declare all of them")
