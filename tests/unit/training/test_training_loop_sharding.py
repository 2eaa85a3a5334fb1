"""Two processes over gloo, each with half of the model, learn what one process learns."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from medmm.training.loop.fitting import LoopOptions, fit
from tests.tiny_multimodal import (
    MOSTLY_PLAIN,
    OBJECTIVE,
    OPTIONS,
    examples,
    film_model,
    one_of_several,
    state_of,
)

ROOT = Path(__file__).resolve().parents[3]
LORA = {"r": 2, "alpha": 4, "target_modules": ["q_proj", "v_proj"]}


def process(
    rank: int, port: int, run_dir: Path, out: Path, lora: dict[str, Any] | None, stop_at: int
) -> None:
    """The environment is what torchrun and `accelerate launch` set."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    one_of_several(run_dir, out, lora, stop_at)


def two(
    run_dir: Path, out: Path, lora: dict[str, Any] | None = None, stop_at: int = -1
) -> list[dict[str, Any]]:
    """Run both processes; what each said. A server that has imported everything once forks them."""
    out.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.tiny_multimodal"])
    both = [
        context.Process(target=process, args=(rank, port, run_dir, out, lora, stop_at))
        for rank in (0, 1)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join(120)
    assert [one.exitcode for one in both] == [0, 0]
    return [json.loads((out / f"{rank}.json").read_text()) for rank in (0, 1)]


def alone(
    run_dir: Path, lora: dict[str, Any] | None = None
) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    model = film_model()
    options = LoopOptions(**OPTIONS, lora=lora)
    result = fit(model, examples(9, MOSTLY_PLAIN), OBJECTIVE, options, run_dir, quiet=True)
    return state_of(model), result.log


def close(ended: Path, expected: dict[str, torch.Tensor]) -> None:
    first, second = (load_file(ended / f"{rank}.safetensors") for rank in (0, 1))
    assert first.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], value, atol=5e-5, rtol=1e-3, msg=name)


def test_shards_learn_what_one_process_learns(tmp_path: Path) -> None:
    """Nine examples in batches of four: shares without a film, and in the last step a process without a share."""
    said = two(tmp_path / "run", tmp_path / "out")
    expected, log = alone(tmp_path / "alone")
    for one in said:
        assert one["not_sharded"] == 0
        assert 0.45 < one["here"] / one["whole"] < 0.55
    assert any(a != b for a, b in zip(said[0]["films"], said[1]["films"], strict=True))
    losses = [[row["loss"] for row in one["log"] if row["kind"] == "epoch"] for one in said]
    assert losses[0] == losses[1]
    assert losses[0][1] < losses[0][0]
    assert losses[0] == pytest.approx(
        [row["loss"] for row in log if row["kind"] == "epoch"], rel=1e-4
    )
    close(tmp_path / "out", expected)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["processes"] == 2
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert len(lines) == len(said[0]["log"]), "one process alone writes"


def test_shards_stop_together_and_go_on(tmp_path: Path) -> None:
    """One of the processes gets the signal; the adapters of the language model learn, and go on in one process."""
    said = two(tmp_path / "run", tmp_path / "stopped", LORA, stop_at=1)
    assert [(one["steps"], one["stopped"]) for one in said] == [(2, True)] * 2
    said = two(tmp_path / "run", tmp_path / "out", LORA)
    assert [(one["steps"], one["stopped"]) for one in said] == [(6, False)] * 2
    close(tmp_path / "out", alone(tmp_path / "alone", LORA)[0])
    state, log = alone(tmp_path / "run", LORA)
    assert log == said[0]["log"]
    close(tmp_path / "out", state)


@pytest.mark.torchrun
def test_torchrun_starts_it(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    launcher = [
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        "127.0.0.1:0",
    ]
    script = [
        str(ROOT / "tests" / "tiny_multimodal.py"),
        str(tmp_path / "run"),
        str(tmp_path / "out"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", *launcher, *script], check=True, env=environment, timeout=280
    )
    close(tmp_path / "out", alone(tmp_path / "alone")[0])
