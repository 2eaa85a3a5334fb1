"""A training that is stopped while it loads says so and leaves no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.train import STOPPED

SLOW_LOADING = """
import runpy, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background ignores
from medmm.training.film import chest_anatomy
def read_outlined_films(data_dir):
    print("loading", flush=True)
    time.sleep(60)
chest_anatomy.read_outlined_films = read_outlined_films
sys.argv = ["pipelines.train", *sys.argv[1:]]
runpy.run_module("pipelines.train", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_films_are_loaded_is_one_line(tmp_path: Path, number: signal.Signals) -> None:
    root = Path(__file__).parents[2]
    recipe = root / "configs" / "train" / "chest_anatomy.yaml"
    words = [
        sys.executable,
        "-c",
        SLOW_LOADING,
        str(recipe),
        "--data",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "loading\n"
        run.send_signal(number)
        _, said = run.communicate(timeout=120)
    assert run.returncode == STOPPED, said
    assert "stopped" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
