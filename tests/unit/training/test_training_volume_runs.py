"""Runs over volumes: a stopped one goes on to the same bits, averaged weights come out, another recipe is refused."""

from __future__ import annotations

import csv
import json
import os
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor

from medmm.domain.errors import ConfigError, InputError, StateError
from medmm.training.mr import volume_networks
from medmm.training.mr.objective import VolumeObjective
from pipelines import train
from tests.tiny_multimodal import same, state_of
from tests.volume_sets import ONE, TINY_RECIPE, TWO, outlined, recipe, trained

AUGMENTATION = {**recipe("brain_lesion")["augmentation"], "missing_share": 0.5}
SMALL = {
    "sequences": ["T1", "FLAIR"], "labels": ["one", "two"], "side_px": None, "cycles": [2, 2], "patches": 3, "batch": 2,
    "look_every": 1, "augmentation": AUGMENTATION,
}  # fmt: skip


def run(run_dir: Path, **changes: Any) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Two cycles of two epochs, with batch norms, presence and sequences that go missing."""
    network, log = trained(run_dir, "brain_lesion", ("pre", "flair"), **{**SMALL, **changes})
    return state_of(network), log


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("whole")
    return folder, *run(folder)


def asked_at(call: int, of: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which is asked to stop at one of its calls."""
    calls = iter(range(1000))

    def asked(*given: Any) -> Any:
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGINT)
        return of(*given)

    return asked


@pytest.mark.parametrize(("owner", "name", "call", "cycle", "step"), [
    (VolumeObjective, "batch", 1, "1", 2),
    (VolumeObjective, "batch", 2 * 3 - 1, "1", 6),
    (volume_networks, "val_dice", 1, "1", 6),
    (VolumeObjective, "batch", 2 * 3 + 4, "2", 5),
])  # fmt: skip
def test_a_stopped_run_goes_on_to_the_same_bits(
    tmp_path: Path,
    whole: Any,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    call: int,
    cycle: str,
    step: int,
) -> None:
    """Stops within a cycle, at its last step, in its last look and within the next one."""
    monkeypatch.setattr(owner, name, asked_at(call, getattr(owner, name)))
    with pytest.raises(InputError, match="stopped") as stop:
        run(tmp_path)
    monkeypatch.undo()
    assert stop.value.where == {"cycle": cycle}
    place = json.loads((tmp_path / f"cycle-{cycle}" / "checkpoint" / "state.json").read_text())[
        "place"
    ]
    assert place["step"] == step
    torch.manual_seed(99)
    state, log = run(tmp_path)
    assert same(state, whole[1])
    assert log == whole[2]


def test_averaged_weights_come_out_and_are_looked_at_and_begun_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Any
) -> None:
    begun, looked = [], []
    fit, val_dice = volume_networks.fit, volume_networks.val_dice

    def fitting(network: Any, *given: Any, **named: Any) -> Any:
        begun.append(state_of(network))
        return fit(network, *given, **named)

    def looking(network: Any, *given: Any) -> Any:
        looked.append(state_of(network))
        return val_dice(network, *given)

    monkeypatch.setattr(volume_networks, "fit", fitting)
    monkeypatch.setattr(volume_networks, "val_dice", looking)
    state, _ = run(tmp_path)
    assert same(state, whole[1])
    for number, after in ((1, begun[1]), (2, state)):
        folder = tmp_path / f"cycle-{number}" / "checkpoint"
        average, moving = (
            load_file(folder / f"{name}.safetensors") for name in ("average", "weights")
        )
        assert any("running_var" in name for name in average)
        for name, value in average.items():
            assert torch.equal(after[name], value), name
            assert not torch.equal(moving[name], value), name
    assert same(floats(looked[1]), floats(begun[1]))
    assert same(floats(looked[3]), floats(state))


def floats(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if value.is_floating_point()}


def test_another_recipe_is_refused_by_the_key_that_differs(whole: Any) -> None:
    folder, state, _ = whole
    for changes, said in (
        ({"augmentation": {**AUGMENTATION, "blur": 2.0}}, "augmentation.blur was 1.0 and is 2.0"),
        ({"presence_weight": 0.5}, "presence_weight was 0.3 and is 0.5"),
        ({"average": 0.5}, "average was 0.9 and is 0.5"),
        ({"cycles": [3, 2]}, "epochs was 2 and is 3"),
        ({"norm": "instance"}, "norm was 'batch' and is 'instance'"),
    ):
        with pytest.raises(StateError) as refused:
            run(folder, **changes)
        assert said in refused.value.problem
    assert same(run(folder, flips=[1], window_zyx=[4, 16, 16])[0], state), "live use alone"


def test_a_gpu_that_is_not_here_is_missed_before_anything_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device is here"):
        run(tmp_path, device="cuda")
    assert not list(tmp_path.iterdir())


def test_a_run_says_what_it_learned(whole: Any) -> None:
    folder, _, log = whole
    assert [(row["name"], row["epoch"]) for row in log] == [
        (f"cycle {c}", e) for c in (1, 2) for e in (1, 2)
    ]
    assert all(set(row["val_dice"]) == {"one", "two"} for row in log)
    for number in (1, 2):
        rows = [
            json.loads(line)
            for line in (folder / f"cycle-{number}" / "log.jsonl").read_text().splitlines()
        ]
        assert all(
            row["loss"] == pytest.approx(row["outline_loss"] + 0.3 * row["presence_loss"], rel=1e-5)
            for row in rows
        )
        page = (folder / f"cycle-{number}" / "curves.html").read_text()
        for title in ("Loss of the outlines", "Loss of presence in slices", "Validation: two"):
            assert title in page
        manifest = json.loads((folder / f"cycle-{number}" / "manifest.json").read_text())
        assert manifest["settings"]["augmentation.missing_share"] == 0.5
        assert "checkpoint/average.safetensors" in manifest["files"]
        assert manifest["options"]["seed"] == number - 1


def packed(folder: Path) -> Path:
    """A folder of the shared data's layout with four made-up hippocampi."""
    rows = [("a", "train", ONE), ("b", "train", TWO), ("c", "val", ONE), ("d", "val", TWO)]
    (folder / "mri").mkdir(parents=True)
    with (folder / "mri" / "subjects.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["set", "subject", "split", "person"])
        table.writerows(["hippocampus", subject, split, subject] for subject, split, _ in rows)
    with zipfile.ZipFile(folder / "mri" / "hippocampus.zip", "w") as archive:
        for subject, _, values in rows:
            one = outlined(values)
            for kind, array in (("image", one.signals[0]), ("label", one.labels)):
                assert array is not None
                image = nibabel.Nifti1Image(array.T, np.eye(4))
                archive.writestr(f"{subject}_{kind}.nii", image.to_bytes())
    return folder


def test_the_command_goes_on_and_writes_a_weights_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    data, file, out = packed(tmp_path / "data"), tmp_path / "tiny.yaml", tmp_path / "out"
    file.write_text(yaml.safe_dump(recipe("hippocampus", **TINY_RECIPE)))
    command = [str(file), "--data", str(data), "--out", str(out)]
    monkeypatch.setattr(VolumeObjective, "batch", asked_at(9, VolumeObjective.batch))
    assert train.main(command) == 3
    assert (
        "the training was stopped (cycle 1); give the same command again: it goes on"
        in capsys.readouterr().err
    )
    assert (
        f"run: {tmp_path / 'out-run'}, each stage or cycle with its curves.html" in caplog.messages
    )
    assert not out.exists()
    assert (tmp_path / "out-run" / "cycle-1" / "curves.html").is_file()
    monkeypatch.undo()
    assert train.main(command) == 0
    content = json.loads((out / "training.json").read_text())
    assert content["config"] == yaml.safe_load(file.read_text())
    assert (content["volumes"], content["device"]) == (2, "cpu")
    assert [row["epoch"] for row in content["log"]] == list(range(1, 9))
    assert set(content["log"][7]["val_dice"]) == {"anterior hippocampus", "posterior hippocampus"}
    average = load_file(tmp_path / "out-run" / "cycle-1" / "checkpoint" / "average.safetensors")
    written = load_file(out / "model.safetensors")
    assert written.keys() == average.keys()
    assert all(torch.equal(value.half(), written[name].half()) for name, value in average.items())
    before = json.loads((out / "calibration.json").read_text())
    assert before["hippocampus volume"]["subjects"] == 2
    (out / "calibration.json").write_text("{}")
    assert train.main([*command, "--calibrate"]) == 0
    assert json.loads((out / "calibration.json").read_text()) == before
    with (data / "mri" / "subjects.csv").open("a") as table:
        table.write("hippocampus,e,test,e\n")
    assert train.main(command) == 6
    assert "the run folder holds another run: inputs differ" in capsys.readouterr().err
