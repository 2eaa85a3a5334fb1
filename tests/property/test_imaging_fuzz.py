"""Mutated DICOM files end in an answer: no crash of the process, no hang, no memory beyond the limit.

The reader runs in a process of its own (tests/fuzz_dicom.py), so that a crash of a decoder is seen as one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_MB = 600  # grown over all files: the libraries' own tables and the largest decoded picture


@pytest.mark.parametrize(
    ("count", "seed"),
    [(300, 1), pytest.param(10_000, 2, marks=pytest.mark.slow)],
    ids=["300", "10,000"],
)
def test_every_mutated_file_ends_in_one_answer(count: int, seed: int) -> None:
    command = [sys.executable, "-m", "tests.fuzz_dicom", "--count", str(count), "--seed", str(seed)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False
    )
    last = done.stderr.rsplit("\r", 1)[-1]
    assert done.returncode == 0, f"file {last}"
    said = json.loads(done.stdout)
    sys.stdout.write(f"{said}\n")
    assert sum(said["outcomes"].values()) == count
    assert set(said["outcomes"]) == {"accepted", "held", "refused", "error"}, (
        "the mutations no longer reach every outcome"
    )
    assert said["grown_mb"] < MOST_MB
