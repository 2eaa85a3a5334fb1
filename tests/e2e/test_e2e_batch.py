"""`medmm batch` over a folder that people work on meanwhile, and over one at which it was killed."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
import yaml

from medmm.assistant import Assistant
from medmm.domain.errors import SOME_FAILED
from medmm.domain.report import Accept, Reject
from pipelines import batch
from tests.warm_parent import WarmParent

# A batch in a process of its own, over networks that read nothing; "stops" lets it wait in its second study.
BATCH = """
import sys
import time
from pathlib import Path
from pipelines import batch
from tests.quick_assistant import READS, quick_assistant

class Stops:
    seen = 0
    def read(self, study):
        self.seen += 1
        if self.seen == 2:
            time.sleep(120)
        return READS.read(study)

data, folder, out = map(Path, sys.argv[1:4])
with quick_assistant(data, reader=Stops() if "stops" in sys.argv else READS) as assistant:
    sys.exit(batch.run(assistant, folder, out, None, as_json=False))
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "reader"}]
    path.write_text(
        yaml.safe_dump({"data_dir": str(tmp_path / "data"), "threads": 1, "readers": readers})
    )
    return path


def film(demo_films: Path, to: Path, number: int, **tags: str) -> None:
    """The demo's film as a study of its own."""
    dataset = pydicom.dcmread(demo_films / "RG1_UNCR.dcm")
    dataset.StudyInstanceUID = f"1.2.826.0.1.3680043.8.498.77.{number}"
    for tag, value in tags.items():
        setattr(dataset, tag, value)
    to.parent.mkdir(exist_ok=True)
    dataset.save_as(to)


def lines(out: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert len({line["name"] for line in found}) == len(found), "one line a study"
    return {line["name"]: line for line in found}


def test_a_case_that_people_work_on_is_done_and_stays_as_it_is(
    config: Path, demo_films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for number, name in enumerate(("in review", "signed")):
        film(demo_films, folder / f"{name}.dcm", number)
    with Assistant.from_config(config) as assistant:
        reader = assistant.reader_named("reader-1")
        cases = {}
        for name in ("in review", "signed"):
            case = assistant.open_case(assistant.admit(folder / f"{name}.dcm").uid)  # type: ignore[union-attr]
            draft = assistant.draft(case.id)
            decisions = [
                Reject(s.id) if draft.failed(s.id) else Accept(s.id) for s in draft.statements
            ]
            assistant.decide(case.id, decisions, by=reader)
            cases[name] = case.id
        assistant.sign(cases["signed"], by=reader)
        before = [assistant.case(case_id) for case_id in cases.values()]
    capsys.readouterr()
    arguments = [str(folder), "--out", str(out), "--config", str(config)]
    for summary in ("2 done, 0 skipped", "0 done, 2 skipped"):
        assert batch.main(arguments) == 0
        told = capsys.readouterr()
        assert f"2 studies: {summary}, 0 refused, 0 held, 0 failed" in told.out
        assert len(told.out.splitlines()) == 3
        assert told.err == ""
        assert {name: line["state"] for name, line in lines(out).items()} == {
            "in review.dcm": "in review", "signed.dcm": "signed"
        }  # fmt: skip
    (out / "results.jsonl").unlink()
    assert batch.main([*arguments, "--json"]) == 0
    told = capsys.readouterr()
    assert [json.loads(line)["skipped"] for line in told.out.splitlines()] == [False] * 2
    with Assistant.from_config(config) as assistant:
        after = [assistant.case(case_id) for case_id in cases.values()]
    assert [(f.draft, f.decisions, f.report) for f in after] == [
        (f.draft, f.decisions, f.report) for f in before
    ]


def test_refused_held_and_failed_are_told_apart_and_a_release_counts_at_the_next_run(
    config: Path, demo_films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    film(demo_films, folder / "held.dcm", 1, AcquisitionDate="20990101")
    (folder / "refused.dcm").write_bytes((demo_films / "RG3_UNCR.dcm").read_bytes())
    (folder / "failed.dcm").write_bytes(b"no film")
    arguments = [str(folder), "--out", str(out), "--config", str(config)]
    assert batch.main(arguments) == SOME_FAILED
    told = capsys.readouterr().out
    assert [line.split()[:2] for line in told.splitlines()[:3]] == [
        [n, f"{n}.dcm"] for n in ("failed", "held", "refused")
    ]
    assert "0 done, 0 skipped, 1 refused, 1 held, 1 failed" in told
    with Assistant.from_config(config) as assistant:
        assistant.release(
            folder / "held.dcm", reason="the clock was wrong", by=assistant.reader_named("reader-1")
        )
    (folder / "failed.dcm").unlink()
    assert batch.main(arguments) == 0
    assert "2 studies: 1 done, 1 skipped, 0 refused, 0 held, 0 failed" in capsys.readouterr().out
    assert lines(out)["held.dcm"]["outcome"] == "done"
    with (out / "results.csv").open(encoding="utf-8", newline="") as table:
        rows = {row["name"]: row for row in csv.DictReader(table)}
    assert rows.keys() == {"held.dcm", "refused.dcm"}
    assert rows["refused.dcm"]["reason_code"] == lines(out)["refused.dcm"]["reason_code"] != ""
    assert float(rows["held.dcm"]["seconds"]) > 0
    assert datetime.fromisoformat(rows["held.dcm"]["at"]).tzinfo is not None


def test_a_folder_where_everything_failed_has_the_exit_code_of_the_failure(
    config: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "failed.dcm").write_bytes(b"no film")
    assert (
        batch.main([str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--config", str(config)])
        == 3
    )


def test_what_a_spreadsheet_would_take_for_a_formula_is_quoted(tmp_path: Path) -> None:
    line = {
        "study": "1.2",
        "name": "=1+1",
        "outcome": "done",
        "findings": ["Edema"],
        "suspected": [],
    }
    batch.write_table(tmp_path / "results.csv", [line])
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as table:
        (row,) = csv.DictReader(table)
    assert (row["name"], row["findings"]) == ("'=1+1", "Edema")


def test_a_killed_batch_goes_on_where_it_was(
    config: Path, demo_films: Path, tmp_path: Path, warm_parent: WarmParent
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for number in range(3):
        film(demo_films, folder / f"{number}.dcm", number)
    words = (tmp_path / "data", folder, out)
    killed = warm_parent.start(BATCH, *words, "stops")
    waited = time.monotonic()
    while not (out / "results.jsonl").is_file() or not (out / "results.jsonl").read_bytes():
        assert time.monotonic() - waited < 120
        time.sleep(0.01)
    os.kill(killed, signal.SIGKILL)
    assert warm_parent.ended(killed).code == -signal.SIGKILL
    done = len((out / "results.jsonl").read_bytes().splitlines())
    assert 1 <= done < 3
    again = warm_parent.run(BATCH, *words)
    assert again.code == 0, again.said
    assert f"3 studies: {3 - done} done, {done} skipped, 0 refused, 0 held, 0 failed" in again.said
    assert [line["outcome"] for line in lines(out).values()] == ["done"] * 3
    with Assistant.from_config(config) as assistant:
        cases = assistant.cases()
        assert len(cases) == 3
        assert assistant.verify().ok
        assert all(case.state.value == "drafted" for case in cases)
