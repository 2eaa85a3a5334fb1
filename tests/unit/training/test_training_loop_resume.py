"""A run that was stopped or cut off goes on to the same bits, or says why it does not."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from medmm.domain.errors import IntegrityError, StateError
from medmm.training.loop.fitting import LoopOptions, fit
from medmm.training.loop.state import digest
from medmm.training.reports.objective import ReportObjective
from tests.tiny_multimodal import OBJECTIVE, OPTIONS, collate, examples, film_model, same, state_of

ROWS = 10  # with batch 2 and accumulate 2: three steps an epoch, the last of two examples


def run(
    run_dir: Path,
    model: Any = None,
    batches: Callable[..., Any] = collate,
    rows: int = ROWS,
    **more: Any,
) -> Any:
    model = model or film_model(0.1)
    options = LoopOptions(
        **OPTIONS | {"batch": 2, "accumulate": 2, "epochs": 3, "log_every": 2} | more
    )
    result = fit(
        model, examples(rows), ReportObjective(collate=batches), options, run_dir, quiet=True
    )
    return state_of(model), result


class Noisy:
    """A collate that draws from each generator, as augmentation does, and does something at one of its calls."""

    def __init__(self, call: int = -1, then: Callable[[], None] = lambda: None) -> None:
        self.calls, self.call, self.then = 0, call, then

    def __call__(self, rows: list[Any]) -> dict[str, Tensor]:
        batch = collate(rows)
        if "pixel_values" in batch:
            noise = torch.rand(()) + random.random() + float(np.random.standard_normal())
            batch["pixel_values"] = batch["pixel_values"] + 0.1 * noise
        if self.calls == self.call:
            self.then()
        self.calls += 1
        return batch


def ask(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def without_time(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in row.items() if key != "examples_per_second"} for row in rows
    ]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run(tmp_path_factory.mktemp("whole"), batches=Noisy())


@pytest.mark.parametrize(("call", "number", "step"), [
    (0, signal.SIGTERM, 1), (3, signal.SIGINT, 2), (4, signal.SIGTERM, 3), (9, signal.SIGTERM, 6), (11, signal.SIGINT, 7),
])  # fmt: skip
def test_a_stopped_run_goes_on_to_the_same_bits(
    tmp_path: Path, uninterrupted: Any, call: int, number: signal.Signals, step: int
) -> None:
    """With dropout, augmentation and accumulation; stops within an epoch, at its end and after its first step."""
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    _, first = run(tmp_path, batches=Noisy(call, ask(number)))
    assert (first.steps, first.stopped) == (step, True)
    assert json.loads((tmp_path / "manifest.json").read_text())["stopped"] is True
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    torch.manual_seed(99)
    state, second = run(tmp_path, batches=Noisy())
    whole, result = uninterrupted
    assert (second.steps, second.stopped) == (9, False)
    assert same(state, whole)
    assert without_time(second.log) == without_time(result.log)
    assert json.loads((tmp_path / "manifest.json").read_text())["stopped"] is False


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("batch", [{"batch": 4, "accumulate": 1}, {"batch": 2, "accumulate": 2}])
def test_a_run_stopped_after_each_step_is_one_run(
    tmp_path: Path, dropout: float, batch: dict[str, int]
) -> None:
    whole, result = run(tmp_path / "whole", film_model(dropout), **batch)
    for step in range(1, 10):
        state, part = run(tmp_path / "parts", film_model(dropout), batches=Noiseless(), **batch)
        assert part.steps == step
    assert part.stopped
    state, part = run(tmp_path / "parts", film_model(dropout), **batch)
    assert same(state, whole)
    assert without_time(part.log) == without_time(result.log)


def test_an_average_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, result = run(tmp_path / "whole", batches=Noisy(), average=0.5)
    _, first = run(tmp_path / "parts", batches=Noisy(8, ask(signal.SIGTERM)), average=0.5)
    assert first.stopped
    shutil.copytree(tmp_path / "parts", tmp_path / "lost")
    (tmp_path / "lost" / "checkpoint" / "average.safetensors").unlink()
    with pytest.raises(IntegrityError, match="altered or is not whole"):
        run(tmp_path / "lost", average=0.5)
    state, second = run(tmp_path / "parts", batches=Noisy(), average=0.5)
    assert same(state, whole)
    assert without_time(second.log) == without_time(result.log)


def test_a_run_from_before_there_were_averages_goes_on(tmp_path: Path) -> None:
    run(tmp_path, batches=Noiseless())
    file = tmp_path / "checkpoint" / "state.json"
    content = json.loads(file.read_text())
    del content["run"]["options"]["average"]
    content["digest"] = digest(content["run"])
    file.write_text(json.dumps(content))
    assert run(tmp_path)[1].steps == 9


def test_a_signal_during_the_last_look_stops_the_caller_too(tmp_path: Path) -> None:
    options = LoopOptions(**OPTIONS)
    looks = iter(range(9))

    def look(model: Any) -> dict[str, float]:
        if next(looks) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return {}

    first = fit(film_model(), examples(4), OBJECTIVE, options, tmp_path, validate=look, quiet=True)
    assert (first.steps, first.stopped) == (2, True)
    again = fit(film_model(), examples(4), OBJECTIVE, options, tmp_path, validate=look, quiet=True)
    assert (again.steps, again.stopped) == (2, False)


class Noiseless(Noisy):
    """Asks to stop at its first call."""

    def __call__(self, rows: list[Any]) -> dict[str, Tensor]:
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        self.calls += 1
        return collate(rows)


def test_a_run_that_was_cut_off_goes_on_from_its_last_checkpoint(
    tmp_path: Path, uninterrupted: Any
) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, batches=Noisy(13, fail), save_every=2)
    assert json.loads((tmp_path / "checkpoint" / "state.json").read_text())["place"]["step"] == 6
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"kind": "steps", "st')
    state, result = run(tmp_path, batches=Noisy(), save_every=5)
    assert same(state, uninterrupted[0])
    assert without_time(result.log) == without_time(uninterrupted[1].log)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == result.log


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    state, result = run(tmp_path)
    counting = Noisy()
    again, second = run(tmp_path, batches=counting)
    assert counting.calls == 0
    assert same(state, again)
    assert second == result


@pytest.mark.parametrize("cut", ["before", "between"])
def test_a_save_that_is_cut_off_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str, uninterrupted: Any
) -> None:
    """Cut off before the old checkpoint is put aside, and between that and the new one taking its place."""
    renamed = Path.rename
    done: list[str] = []

    def rename(self: Path, target: Path) -> Path:
        if len(done) == (1 if cut == "before" else 2):
            raise KeyboardInterrupt
        done.append(self.name)
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, batches=Noisy(), save_every=1)
    monkeypatch.undo()
    assert (tmp_path / "checkpoint").exists() is (cut == "before")
    state, _ = run(tmp_path, batches=Noisy(), save_every=1)
    assert same(state, uninterrupted[0])
    assert sorted(
        p.name for p in tmp_path.iterdir() if p.is_dir() and p.name.startswith("check")
    ) == ["checkpoint"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    run(folder, batches=Noiseless())
    return folder


def test_another_run_is_refused_and_the_difference_named(tmp_path: Path, stopped: Path) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "run"))
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(StateError, match=r"learning_rate was 0\.003 and is 0\.1"):
        run(folder, learning_rate=0.1)
    with pytest.raises(StateError, match="it had 10 examples, now there are 9"):
        run(folder, rows=9)
    with pytest.raises(StateError, match="trained was") as refused:
        run(folder, trained=("connectors.",))
    assert "another run folder" in refused.value.remedy
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_other_frozen_weights_are_refused(tmp_path: Path) -> None:
    run(tmp_path, batches=Noiseless(), trained=("connectors.",))
    model = film_model(0.1)
    with torch.no_grad():
        model.record.numbers[0].weight[0, 0] += 1
    with pytest.raises(StateError, match="the weights that do not learn differ"):
        run(tmp_path, model, trained=("connectors.",))


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
def test_an_altered_checkpoint_is_refused(tmp_path: Path, stopped: Path, name: str) -> None:
    for number, spoil in enumerate(
        [lambda b: b[:-20] + bytes([b[-20] ^ 1]) + b[-19:], lambda b: b[:40], lambda b: b""]
    ):
        folder = Path(shutil.copytree(stopped, tmp_path / str(number)))
        file = folder / "checkpoint" / name
        file.write_bytes(spoil(file.read_bytes()))
        if name == "state.json" and number == 0:
            file.write_text(file.read_text().replace('"examples": 10', '"examples": 11'))
        with pytest.raises(IntegrityError, match="altered or is not whole"):
            run(folder)


def test_a_lost_log_is_said(tmp_path: Path) -> None:
    run(tmp_path, batches=Noisy(5, ask(signal.SIGTERM)))
    (tmp_path / "log.jsonl").unlink()
    with pytest.raises(IntegrityError, match="the log of the run is not whole"):
        run(tmp_path)


def test_a_second_signal_acts_at_once_and_handlers_come_back(tmp_path: Path) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    outside = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, batches=Noisy(0, twice))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, outside)


def test_it_runs_outside_the_main_thread(tmp_path: Path) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(run(tmp_path, epochs=1)[1].steps))
    thread.start()
    thread.join()
    assert found == [3]


def test_nothing_is_pickled(stopped: Path) -> None:
    assert sorted(p.name for p in (stopped / "checkpoint").iterdir()) == [
        "optimizer.safetensors", "state.json", "weights.safetensors",
    ]  # fmt: skip
