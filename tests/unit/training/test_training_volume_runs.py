"""Runs over volumes: a stopped one goes on to the same bits, averaged weights come out, another recipe is refused."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from medmm.domain.errors import InputError, StateError
from medmm.training import volumes
from medmm.training.volume_objective import VolumeObjective
from tests.tiny_multimodal import same, state_of
from tests.volume_sets import recipe, trained

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
    (VolumeObjective, "batch", 1, "cycle 1", 2),
    (VolumeObjective, "batch", 2 * 3 - 1, "cycle 1", 6),
    (volumes, "val_dice", 1, "cycle 1", 6),
    (VolumeObjective, "batch", 2 * 3 + 4, "cycle 2", 5),
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
    place = json.loads((tmp_path / cycle.replace(" ", "-") / "checkpoint" / "state.json").read_text())["place"]
    assert place["step"] == step
    torch.manual_seed(99)
    state, log = run(tmp_path)
    assert same(state, whole[1])
    assert log == whole[2]


def test_averaged_weights_come_out_and_are_looked_at_and_begun_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Any
) -> None:
    begun, looked = [], []
    fit, val_dice = volumes.fit, volumes.val_dice

    def fitting(network: Any, *given: Any, **named: Any) -> Any:
        begun.append(state_of(network))
        return fit(network, *given, **named)

    def looking(network: Any, *given: Any) -> Any:
        looked.append(state_of(network))
        return val_dice(network, *given)

    monkeypatch.setattr(volumes, "fit", fitting)
    monkeypatch.setattr(volumes, "val_dice", looking)
    state, _ = run(tmp_path)
    assert same(state, whole[1])
    for number, after in ((1, begun[1]), (2, state)):
        folder = tmp_path / f"cycle-{number}" / "checkpoint"
        average, moving = (load_file(folder / f"{name}.safetensors") for name in ("average", "weights"))
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


def test_a_run_says_what_it_learned(whole: Any) -> None:
    folder, _, log = whole
    assert [(row["name"], row["epoch"]) for row in log] == [(f"cycle {c}", e) for c in (1, 2) for e in (1, 2)]
    assert all(set(row["val_dice"]) == {"one", "two"} for row in log)
    for number in (1, 2):
        rows = [json.loads(line) for line in (folder / f"cycle-{number}" / "log.jsonl").read_text().splitlines()]
        assert all(
            row["loss"] == pytest.approx(row["outline_loss"] + 0.3 * row["presence_loss"], rel=1e-5) for row in rows
        )
        page = (folder / f"cycle-{number}" / "curves.html").read_text()
        for title in ("Loss of the outlines", "Loss of presence in slices", "Validation: two"):
            assert title in page
        manifest = json.loads((folder / f"cycle-{number}" / "manifest.json").read_text())
        assert manifest["settings"]["augmentation.missing_share"] == 0.5
        assert "checkpoint/average.safetensors" in manifest["files"]
        assert manifest["options"]["seed"] == number - 1
