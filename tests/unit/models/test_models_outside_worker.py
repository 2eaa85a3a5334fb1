"""The worker of a network of others: what ends, hangs or swells costs its own part of the reading, and is said."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.domain.reading_model import read_by
from medmm.models import Adopted
from medmm.models.outside import worker_process
from medmm.models.outside.worker import logit, peak, reduced
from medmm.models.outside.worker_process import WORKER, WorkerFailed, worker
from tests.outside_models import declare, film_folder, film_onnx, volume_declaration, volume_onnx
from tests.unit.models.test_models_outside_model import FILM, networks_with

LIMITS: dict[str, Any] = {"seconds": 20, "memory_gb": 1, "threads": 1}
HEAD = "import json, os, signal, sys, time\n"
ANSWER = "sys.stdout.write(json.dumps({'arrays': []}) + '\\n'); sys.stdout.flush()\n"
FAULTS: dict[str, tuple[str, str]] = {
    "it ends": ("sys.exit(3)\n", "it ended (exit 3)"),
    "a signal ends it": ("os.kill(os.getpid(), signal.SIGABRT)\n", "it ended (signal SIGABRT)"),
    "it hangs": ("time.sleep(600)\n", "it took longer than 2 s and was stopped"),
    "it answers nonsense": ("print('what?', flush=True)\n", "can't be understood"),
    "it answers no line": ("sys.stdout.write('x' * 3_000_000)\n", "it ended"),
    "it answers too much": (
        "print(json.dumps({'arrays': [{'name': 'out', 'shape': [9000, 9000, 9000], 'dtype': '<f4'}]}), flush=True)\n",
        "can't be understood",
    ),
    "it answers an object": (
        "print(json.dumps({'arrays': [{'name': 'out', 'shape': [1], 'dtype': '|O'}]}), flush=True)\n",
        "can't be understood",
    ),
    "it answers less than it said": (
        "print(json.dumps({'arrays': [{'name': 'out', 'shape': [9], 'dtype': '<f4'}]}), flush=True)\n",
        "it ended",
    ),
    "it fails": ("print(json.dumps({'error': 'OSError: no'}), flush=True)\n", "it failed (OSError: no)"),
}  # fmt: skip


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a program of the test in the place of the worker."""

    def replace(code: str) -> None:
        program = tmp_path / "program.py"
        program.write_text(HEAD + code)
        monkeypatch.setattr(worker_process, "WORKER", program)

    return replace


@pytest.mark.parametrize("fault", FAULTS)
def test_a_worker_that_fails_costs_its_part_of_the_reading_and_says_so(
    fault: str, running: Callable[[str], None], tmp_path: Path
) -> None:
    limits = {"seconds": 2, "memory_gb": 1}
    networks = networks_with(tmp_path, film_folder(tmp_path / "net", limits=limits))
    code, words = FAULTS[fault]
    running("sys.stdin.readline()\n" + ANSWER + "sys.stdin.readline()\n" + code)
    start = time.monotonic()
    (warning,) = read_by(networks.outside_models, FILM).warnings
    assert time.monotonic() - start < 10
    assert warning.code == "outside-failed"
    assert words in warning.text
    assert warning.text.startswith("The model film-net read nothing of this study: ")


def test_a_network_beyond_its_memory_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    volume_onnx(folder / "net.onnx", size=320)
    grid = {"orientation": "RAS", "spacing_mm": [1, 1, 1], "size": [320] * 3, "fit": "pad-or-crop"}
    small = {"seconds": 60, "memory_gb": 0.25}
    declare(folder, volume_declaration(grid=grid, limits=small))
    with (
        pytest.raises(InputError, match="does not run"),
        Adopted(tmp_path / "models").adding(folder, name=None, licence=None),
    ):
        pass
    assert not Adopted(tmp_path / "models").rows()


def test_a_worker_writes_no_file_and_ends_with_its_reading(tmp_path: Path) -> None:
    path = film_onnx(tmp_path / "net.onnx")
    with worker(**LIMITS) as one:
        one.ask({"kind": "onnx", "model": str(path), "output": "logits"})
        limits = Path(f"/proc/{one._process.pid}/limits").read_text()
        assert "Max file size             0" in limits
        process = one._process
    assert process.poll() is not None


def test_the_worker_imports_nothing_of_medmm_and_passes_no_pickle() -> None:
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1], run_name='worker'); "
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('medmm', 'pickle', 'torch')))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(WORKER)], capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout.replace("'", '"'))
    assert [name for name in loaded if name != "pickle"] == []  # numpy itself loads pickle
    assert "pickle" not in WORKER.read_text().replace("no pickle", "").replace("a pickle", "")


def test_a_state_dict_with_more_than_tensors_is_not_loaded(tmp_path: Path) -> None:
    import torch

    for name, state in {
        "sound": {"a.weight": torch.ones(2, 3, dtype=torch.float64)},
        "wrapped": {"state_dict": {"a.weight": torch.ones(2, 3)}},
        "number": {"a.weight": torch.ones(2), "epoch": 3},
        "object": {"a.weight": torch.ones(2), "own": Path("x")},
    }.items():
        path = tmp_path / f"{name}.pt"
        torch.save(state, path)
        with worker(**{**LIMITS, "seconds": 120}) as one:
            if name in ("sound", "wrapped"):
                arrays = one.ask({"convert": str(path)}).arrays
                assert arrays["a.weight"].dtype == np.float32
                assert arrays["a.weight"].shape == (2, 3)
            else:
                with pytest.raises(WorkerFailed, match=r"ValueError|UnpicklingError"):
                    one.ask({"convert": str(path)})


def wish(**changes: Any) -> dict[str, Any]:
    own = {
        "form": "labels",
        "axis": 1,
        "rank": 4,
        "channels": 3,
        "activated": False,
        "threshold": None,
        "peaks": [],
    }
    return own | changes


def test_outputs_are_reduced_as_they_are_declared() -> None:
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    softmax = np.exp(values) / np.exp(values).sum(1, keepdims=True)
    arrays, more = reduced(iter([values[:1], values[1:]]), wish(peaks=[2]))
    assert (arrays["out"] == values.argmax(1)).all()
    assert more["peaks"][0] == pytest.approx(logit(float(softmax[:, 2].max())), abs=1e-4)
    last, _ = reduced(iter([np.moveaxis(values, 1, -1)]), wish(axis=-1))
    assert (last["out"] == arrays["out"]).all()
    masks, _ = reduced(iter([values]), wish(form="masks", threshold=0.7))
    assert (masks["out"] == (1 / (1 + np.exp(-values)) >= 0.7)).all()
    activated, _ = reduced(iter([softmax]), wish(form="masks", threshold=0.7, activated=True))
    assert (activated["out"] == (softmax >= 0.7)).all()
    assert peak(softmax, 1, wish(activated=True)) == pytest.approx(
        logit(float(softmax[:, 1].max()))
    )


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        (np.zeros((1, 4, 2, 2)), {}),
        (np.zeros((1, 3, 2, 2, 2)), {}),
        (np.full((1, 3, 2, 2), np.nan), {}),
        (np.full((1, 3, 2, 2), 1.5), {"activated": True}),
    ],
)
def test_outputs_that_are_not_what_is_declared_are_refused(
    values: np.ndarray, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="output"):
        reduced(iter([values]), wish(**changes))
