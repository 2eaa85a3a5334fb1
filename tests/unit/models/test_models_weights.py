"""Weights are taken by digest alone: proof R9, and no pickle, proof S1."""

from __future__ import annotations

import ast
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medmm.domain.errors import IntegrityError
from medmm.files import sha256_of
from medmm.models.film import chest_anatomy, chest_findings
from medmm.models.weights import catalogue, model_folder
from medmm.models.weights.catalogue import CatalogueRow, open_weights, packaged_weights, row_named
from medmm.models.weights.loading import load_network
from medmm.training.weights_export import write_manifest, write_weights_folder

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")


@pytest.fixture
def small(tmp_path: Path) -> tuple[CatalogueRow, Path]:
    """A weights folder of a tiny, randomly initialised anatomy network, and its row."""
    torch.manual_seed(0)
    config = {"channels": [4, 8], "residual_units": 1, "structures": list(chest_anatomy.STRUCTURES)}
    folder = tmp_path / "chest-anatomy"
    write_weights_folder(
        folder,
        chest_anatomy.build(config),
        config=config,
        preprocessing={"size_px": 64},
        calibration={},
    )
    (folder / "card.md").write_text("# card\n")
    digest = write_manifest(
        folder, name="chest-anatomy", licence="test", research_only=True, inputs={}
    )
    return replace(row_named("chest-anatomy"), manifest_sha256=digest), tmp_path


def files_of(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_sound_folder_opens_and_a_missing_one_is_not_installed(
    small: tuple[CatalogueRow, Path],
) -> None:
    row, folder = small
    assert open_weights(row, folder) is not None
    assert open_weights(row, folder / "elsewhere") is None


def test_one_flipped_byte_in_any_file_is_refused_by_name(small: tuple[CatalogueRow, Path]) -> None:
    row, folder = small
    names = files_of(folder / row.name)
    assert {
        "manifest.json",
        "model.safetensors",
        "config.json",
        "calibration.json",
        "preprocessing.json",
    } <= set(names)
    for name in names:
        path = folder / row.name / name
        sound = path.read_bytes()
        path.write_bytes(bytes([sound[0] ^ 1]) + sound[1:])
        with pytest.raises(IntegrityError) as caught:
            open_weights(row, folder)
        assert caught.value.where["file"] == name
        path.write_bytes(sound)
    assert open_weights(row, folder) is not None


@pytest.mark.parametrize("name", ["chest-findings", "chest-anatomy"])
def test_every_file_that_ships_is_guarded(name: str, tmp_path: Path) -> None:
    shipped = packaged_weights() / name
    shutil.copytree(shipped, tmp_path / name)
    for file in files_of(shipped):
        path = tmp_path / name / file
        sound = path.read_bytes()
        path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        with pytest.raises(IntegrityError) as caught:
            open_weights(row_named(name), tmp_path)
        assert caught.value.where["file"] == file
        path.write_bytes(sound)
    assert open_weights(row_named(name), tmp_path) is not None


@pytest.mark.parametrize("change", ["extra", "missing"])
def test_a_file_too_many_or_too_few_is_refused(
    change: str, small: tuple[CatalogueRow, Path]
) -> None:
    row, folder = small
    if change == "extra":
        (folder / row.name / "more.bin").write_bytes(b"x")
    else:
        (folder / row.name / "card.md").unlink()
    with pytest.raises(IntegrityError):
        open_weights(row, folder)
    assert {r.state for r in catalogue.model_rows(folder) if r.name == row.name} == {"altered"}


def test_a_network_of_ones_own_in_place_of_a_released_one_is_told_apart_from_an_altered_one(
    small: tuple[CatalogueRow, Path],
) -> None:
    row, folder = small
    path = folder / row.name / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "torch": "another"}))
    with pytest.raises(IntegrityError, match="not the network of this release") as caught:
        open_weights(row, folder)
    assert "medmm models add" in caught.value.remedy
    assert {r.state for r in catalogue.model_rows(folder) if r.name == row.name} == {"another"}


def test_a_poisoned_checkpoint_with_matching_digests_is_refused(
    small: tuple[CatalogueRow, Path], tmp_path: Path
) -> None:
    row, folder = small
    marker = tmp_path / "ran"

    class Poison:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (marker,))  # type: ignore[return-value]

    (folder / row.name / "model.safetensors").write_bytes(pickle.dumps(Poison()))
    digest = write_manifest(
        folder / row.name, name=row.name, licence="test", research_only=True, inputs={}
    )
    weights = open_weights(replace(row, manifest_sha256=digest), folder)
    assert weights is not None
    with pytest.raises(IntegrityError, match="do not fit"):
        load_network(weights, CPU)
    assert not marker.exists()


def test_a_save_and_reload_gives_identical_logits(tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = {"findings": ["A", "B", "C"]}
    network = chest_findings.build(config)
    folder = tmp_path / "chest-findings"
    for turn in range(2):
        write_weights_folder(folder, network, config=config, preprocessing={}, calibration={})
        digest = write_manifest(
            folder, name="chest-findings", licence="test", research_only=True, inputs={}
        )
        weights = open_weights(
            replace(row_named("chest-findings"), manifest_sha256=digest), tmp_path
        )
        assert weights is not None
        loaded = load_network(weights, CPU)
        film = torch.rand(2, 1, 64, 64)
        with torch.inference_mode():
            if turn:  # the second time the parameters are already those of the file
                assert torch.equal(loaded(film), network(film))
        network = loaded


def test_weights_of_another_architecture_are_refused(small: tuple[CatalogueRow, Path]) -> None:
    row, folder = small
    config = folder / row.name / "config.json"
    config.write_text(config.read_text().replace("8", "16"))
    digest = write_manifest(
        folder / row.name, name=row.name, licence="test", research_only=True, inputs={}
    )
    weights = open_weights(replace(row, manifest_sha256=digest), folder)
    assert weights is not None
    with pytest.raises(IntegrityError, match="do not fit"):
        load_network(weights, CPU)


def test_the_manifest_holds_every_digest(small: tuple[CatalogueRow, Path]) -> None:
    row, folder = small
    weights = open_weights(row, folder)
    assert weights is not None
    listed = weights.json("manifest.json")["files"]
    assert listed == {
        n: sha256_of(folder / row.name / n)
        for n in files_of(folder / row.name)
        if n != "manifest.json"
    }


UNSAFE_MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "jsonpickle",
}
UNSAFE_CALLS = {("torch", "load"), ("torch", "save"), ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"),
                ("pd", "read_pickle"), ("pandas", "read_pickle")}  # fmt: skip


def _tensors_alone(call: ast.Call) -> bool:
    """`torch.load` with a literal `weights_only=True`, which unpickles tensors and no code."""
    given = [k.value for k in call.keywords if k.arg == "weights_only"]
    return any(isinstance(value, ast.Constant) and value.value is True for value in given)


def unsafe(source: str) -> list[str]:
    """Unsafe loaders that a source names."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in UNSAFE_MODULES]
        elif (
            isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNSAFE_MODULES
        ):
            found.append(str(node.module))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            if (owner, node.func.attr) in UNSAFE_CALLS and not _tensors_alone(node):
                found.append(f"{owner}.{node.func.attr}")
            if any(
                k.arg == "allow_pickle"
                and not (isinstance(k.value, ast.Constant) and k.value.value is False)
                for k in node.keywords
            ):
                found.append("allow_pickle")
        elif isinstance(node, ast.Name) and node.id in ("eval", "exec"):
            found.append(node.id)
    return found


@pytest.mark.parametrize("source", ["import pickle", "from joblib import load", "torch.load('x')", "torch.load('x', weights_only=False)", "yaml.load(x)",
                                    "np.load(f, allow_pickle=True)", "eval(x)"])  # fmt: skip
def test_an_unsafe_loader_would_be_noticed(source: str) -> None:
    assert unsafe(source)


def test_no_shipped_source_has_an_unsafe_loader() -> None:
    files = [p for folder in ("medmm", "pipelines", "ui") for p in (ROOT / folder).rglob("*.py")]
    assert len(files) > 80
    assert {
        str(p): unsafe(p.read_text(encoding="utf-8"))
        for p in files
        if unsafe(p.read_text(encoding="utf-8"))
    } == {}


@pytest.mark.parametrize("name", sorted(catalogue.catalogue()))
def test_what_training_and_evaluation_write_can_be_added(name: str) -> None:
    if not (packaged_weights() / name).is_dir():
        pytest.skip(f"{name} is not installed")
    assert "manifest.json" in model_folder.files_of(packaged_weights() / name)


@pytest.mark.parametrize(
    "build", ["medmm.models.chest_anatomy:build", f"{chest_anatomy.__name__}:build"]
)
def test_folders_open_whose_config_names_the_builder_by_its_former_or_its_present_module(
    build: str, tmp_path: Path
) -> None:
    config = {
        "build": build,
        "channels": [4, 8],
        "residual_units": 1,
        "structures": list(chest_anatomy.STRUCTURES),
    }
    network, folder = chest_anatomy.build(config), tmp_path / "chest-anatomy"
    write_weights_folder(
        folder, network, config=config, preprocessing={"size_px": 64}, calibration={}
    )
    (folder / "card.md").write_text("# card\n")
    digest = write_manifest(
        folder, name="chest-anatomy", licence="test", research_only=True, inputs={}
    )
    weights = open_weights(replace(row_named("chest-anatomy"), manifest_sha256=digest), tmp_path)
    assert weights is not None
    opened = load_network(weights, CPU)
    torch.testing.assert_close(
        opened.state_dict(), network.state_dict(), rtol=1e-3, atol=1e-5
    )  # kept in half precision
