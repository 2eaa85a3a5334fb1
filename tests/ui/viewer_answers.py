"""Asks node for what the viewer's pure functions answer, and makes up how volumes lie."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "viewer" / "src"
NODE = shutil.which("node")
# node starts anew for each example, so a failing one is shown as it was found
BATCH = settings(
    max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)
NEEDS_NODE = pytest.mark.skipif(NODE is None, reason="node is not installed, so nothing runs it")


def answers(calls: list[tuple[str, str, list[Any]]]) -> list[Any]:
    """Let node answer a batch of calls of (module, function, arguments)."""
    done = subprocess.run(
        [str(NODE), str(ROOT / "tests" / "ui" / "viewer_answers.mjs"), SOURCES.as_uri()],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


@st.composite
def affines(draw: st.DrawFn) -> list[list[float]]:
    """Affines of slices that lie any way in the patient, mirrored ones among them."""
    numbers = draw(st.lists(st.floats(-1, 1), min_size=9, max_size=9))
    axes, _ = np.linalg.qr(np.array(numbers).reshape(3, 3) + np.eye(3) * 1e-3)
    nearly = draw(st.booleans())
    if nearly:  # along the axes of the patient, in any order and direction
        order = draw(st.permutations(range(3)))
        axes = np.eye(3)[order] * np.array(draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3)))
    sides = draw(st.tuples(*[st.floats(0.3, 9)] * 3))
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(sides)
    affine[:3, 3] = draw(st.tuples(*[st.floats(-200, 200)] * 3))
    return [[float(part) for part in row] for row in affine]
