"""ONNX networks: 2D and 3D, channels first or last, with one input or several.

The file is read as a protobuf alone, without its external data; onnxruntime sees it in the worker.
Source: onnx.proto3 and docs/ExternalData.md of ONNX.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from medmm.domain.errors import ConfigError
from medmm.models.outside.declaration import OutsideDeclaration
from medmm.models.outside.examined import (
    Examined,
    Fault,
    TensorSpec,
    read_item,
    refused,
)

SUFFIX = ".onnx"
MOST_FILE_BYTES = 2**31 - 1  # of a protobuf
MOST_TENSOR_BYTES = 10 * 10**9  # that one tensor, or all of them, may declare
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
EXPORT = "export the network again with the standard operators of ONNX"


class OnnxFormat:
    """A folder with one `.onnx` file, and its external data if it has some."""

    def recognises(self, folder: Path) -> bool:
        """Say whether a folder holds an ONNX file."""
        return any(path.suffix.lower() == SUFFIX for path in folder.iterdir())

    def examine(self, folder: Path) -> Examined:
        """Read inputs, outputs, opset and external data."""
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == SUFFIX)
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            raise refused(f"{len(paths)} ONNX files ({names})", "give each a folder of its own")
        (path,) = paths
        model = _parsed(path)
        graph = model.graph
        external = _external_data(model, folder)
        _check_sizes(model)
        _check_operators(model)
        given = {one.name for one in graph.initializer}
        inputs = tuple(_spec(one) for one in graph.input if one.name not in given)
        outputs = tuple(_spec(one) for one in graph.output)
        opset = max((one.version for one in model.opset_import if one.domain in DOMAINS), default=0)
        about = "; ".join(f"{p.key[:40]}: {p.value[:80]}" for p in list(model.metadata_props)[:8])
        items = [
            read_item("files", ", ".join([path.name, *external])),
            read_item("input", "; ".join(one.words for one in inputs)),
            read_item("output", "; ".join(one.words for one in outputs)),
            read_item("opset", f"{opset}; metadata: {about or 'none'}"),
        ]
        return Examined(
            format="ONNX",
            files=(path.name, *external),
            inputs=inputs,
            outputs=outputs,
            channels=None,
            known=_known(inputs, outputs),
            items=tuple(items),
            recipe={"kind": "onnx"},
        )

    def against(self, examined: Examined, declared: OutsideDeclaration) -> Iterator[Fault]:
        """Yield names, channels and sizes that are not those of the network."""
        names = [one.name for one in examined.inputs]
        further = [one.tensor for one in declared.further_inputs]
        for name in further:
            if name not in names:
                yield "further_inputs", f"there is no input {name!r}"
        image = examined.image_input(declared)
        if image not in names:
            yield "input.tensor", f"there is no input {image!r}: {', '.join(names)}"
            return
        for name in names:
            if name != image and name not in further:
                yield "further_inputs", f"the network has a further input {name!r}: what fills it?"
        main = next(one for one in examined.inputs if one.name == image)
        channels = declared.input.copies * max(len(declared.sequences), 1)
        yield from _shape_faults(main, channels, declared, "input")
        for one in declared.further_inputs:
            spec = next((spec for spec in examined.inputs if spec.name == one.tensor), None)
            if spec is not None:
                yield from _shape_faults(spec, one.channels, declared, "further_inputs")
        yield from _output_faults(examined, declared)

    def take(
        self, folder: Path, incoming: Path, examined: Examined, declared: OutsideDeclaration
    ) -> Mapping[str, Any]:
        """Keep the files as they are: nothing in them runs outside the worker."""
        for name in examined.files:
            shutil.move(folder / name, incoming / name)
        name, *_ = examined.files
        output = declared.output.tensor or examined.outputs[0].name
        return {"kind": "onnx", "model": name, "output": output}


def _parsed(path: Path) -> Any:
    """Parse the protobuf alone."""
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        raise ConfigError("ONNX is not installed", remedy="pip install 'medmm[export]'")
    if path.stat().st_size > MOST_FILE_BYTES:
        raise refused("the file is larger than a protobuf can be", EXPORT, file=path.name)
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except (DecodeError, ValueError, OSError) as error:
        raise refused(
            f"it is no ONNX file ({type(error).__name__})", "export it again", file=path.name
        ) from error
    if not model.graph.node or not model.graph.output:
        raise refused("the file holds no network", "export it again", file=path.name)
    return model


def _graphs(model: Any) -> Iterator[Any]:
    """Yield the graph, those within its nodes, and the functions of the model."""
    waiting = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [one for one in (attribute.g, *attribute.graphs) if one.node]


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every stored tensor, wherever it stands; of a sparse one its parts."""
    for graph in _graphs(model):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors


def _external_data(model: Any, folder: Path) -> tuple[str, ...]:
    """Name the files of external data, each a plain file of the folder that is long enough."""
    names: dict[str, None] = {}
    for tensor in _tensors(model):
        if not tensor.external_data and tensor.data_location != tensor.EXTERNAL:
            continue
        told = {one.key: one.value for one in tensor.external_data}
        name = told.get("location", "")
        path = folder / name
        if not name or Path(name).name != name or "\\" in name or name.startswith("."):
            raise refused(
                f"it takes data from outside its folder ({name[:80]!r})",
                "put the data beside the .onnx file and export with a plain file name",
            )
        if path.is_symlink() or not path.is_file():
            raise refused("the file of its external data is missing", "add it", file=name)
        try:
            end = int(told.get("offset", "0")) + int(told.get("length", "0"))
        except ValueError as error:
            raise refused("its external data have no place", EXPORT, file=name) from error
        if not 0 <= end <= path.stat().st_size:
            raise refused("its external data are cut short", "copy the file again", file=name)
        names[name] = None
    return tuple(names)


def _check_sizes(model: Any) -> None:
    total = 0
    for tensor in _tensors(model):
        if any(n < 0 for n in tensor.dims):
            raise refused("a tensor of a negative size", EXPORT)
        total += math.prod(tensor.dims) * 4
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        total = max(total, math.prod(n or 1 for n in _spec(value, checked=False).shape) * 4)
    if total > MOST_TENSOR_BYTES:
        raise refused(
            f"it declares tensors of {total / 1e9:.0f} GB, of at most "
            f"{MOST_TENSOR_BYTES / 1e9:.0f} GB",
            "export a smaller network, or one that reads smaller images",
        )


def _check_operators(model: Any) -> None:
    from onnx import defs

    own = {(one.domain, one.name) for one in model.functions}
    unknown = {
        f"{node.domain or 'ai.onnx'}.{node.op_type}"
        for graph in _graphs(model)
        for node in graph.node
        if (node.domain, node.op_type) not in own
        and (
            node.domain not in DOMAINS
            or not defs.has(node.op_type, "" if node.domain == "ai.onnx" else node.domain)
        )
    }
    if unknown:
        raise refused(f"it has unknown operators ({', '.join(sorted(unknown)[:5])})", EXPORT)


def _spec(value: Any, *, checked: bool = True) -> TensorSpec:
    kind = value.type.tensor_type
    if checked and not value.type.HasField("tensor_type"):
        raise refused(f"{value.name} is no tensor", EXPORT)
    shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)
    if any(n is not None and n < 0 for n in shape):
        raise refused(f"{value.name} has a negative size", EXPORT)
    return TensorSpec(name=value.name, shape=shape)


def _known(inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> dict[str, Any]:
    """Tell what a skeleton can take: names, and whether there is an axis of 1 to 4 channels."""
    known: dict[str, Any] = {}
    if len(inputs) == 1:
        known["input.tensor"] = inputs[0].name
    if len(outputs) == 1:
        known["output.tensor"] = outputs[0].name
    return known


def _shape_faults(
    spec: TensorSpec, channels: int, declared: OutsideDeclaration, item: str
) -> Iterator[Fault]:
    axes = len(declared.grid.size)
    if len(spec.shape) != axes + 2:
        yield item, f"{spec.words} does not take {axes}D images"
        return
    last = declared.input.layout == "channels-last"
    has = spec.shape[-1] if last else spec.shape[1]
    if has not in (None, channels):
        where = "last" if last else "first"
        yield item, f"{spec.words} has {has} channels {where}, {channels} are declared"
    sizes = spec.shape[1:-1] if last else spec.shape[2:]
    fixed = declared.grid.fit != "multiple"
    for axis, (have, size) in enumerate(zip(sizes, declared.grid.size, strict=True)):
        if have is not None and (have != size if fixed else True):
            yield "grid.size", f"axis {axis} of {spec.name} is {have}, {size} is declared"


def _output_faults(examined: Examined, declared: OutsideDeclaration) -> Iterator[Fault]:
    names = [one.name for one in examined.outputs]
    wanted = declared.output.tensor or (names[0] if len(names) == 1 else "")
    spec = next((one for one in examined.outputs if one.name == wanted), None)
    if spec is None:
        yield "output.tensor", f"the network has the outputs {', '.join(names)}: which is read?"
        return
    rank = 2 if declared.task == "classification" else len(declared.grid.size) + 2
    if len(spec.shape) != rank:
        yield "output", f"{spec.words} has not the {rank} axes of a {declared.task}"
        return
    last = declared.input.layout == "channels-last" and rank > 2
    has = spec.shape[-1] if last else spec.shape[1]
    named = len(declared.output.channels)
    if has is not None and has != named:
        yield "output.channels", f"{named} are named, the network has {has}"
