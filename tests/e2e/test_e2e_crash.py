"""Proof R2: the process dies at every commit point of every writing verb; the step is wholly there or wholly not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from medmm.domain.roles import role_table
from medmm.store import failpoint
from tests.e2e.crash_worker import quick, whole_way
from tests.kept import kept

ROOT = Path(__file__).resolve().parents[2]
WRITING = (
    "release",
    "admit",
    "open_case",
    "draft",
    "decide",
    "sign",
    "publish",
    "amend",
    "addendum",
    "withdraw",
)
LOOKS = {
    "read",
    "prove",
    "case",
    "cases",
    "identity",
    "history",
    "verify",
    "inspect",
    "record",
    "models",
    "capabilities",
    "influence",
}
ELSEWHERE = {
    "add_model",
    "remove_model",
}  # their deaths: tests/unit/models/test_models_installed_models.py, decision 15


def test_no_verb_and_no_commit_point_is_forgotten() -> None:
    assert set(WRITING) | LOOKS | ELSEWHERE == set(role_table())
    source = (ROOT / "medmm" / "store" / "store.py").read_text()
    assert source.count("failpoint.reach(") == len(failpoint.POINTS)
    assert all(f'"{point}"' in source for point in failpoint.POINTS)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "reader"}]
    path.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data"), "readers": readers}))
    return path


@pytest.mark.parametrize("point", failpoint.POINTS)
@pytest.mark.parametrize("verb", WRITING)
def test_a_death_leaves_the_step_whole_or_undone(
    verb: str, point: str, settings: Path, demo_films: Path
) -> None:
    film = demo_films / "RG1_UNCR.dcm"
    command = [
        sys.executable,
        str(ROOT / "tests" / "e2e" / "crash_worker.py"),
        str(settings),
        str(film),
    ]
    environment = {**os.environ, failpoint.VARIABLE: f"{verb}:{point}", "PYTHONPATH": str(ROOT)}
    died = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert died.returncode == failpoint.EXIT_CODE, died.stderr
    with quick(settings) as assistant:
        done = Counter(e.verb for e in kept(assistant).events() if e.outcome == "done")
        assert done[verb] == (0 if point == "before commit" else 1)
        assert assistant.verify().ok
        first = whole_way(assistant, film, settings.parent / "out")
        again = whole_way(assistant, film, settings.parent / "out")
        assert first == again
        after = Counter(e.verb for e in kept(assistant).events() if e.outcome == "done")
        assert all(after[v] == 1 for v in WRITING), "nothing is done twice"
        assert assistant.verify().ok
        assert len(assistant.cases()) == 1
        assert not list(settings.parent.glob("out/.*")), "no half-written output"
