"""A training that is stopped while it loads says so and leaves no traceback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.train import STOPPED
from tests.warm_parent import WarmParent

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


@pytest.fixture(scope="module")
def training_parent() -> Iterator[WarmParent]:
    parent = WarmParent(("medmm.training.film.chest_anatomy", "pipelines.train"))
    yield parent
    parent.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_films_are_loaded_is_one_line(
    tmp_path: Path, number: signal.Signals, training_parent: WarmParent
) -> None:
    recipe = Path(__file__).parents[2] / "configs" / "train" / "chest_anatomy.yaml"
    words = (recipe, "--data", tmp_path, "--out", tmp_path / "out")
    run = training_parent.start(SLOW_LOADING, *words, cwd=tmp_path)
    started = time.monotonic()
    while "loading\n" not in training_parent.said(run):
        assert time.monotonic() - started < 120, training_parent.said(run)
        time.sleep(0.05)
    os.kill(run, number)
    ended = training_parent.ended(run)
    assert ended.code == STOPPED, ended.said
    assert "stopped" in ended.said
    assert "Traceback" not in ended.said
    assert not (tmp_path / "out").exists()
