"""Proof R2: the process dies at every commit point of every writing verb; the step is wholly there or wholly not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from medmm.domain.roles import role_table
from medmm.store import failpoint, leases
from tests.dicom_files import film_file
from tests.e2e.crash_worker import quick, whole_way
from tests.kept import kept
from tests.warm_parent import WarmParent

ROOT = Path(__file__).resolve().parents[2]
WORKER = ROOT / "tests" / "e2e" / "crash_worker.py"
RUN = "import runpy, sys; sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
WRITING = (
    "take_order",
    "release",
    "admit",
    "open_case",
    "draft",
    "prioritise",
    "record_first_read",
    "order_double_reading",
    "drop_double_reading",
    "claim",
    "accept_passing",
    "undo",
    "decide",
    "unclaim",
    "communicate",
    "propose",
    "sign",
    "publish",
    "amend",
    "addendum",
    "withdraw",
    "save_filter",
    "drop_filter",
)
LOOKS = {
    "check_model",
    "watch_model",
    "read",
    "prove",
    "case",
    "cases",
    "worklist",
    "identity",
    "history",
    "note_session",
    "verify",
    "inspect",
    "record",
    "models",
    "capabilities",
    "influence",
    "insight",
    "insight_of_all",
    "export_insight",
    "transcribe",
    "model_card",
    "recall_list",
    "audit_trail",
    "first_reads",
    "deliveries",
}
ELSEWHERE = {
    "add_model",
    "remove_model",
    "probe_writer",
    "calibrate_model",
    "accept_model",
    "shadow_model",
    "keep_unfinished",
    "confirm",
    "deliver",
    "retry_delivery",
}  # their deaths: tests/unit/models/test_models_installed_models.py, decision 15; a probe changes the log alone;
# of what persons decide on models: test_e2e_acceptance.py; what is being typed makes no entry, so no step;
# a confirmation is asked for anew; of sending: test_e2e_delivering.py


def test_no_verb_and_no_commit_point_is_forgotten() -> None:
    assert set(WRITING) | LOOKS | ELSEWHERE == set(role_table())
    source = (ROOT / "medmm" / "store" / "store.py").read_text()
    assert source.count("failpoint.reach(") == len(failpoint.POINTS)
    assert all(f'"{point}"' in source for point in failpoint.POINTS)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    readers = [
        {"id": f"{role}-1", "name": f"ZZ{role.upper()}", "role": role}
        for role in ("reader", "administrator")
    ]
    path.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data"), "readers": readers}))
    return path


@pytest.mark.parametrize("point", failpoint.POINTS)
@pytest.mark.parametrize("verb", WRITING)
def test_a_death_leaves_the_step_whole_or_undone(
    verb: str,
    point: str,
    settings: Path,
    warm_parent: WarmParent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    film = film_file(settings.parent)
    died = warm_parent.run(RUN, WORKER, settings, film, **{failpoint.VARIABLE: f"{verb}:{point}"})
    assert died.code == failpoint.EXIT_CODE, died.said
    monkeypatch.setattr(leases, "WORK_S", 0.5)  # what the dead process held counts no longer
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
