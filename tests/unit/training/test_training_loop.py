"""The training loop: it learns, is the same at each run, and says what it did."""

from __future__ import annotations

import hashlib
import json
import logging
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import torch

from medmm.domain.errors import ConfigError, InputError, StateError
from medmm.training.loop import run_log
from medmm.training.loop.curves import curves, ticks
from medmm.training.loop.fitting import FitResult, LoopOptions, fit
from medmm.training.loop.sharding import Processes
from medmm.training.reports.objective import ReportObjective
from tests.tiny_multimodal import OBJECTIVE, OPTIONS, examples, film_model, same, state_of


def run(
    run_dir: Path, model: Any = None, rows: int = 10, **more: Any
) -> tuple[dict[str, torch.Tensor], FitResult]:
    model = model or film_model()
    extra = {key: more.pop(key) for key in ("validate", "inputs") if key in more}
    result = fit(
        model,
        examples(rows),
        OBJECTIVE,
        LoopOptions(**OPTIONS | more),
        run_dir,
        quiet=True,
        **extra,
    )
    return state_of(model), result


def test_the_loss_falls_and_the_seed_alone_decides(tmp_path: Path) -> None:
    quick = {"epochs": 6, "learning_rates": {"encoders.": 0.03}}
    state, result = run(tmp_path / "a", **quick)
    again, _ = run(tmp_path / "b", **quick)
    other, _ = run(tmp_path / "c", **quick, seed=1)
    epochs = [row for row in result.log if row["kind"] == "epoch"]
    assert result.steps == 18
    assert not result.stopped
    assert [row["step"] for row in epochs] == [3, 6, 9, 12, 15, 18]
    for key in ("loss", "text_loss", "finding_loss"):
        assert epochs[-1][key] < 0.9 * epochs[0][key]
    assert same(state, again)
    assert not same(state, other)


def test_a_step_is_the_same_however_it_is_cut(tmp_path: Path) -> None:
    """Examples teach from 4 to 10 tokens and 0 to 2 labels: a mean of the batches' means would differ."""
    whole, one = run(tmp_path / "a", batch=8, accumulate=1)
    parts, other = run(tmp_path / "b", batch=2, accumulate=4)
    assert one.log[-1]["loss"] == pytest.approx(other.log[-1]["loss"], rel=1e-5)
    for name, value in whole.items():
        torch.testing.assert_close(value, parts[name], atol=2e-5, rtol=1e-4, msg=name)


def test_the_log_is_the_mean_of_its_steps(tmp_path: Path) -> None:
    _, fine = run(tmp_path / "a", log_every=1)
    _, coarse = run(tmp_path / "b", log_every=3)
    steps = [row["loss"] for row in fine.log if row["kind"] == "steps"]
    rows = {row["step"]: row for row in coarse.log if row["kind"] == "steps"}
    assert rows[3]["loss"] == pytest.approx(sum(steps[:3]) / 3)
    assert rows[6]["loss"] == pytest.approx(sum(steps[3:6]) / 3)
    options = LoopOptions(**OPTIONS)
    assert rows[6]["learning_rate"] == options.learning_rate * options.share_of_rate(5, 6)


def test_only_what_is_named_learns_and_batch_norms_keep_their_statistics(tmp_path: Path) -> None:
    model = film_model()
    before = state_of(model)
    after, _ = run(tmp_path, model, trained=("connectors.", "encoders.film.trunk.layer3"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("connectors.") for name in changed)
    assert any(name.startswith("encoders.film.trunk.layer3") for name in changed)
    assert all(name.startswith(("connectors.", "encoders.film.trunk.layer3")) for name in changed)
    assert not any("running" in name or "num_batches" in name for name in changed)
    assert not model.training


def test_a_part_can_have_a_learning_rate_of_its_own(tmp_path: Path) -> None:
    before = state_of(film_model())
    after, _ = run(tmp_path, epochs=1, learning_rates={"language_model.": 1e-12}, weight_decay=0.0)
    moved = {
        name: float((after[name] - before[name]).abs().max())
        for name in before
        if before[name].is_floating_point()
    }
    assert max(moved[n] for n in moved if n.startswith("language_model.")) < 1e-7
    assert max(moved[n] for n in moved if n.startswith("connectors.")) > 1e-4


def test_checkpointing_and_bf16_learn_too(tmp_path: Path) -> None:
    plain, _ = run(tmp_path / "a")
    spared, _ = run(tmp_path / "b", gradient_checkpointing=True)
    _, short = run(tmp_path / "c", precision="bf16", epochs=4)
    for name, value in plain.items():
        torch.testing.assert_close(value, spared[name], msg=name)
    epochs = [row["loss"] for row in short.log if row["kind"] == "epoch"]
    assert epochs[-1] < epochs[0]
    assert json.loads((tmp_path / "c" / "manifest.json").read_text())["precision"] == "bf16"


def test_a_model_in_bf16_learns_in_fp32(tmp_path: Path) -> None:
    model = film_model().to(torch.bfloat16)
    run(tmp_path, model, trained=("connectors.",))
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_validation_is_logged_and_changes_nothing(tmp_path: Path) -> None:
    seen = []

    def validate(model: Any) -> dict[str, float]:
        seen.append((model.training, torch.is_grad_enabled(), float(torch.rand(()))))
        return {"auroc": 0.5 + len(seen) / 10, "undefined": float("nan")}

    checked, result = run(tmp_path / "a", film_model(0.2), validate=validate)
    plain, _ = run(tmp_path / "b", film_model(0.2))
    assert same(checked, plain)
    assert [row["validation"] for row in result.log if row["kind"] == "epoch"] == [
        {"auroc": 0.6, "undefined": None},
        {"auroc": 0.7, "undefined": None},
    ]
    assert [training or grad for training, grad, _ in seen] == [False, False]
    assert "Validation: auroc" in (tmp_path / "a" / "curves.html").read_text()


def test_validation_keeps_its_cadence_and_ends_the_run(tmp_path: Path) -> None:
    scores = iter(range(10))
    _, result = run(
        tmp_path, epochs=5, validate_every=2, validate=lambda model: {"call": float(next(scores))}
    )
    epochs = [row.get("validation") for row in result.log if row["kind"] == "epoch"]
    assert epochs == [None, {"call": 0.0}, None, {"call": 1.0}, {"call": 2.0}]


def test_the_average_is_looked_at_and_handed_back_and_changes_nothing_of_the_steps(
    tmp_path: Path,
) -> None:
    """A mean over the steps as the loop gives them, step by step."""
    plain, looked = Looks(), Looks()
    run(tmp_path / "a", rows=4, epochs=6, validate=plain)  # a step an epoch
    after, _ = run(tmp_path / "b", rows=4, epochs=6, validate=looked, average=0.4)
    kept = state_of(film_model())
    for step, (moved, shown) in enumerate(zip(plain.states, looked.states, strict=True), start=1):
        decay = min(0.4, (1 + step) / (10 + step))
        for name, value in moved.items():
            kept[name] = (
                kept[name] * decay + value * (1 - decay) if value.is_floating_point() else value
            )
            torch.testing.assert_close(shown[name], kept[name], atol=1e-6, rtol=1e-5, msg=name)
    assert len(looked.states) == 6
    assert same(after, looked.states[-1])
    assert not same(after, plain.states[-1])


class Looks:
    """A validation that keeps the weights it sees."""

    def __init__(self) -> None:
        self.states: list[dict[str, torch.Tensor]] = []

    def __call__(self, model: Any) -> dict[str, float]:
        self.states.append(state_of(model))
        return {}


def test_the_run_folder_says_what_was_done(tmp_path: Path) -> None:
    table = tmp_path / "train.csv"
    table.write_text("film,text\n")
    _, result = run(tmp_path / "run", inputs={"films": table})
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == result.log
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["inputs"] == {"films": hashlib.sha256(table.read_bytes()).hexdigest()}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((tmp_path / "run" / name).read_bytes()).hexdigest() == digest
    assert "checkpoint/weights.safetensors" in manifest["files"]
    assert (manifest["steps"], manifest["examples"], manifest["stopped"]) == (6, 10, False)
    options = json.dumps(manifest["options"], sort_keys=True).encode()
    assert manifest["options_sha256"] == hashlib.sha256(options).hexdigest()
    assert manifest["versions"]["torch"] == str(torch.__version__)
    table.write_text("film,text\nmore,\n")
    with pytest.raises(StateError, match="inputs differ"):
        run(tmp_path / "run", inputs={"films": table})


def test_the_page_stands_alone() -> None:
    rows = [
        {
            "kind": "steps",
            "step": 10,
            "epoch": 1,
            "loss": 3.0,
            "text_loss": None,
            "learning_rate": 1e-4,
        },
        {
            "kind": "steps",
            "step": 20,
            "epoch": 1,
            "loss": 2.5,
            "text_loss": None,
            "learning_rate": 2e-4,
        },
        {
            "kind": "epoch",
            "step": 20,
            "epoch": 1,
            "loss": 2.7,
            "learning_rate": 2e-4,
            "validation": {"a<b": 0.5},
        },
    ]
    text = curves("one & two", rows, "Step 20 of 40.")
    assert "<script" not in text
    assert "http:" not in text
    assert "https:" not in text
    assert "one &amp; two" in text
    assert "Loss of the text" not in text
    figures = text[text.index("<main>") : text.index("</main>") + 7]
    root = ET.fromstring(figures)
    assert [f.findtext("h2") for f in root] == ["Loss", "Learning rate", "Validation: a<b"]
    line = root.find(".//polyline[@class='line']")
    assert line is not None
    (x0, y0), (x1, y1) = [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
    assert x0 < x1
    assert y0 < y1, "a loss that falls goes down the page"
    assert "No step was logged" in curves("x", [], "")


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (2.0, 2.0), (0.0, 0.0), (-3e-9, 5e-9), (1e6, 1e6 + 1)]
)
def test_ticks_hold_their_range(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low <= high <= found[-1]
    assert found == sorted(set(found))
    assert 2 <= len(found) <= 7


def test_tensorboard_is_missed_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log.importlib.util, "find_spec", lambda name: None)
    with caplog.at_level(logging.INFO):
        run(tmp_path, epochs=1)
    assert "pip install 'medmm[tensorboard]'" in caplog.text
    assert "train, epoch 1, step 3: loss" in caplog.text


def test_tensorboard_is_written_where_it_is(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run(tmp_path, epochs=1)
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_what_cannot_be_learned_from_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = LoopOptions(**OPTIONS)
    with pytest.raises(InputError, match="no examples"):
        fit(film_model(), [], OBJECTIVE, options, tmp_path)

    def unlabelled(rows: list[Any]) -> dict[str, torch.Tensor]:
        return {"input_ids": torch.stack([row["ids"] for row in rows])}

    with pytest.raises(InputError, match="without labels"):
        fit(film_model(), examples(4), ReportObjective(collate=unlabelled), options, tmp_path)
    with pytest.raises(ConfigError, match="no parameter's name starts with 'conector'"):
        run(tmp_path, trained=("conector",))
    plain, shards = (
        torch.nn.Linear(2, 2),
        LoopOptions(**OPTIONS | {"shard": True, "gradient_checkpointing": True}),
    )
    with pytest.raises(
        ConfigError, match="gradient_checkpointing, shard: this model has no language model"
    ):
        fit(plain, examples(4), OBJECTIVE, shards, tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="2 processes, and `shard` is false"):
        run(tmp_path)


def test_a_loss_that_is_no_number_stops_before_it_is_learned(tmp_path: Path) -> None:
    rows = examples(4)
    film = rows[0]["film"]
    assert film is not None
    film[:] = float("inf")
    model = film_model()
    before = state_of(model)
    with pytest.raises(ConfigError, match="not a number at step 1"):
        fit(model, rows, OBJECTIVE, LoopOptions(**OPTIONS), tmp_path, quiet=True)
    assert same(before, state_of(model))


def test_a_model_trains_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Processes.here(torch.nn.Linear(1, 1), shard=False).device == torch.device("cpu")
    assert Processes.here(torch.nn.Linear(1, 1, device="meta"), shard=False).device == torch.device(
        "meta"
    )


def test_one_process_with_shard_trains_plainly(tmp_path: Path) -> None:
    alone, _ = run(tmp_path / "a", shard=True)
    plain, _ = run(tmp_path / "b")
    assert same(alone, plain)
