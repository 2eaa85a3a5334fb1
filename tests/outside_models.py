"""Small models of others for tests: ONNX networks made node by node, and declarations of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from medmm.domain.reading import Reading

FINDINGS = ("Effusion", "Pneumothorax")
CALIBRATION = {"data_sha256": "c" * 64, "studies": 40, "about": "made up for a test"}


def film_declaration(**changes: Any) -> dict[str, Any]:
    """A classifier of PA and AP films with two findings, one of them of low threshold."""
    return {
        "id": "film-net",
        "version": "1.0",
        "files": {},
        "licences": {"code": "MIT", "weights": "CC-BY-4.0"},
        "task": "classification",
        "modality": "DX",
        "body_part": "CHEST",
        "views": ["PA", "AP"],
        "contrast": "without",
        "age_years": [18, 100],
        "sex": "any",
        "grid": {
            "orientation": "rows-columns",
            "spacing_mm": None,
            "size": [16, 16],
            "fit": "stretch",
        },
        "intensity": [{"rule": "percentile", "low": 0.5, "high": 99.5}],
        "value_range": [0, 1],
        "input": {"layout": "channels-first"},
        "output": {
            "classes": "overlapping",
            "activated": False,
            "channels": {
                0: {"name": "Effusion", "threshold": 0.5, "rule_out": 0.1},
                1: {"name": "Pneumothorax", "threshold": 0.3},
            },
        },
        "laterality": "none",
        "calibration": CALIBRATION,
        "intended_use": "tests",
        "not_for": "patients",
        **changes,
    }


def volume_declaration(**changes: Any) -> dict[str, Any]:
    """A segmenter of T1 volumes: background, and a structure that is measured on both sides."""
    return film_declaration(
        **{
            "id": "volume-net",
            "task": "segmentation",
            "modality": "MR",
            "body_part": "BRAIN",
            "views": [],
            "sequences": ["T1"],
            "grid": {
                "orientation": "RAS",
                "spacing_mm": [2.0, 2.0, 2.0],
                "size": [24, 24, 24],
                "fit": "pad-or-crop",
            },
            "intensity": [{"rule": "percentile", "low": 2, "high": 98}],
            "output": {
                "classes": "exclusive",
                "activated": False,
                "channels": {
                    0: {"name": "background"},
                    1: {
                        "name": "hippocampus",
                        "quantity": "hippocampus volume",
                        "interval": {"kind": "relative", "half_width": 0.1},
                    },
                },
            },
            "laterality": "by-affine",
            **changes,
        }
    )


def film_onnx(path: Path, *, size: int = 16, weights: Sequence[float] = (4.0, -4.0)) -> Path:
    """Logits (batch, findings): the mean of the film times a weight for each finding."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("ReduceMean", ["film"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
    ]
    values = np.asarray([weights], dtype=np.float32)
    return save_onnx(
        path,
        nodes,
        inputs={"film": ("batch", 1, size, size)},
        outputs={"logits": ("batch", len(weights))},
        initializers=[numpy_helper.from_array(values, "weights")],
        kind=TensorProto.FLOAT,
    )


def volume_onnx(path: Path, *, size: int | None = 24, last: bool = False) -> Path:
    """Logits of background and of what is brighter than the middle of 0..1, voxel by voxel."""
    from onnx import TensorProto, helper, numpy_helper

    axes: tuple[Any, ...] = (size or "x", size or "y", size or "z")
    axis = 4 if last else 1
    nodes = [
        helper.make_node("Mul", ["volume", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "half"], ["bright"]),
        helper.make_node("Neg", ["bright"], ["dark"]),
        helper.make_node("Concat", ["dark", "bright"], ["logits"], axis=axis),
    ]
    constants = {"scale": np.float32(8), "half": np.float32(4)}
    return save_onnx(
        path,
        nodes,
        inputs={"volume": ("batch", *axes, 1) if last else ("batch", 1, *axes)},
        outputs={"logits": ("batch", *axes, 2) if last else ("batch", 2, *axes)},
        initializers=[numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
        kind=TensorProto.FLOAT,
    )


def save_onnx(
    path: Path,
    nodes: Sequence[Any],
    *,
    inputs: Mapping[str, Sequence[Any]],
    outputs: Mapping[str, Sequence[Any]],
    initializers: Sequence[Any] = (),
    kind: int = 1,
    opset: int = 13,
) -> Path:
    """Write a graph with these nodes."""
    from onnx import helper

    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(n, kind, list(shape)) for n, shape in inputs.items()],
        [helper.make_tensor_value_info(n, kind, list(shape)) for n, shape in outputs.items()],
        list(initializers),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


class Plain(yaml.SafeDumper):
    """Plain YAML without anchors, which are refused."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def declare(folder: Path, declaration: Mapping[str, Any], *files: str) -> Path:
    """Write `reading-model.yaml` with the digests of these files, or of all that are there."""
    names = files or tuple(
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "reading-model.yaml"
    )
    digests = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names}
    text = yaml.dump({**declaration, "files": digests}, Dumper=Plain, sort_keys=False)
    (folder / "reading-model.yaml").write_text(text)
    return folder


def film_folder(folder: Path, **changes: Any) -> Path:
    """A declared ONNX classifier of films."""
    film_onnx(folder / "net.onnx")
    return declare(folder, film_declaration(**changes))


def volume_folder(folder: Path, *, last: bool = False, **changes: Any) -> Path:
    """A declared ONNX segmenter of volumes."""
    volume_onnx(folder / "net.onnx", last=last)
    layout = {"layout": "channels-last" if last else "channels-first"}
    return declare(folder, volume_declaration(**{"input": layout, **changes}))


def codes_of(reading: Reading) -> list[str]:
    """The codes of a reading's warnings."""
    return [warning.code for warning in reading.warnings]
