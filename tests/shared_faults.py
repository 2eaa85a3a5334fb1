"""Inputs that went wrong in public reports, as the generators of the shared data write them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest


def generated(shared_data: Path, name: str, folder: Path, *words: str) -> Path:
    """Let a generator write into a folder; it runs in this process, which has imported what it needs."""
    generator = shared_data / "faults" / f"gen_{name}.py"
    if not generator.is_file():
        pytest.skip("the shared data hold no faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(generator), str(folder), *words])
        runpy.run_path(str(generator), run_name="__main__")
    return folder
