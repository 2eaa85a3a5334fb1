"""ONNX networks: what is read of them, and what keeps one out, each by its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmm.domain.errors import InputError, IntegrityError
from medmm.domain.model_check import ItemState
from medmm.models import Adopted
from medmm.models.outside.checking import checked
from tests.outside_models import (
    declare,
    film_declaration,
    film_folder,
    film_onnx,
    save_onnx,
    volume_folder,
)


def refusal(folder: Path) -> str:
    """Why a folder is not taken: by `check` and by `add` alike, with a remedy."""
    check = checked(folder)
    assert check.refused
    assert check.remedy
    with (
        pytest.raises(InputError) as caught,
        Adopted(folder.parent / "models").adding(folder, name=None, licence=None),
    ):
        pass
    assert caught.value.problem in check.refused
    return check.refused


def with_tensor(folder: Path, **changes: Any) -> Path:
    """A network one of whose tensors is changed; declared."""
    import onnx

    path = film_onnx(folder / "net.onnx")
    model = onnx.load_model(str(path))
    tensor = model.graph.initializer[0]
    for key, value in changes.items():
        if key == "dims":
            tensor.dims[:] = value
            tensor.ClearField("raw_data")
        else:
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for name, told in value.items():
                tensor.external_data.add(key=name, value=told)
    path.write_bytes(model.SerializeToString())
    return declare(folder, film_declaration())


@pytest.mark.parametrize(
    "location", ["../secret.bin", "/etc/passwd", "sub/data.bin", "", ".hidden", "..\\x"]
)
def test_external_data_outside_the_folder_are_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    folder = with_tensor(tmp_path / "net", external={"location": location})
    assert "data from outside its folder" in refusal(folder)


def test_external_data_behind_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    folder = with_tensor(tmp_path / "net", external={"location": "data.bin"})
    (folder / "data.bin").symlink_to(tmp_path / "secret.bin")
    assert "link" in refusal(folder)


def test_external_data_that_are_missing_or_cut_short_are_refused(tmp_path: Path) -> None:
    folder = with_tensor(tmp_path / "a", external={"location": "data.bin"})
    assert "missing" in refusal(folder)
    cut = {"location": "data.bin", "offset": "0", "length": "80"}
    folder = with_tensor(tmp_path / "b", external=cut)
    (folder / "data.bin").write_bytes(bytes(8))
    assert "cut short" in refusal(folder)


def test_external_data_beside_the_file_are_taken_with_it(tmp_path: Path) -> None:
    folder = with_tensor(tmp_path / "net", external={"location": "weights.bin"})
    (folder / "weights.bin").write_bytes(np.asarray([[4.0, -4.0]], dtype=np.float32).tobytes())
    declare(folder, film_declaration())
    adopted = Adopted(tmp_path / "models")
    with adopted.adding(folder, name=None, licence=None) as row:
        assert row.state == "ready"
    assert (tmp_path / "models" / "film-net" / "weights.bin").stat().st_size == 8


def test_tensors_that_declare_more_than_ten_gigabytes_are_refused(tmp_path: Path) -> None:
    assert "declares tensors of 40 GB" in refusal(with_tensor(tmp_path / "a", dims=[100_000] * 2))
    folder = tmp_path / "b"
    film_onnx(folder / "net.onnx", size=100_000)
    assert "declares tensors of 40 GB" in refusal(declare(folder, film_declaration()))


def test_unknown_operators_are_refused_by_name(tmp_path: Path) -> None:
    from onnx import helper

    for number, (name, domain) in enumerate([("Frobnicate", ""), ("Evil", "com.example")]):
        folder = tmp_path / str(number)
        node = helper.make_node(name, ["film"], ["logits"], domain=domain)
        shapes: Any = {"inputs": {"film": (1, 1, 16, 16)}, "outputs": {"logits": (1, 2)}}
        save_onnx(folder / "net.onnx", [node], **shapes)
        assert name in refusal(declare(folder, film_declaration()))


def test_bytes_that_are_no_network_are_refused(tmp_path: Path) -> None:
    for number, content in enumerate([b"", b"\xff" * 64, b"MZ not a network"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "net.onnx").write_bytes(content)
        assert "ONNX file" in refusal(declare(folder, film_declaration())) or content == b""


def test_a_file_of_another_digest_is_refused(tmp_path: Path) -> None:
    folder = film_folder(tmp_path / "net")
    film_onnx(folder / "net.onnx", weights=(1.0, 1.0))
    assert any("another digest" in one.words for one in checked(folder).items)
    with (
        pytest.raises(IntegrityError, match=r"not what reading-model\.yaml says"),
        Adopted(tmp_path / "models").adding(folder, name=None, licence=None),
    ):
        pass
    assert not Adopted(tmp_path / "models").rows()


def test_two_models_of_one_id_are_refused(tmp_path: Path) -> None:
    adopted = Adopted(tmp_path / "models")
    with adopted.adding(film_folder(tmp_path / "a"), name="first", licence=None):
        pass
    with (
        pytest.raises(InputError, match="'first' has the id 'film-net' too"),
        adopted.adding(film_folder(tmp_path / "b", version="2"), name="second", licence=None),
    ):
        pass
    assert [row.name for row in adopted.outside_rows()] == ["first"]
    assert sorted(p.name for p in (tmp_path / "models").iterdir()) == [
        ".lock",
        "catalogue.json",
        "first",
    ]


@pytest.mark.parametrize("name", ["run.py", "model.pkl", "lib.so", "weights.npz"])
def test_code_and_pickles_keep_a_folder_out(name: str, tmp_path: Path) -> None:
    folder = film_folder(tmp_path / "net")
    (folder / "more").mkdir()
    (folder / "more" / name).write_bytes(b"x")
    assert "code" in refusal(folder) or "pickle" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"grid": {**film_declaration()["grid"], "size": [32, 32]}}, "grid.size"),
        ({"input": {"layout": "channels-last"}}, "input"),
        ({"input": {"layout": "channels-first", "copies": 3}}, "input"),
        ({"input": {"layout": "channels-first", "tensor": "image"}}, "input.tensor"),
        ({"output": {**film_declaration()["output"], "tensor": "x"}}, "output.tensor"),
        (
            {"further_inputs": [{"tensor": "age", "means": "age", "constant": [1.0]}]},
            "further_inputs",
        ),
    ],
)
def test_what_contradicts_the_network_is_named_and_refused(
    changes: dict[str, Any], place: str, tmp_path: Path
) -> None:
    folder = film_folder(tmp_path / "net", **changes)
    (wrong, *_) = [one for one in checked(folder).items if one.state is ItemState.CONTRADICTS]
    assert wrong.item == place
    with (
        pytest.raises(InputError, match="contradict each other"),
        Adopted(tmp_path / "models").adding(folder, name=None, licence=None),
    ):
        pass


def test_a_network_that_gives_something_else_than_declared_is_refused(tmp_path: Path) -> None:
    output = {**film_declaration()["output"], "activated": True}
    folder = tmp_path / "net"
    film_onnx(folder / "net.onnx", weights=(1.0, 1.0))
    from onnx import helper

    nodes = [
        helper.make_node("ReduceMean", ["film"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Concat", ["mean", "mean"], ["two"], axis=1),
        helper.make_node("Exp", ["two"], ["e"]),
        helper.make_node("Add", ["e", "e"], ["logits"]),
    ]
    shapes: Any = {"inputs": {"film": (1, 1, 16, 16)}, "outputs": {"logits": (1, 2)}}
    save_onnx(folder / "net.onnx", nodes, **shapes)
    declare(folder, film_declaration(output=output))
    assert checked(folder).ready
    with (
        pytest.raises(InputError, match="declared to be probabilities"),
        Adopted(tmp_path / "models").adding(folder, name=None, licence=None),
    ):
        pass


@pytest.mark.parametrize("last", [False, True])
def test_volumes_with_channels_first_or_last_are_taken(last: bool, tmp_path: Path) -> None:
    folder = volume_folder(tmp_path / "net", last=last)
    assert checked(folder).ready
    with Adopted(tmp_path / "models").adding(folder, name=None, licence=None) as row:
        assert (row.task, row.state) == ("segmentation", "ready")
