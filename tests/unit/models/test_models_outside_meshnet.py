"""MeshNets: tensors decide shapes, names of files lie, and what nobody says must be declared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from medmm.domain.errors import InputError
from medmm.domain.model_check import ItemState
from medmm.domain.reading_model import read_by
from medmm.models import Adopted, Networks
from medmm.models.outside.checking import checked
from medmm.models.outside.parameters import content_of, tensors_of
from tests.outside_models import declare, volume_declaration
from tests.unit.models.test_models_outside_model import head, networks_with, study_of

GRID = {"orientation": "LIA", "spacing_mm": [2.0] * 3, "size": [40, 40, 40], "fit": "pad-or-crop"}


def tensors(channels: int = 2, outputs: int = 2) -> dict[str, np.ndarray]:
    """A network that calls what is bright the second class: its first layer hands the image on."""
    first = np.zeros((channels, 1, 3, 3, 3), dtype=np.float32)
    first[0, 0, 1, 1, 1] = 1.0
    last = np.zeros((outputs, channels, 1, 1, 1), dtype=np.float32)
    last[1, 0] = 8.0
    bias = np.full(outputs, -20.0, dtype=np.float32)
    bias[:2] = 0.0, -4.0
    return {
        "model.0.weight": first,
        "model.0.bias": np.zeros(channels, dtype=np.float32),
        "model.2.weight": last,
        "model.2.bias": bias,
    }


def layers(*pairs: tuple[int, int], **changes: Any) -> dict[str, Any]:
    kernels = [(3, 1), (1, 0)]
    rows = [
        {"in_channels": i, "out_channels": o, "kernel_size": k, "padding": p, "stride": 1, "dilation": 1}
        for (i, o), (k, p) in zip(pairs, kernels, strict=True)
    ]  # fmt: skip
    return {"bnorm": False, "elu": True, "dropout_p": 0, "layers": rows, **changes}


def folder_of(
    folder: Path,
    *,
    about: dict[str, Any] | None = None,
    labels: list[str] | None = None,
    kind: str = "safetensors",
    **state: Any,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps(about or layers((1, 2), (2, 2))))
    if labels is not None:
        (folder / "colormap.json").write_text(json.dumps({"labels": labels}))
    path = folder / "model.pth"  # whatever it holds
    values = state.get("state") or tensors()
    if kind == "safetensors":
        save_file(values, path)
    else:
        torch.save({name: torch.from_numpy(value) for name, value in values.items()}, path)
    return folder


def declared(folder: Path, **changes: Any) -> Path:
    own = {"grid": GRID, "intensity": [{"rule": "min-max"}], **changes}
    return declare(folder, volume_declaration(**own), "model.json", "model.pth")


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_parameters_are_told_apart_by_content(kind: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, kind=kind)
    assert content_of(folder / "model.pth") == kind
    found = tensors_of(folder / "model.pth")
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in tensors().items()
    }
    check = checked(folder)
    assert (check.format, check.refused) == ("MeshNet", "")


@pytest.mark.parametrize(
    "content", [b"\x80\x02}q\x00.", b"PK\x03\x04 no zip", b"", b"\xff" * 99, b"\x40\0\0\0\0\0\0\0{no json" + b" " * 80]
)  # fmt: skip
def test_parameters_that_are_neither_are_refused(content: bytes, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "model.pth").write_bytes(content)
    check = checked(folder)
    assert "parameters" in check.refused
    assert "safetensors" in check.remedy or "save them again" in check.remedy


def test_an_adopted_meshnet_reads_and_keeps_safetensors_alone(tmp_path: Path) -> None:
    folder = declared(folder_of(tmp_path / "net", kind="torch"))
    assert checked(folder).ready, checked(folder)
    networks = networks_with(tmp_path, folder)
    kept = {path.name for path in (tmp_path / "models" / "volume-net").iterdir()}
    assert kept == {"config.json", "manifest.json", "model.safetensors", "reading-model.yaml"}
    reading = read_by(networks.outside_models, study_of(head()))
    assert [m.value for m in reading.measurements] == [1.44, 0.576]


def test_tensors_decide_shapes_and_a_norm_without_parameters_is_asked_for(tmp_path: Path) -> None:
    about = layers((-1, 5), (5, -1), bnorm=True)
    folder = folder_of(tmp_path / "net", about=about)
    check = checked(folder)
    states = {one.item: one.state for one in check.items}
    assert states["meshnet.norm_groups"] is ItemState.MISSING
    assert any("the tensors 1 to 2" in one.words for one in check.items)
    assert "norm_groups: TODO" in check.skeleton
    declared(folder)
    (wrong,) = [one for one in checked(folder).items if one.state is ItemState.CONTRADICTS]
    assert wrong.item == "meshnet.norm_groups"
    assert checked(declared(folder, meshnet={"norm_groups": 2})).ready
    with Adopted(tmp_path / "models").adding(folder, name=None, licence=None):
        pass
    config = json.loads((tmp_path / "models" / "volume-net" / "config.json").read_text())
    assert (config["recipe"]["norm_groups"], config["recipe"]["activation"]) == (2, "elu")


def test_labels_that_are_missing_or_too_few_keep_it_out_until_all_are_declared(
    tmp_path: Path,
) -> None:
    state = tensors(outputs=3)
    folder = folder_of(
        tmp_path, about=layers((1, 2), (2, 3)), labels=["background", "brain"], state=state
    )
    (wrong,) = [one for one in checked(folder).items if one.state is ItemState.CONTRADICTS]
    assert "2 of 3" in wrong.words
    declared(folder)  # names two
    (wrong,) = [one for one in checked(folder).items if one.state is ItemState.CONTRADICTS]
    assert wrong.words == "2 are named, the network has 3"
    output = volume_declaration()["output"]
    third = {**output, "channels": {**output["channels"], 2: {"name": "outside: white matter"}}}
    assert checked(declared(folder, output=third)).ready


def test_labels_that_are_mixed_up_are_named(tmp_path: Path) -> None:
    output = volume_declaration()["output"]
    folder = folder_of(tmp_path, labels=["Hippocampus", "Caudate"])
    channels = {0: {"name": "outside: caudate"}, 1: output["channels"][1]}
    declared(folder, output={**output, "channels": channels})
    wrong = [one for one in checked(folder).items if one.state is ItemState.CONTRADICTS]
    assert [one.item for one in wrong] == ["output.channels.0", "output.channels.1"]


@pytest.mark.parametrize("change", ["count", "order", "extra", "kernel", "stride", "two"])
def test_layers_and_tensors_that_do_not_belong_together_are_refused(
    change: str, tmp_path: Path
) -> None:
    about, state = layers((1, 2), (2, 2)), tensors()
    if change == "count":
        about["layers"].append(about["layers"][-1])
    elif change == "order":
        state["model.2.weight"] = state["model.2.weight"][:, :1]
    elif change == "extra":
        state["model.1.running_mean"] = np.zeros(2, dtype=np.float32)
    elif change == "kernel":
        about["layers"][0]["kernel_size"] = 5
    elif change == "stride":
        about["layers"][0]["stride"] = 2
    folder = folder_of(tmp_path, about=about, state=state)
    if change == "two":
        (folder / "again.pth").write_bytes((folder / "model.pth").read_bytes())
    assert checked(folder).refused


def test_a_network_of_another_declaration_is_not_taken(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "net")
    declared(folder, meshnet={"activation": "relu"})
    with (
        pytest.raises(InputError, match=r"relu is declared, the files say elu"),
        Adopted(tmp_path / "models").adding(folder, name=None, licence=None),
    ):
        pass
    networks = Networks(None, device="cpu", adopted=Adopted(tmp_path / "models"))
    assert networks.outside_models == ()
