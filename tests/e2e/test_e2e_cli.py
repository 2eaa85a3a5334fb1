"""The command line on real films: what it prints, what it keeps, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

from medmm.assistant import Assistant
from medmm.domain.errors import MedmmError
from medmm.domain.report import Accept, Edit
from medmm.doors import cli, demo
from tests.kept import kept

NAMES = ("CompressedSamples", "Hypertension")


class Tool:
    """`medmm` with its own data folder, run in this process."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "settings.yaml"
        readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "reader"}]
        settings = {"data_dir": str(folder / "data"), "threads": 1, "readers": readers}
        self.config.write_text(yaml.safe_dump(settings))

    def __call__(
        self, *words: object, code: int = 0, by: str | None = None, typed: str = ""
    ) -> Result:
        before = ["--config", str(self.config), *(["--by", by] if by else [])]
        result = CliRunner().invoke(
            cli.app, [*before, *map(str, words)], input=typed, env={"NO_COLOR": "1"}
        )
        found = result.exit_code
        if isinstance(result.exception, MedmmError):
            found = cli.report(result.exception)  # what `main` does with it
        assert found == code, (result.output, result.exception)
        return result


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    return Tool(tmp_path)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "record.json"
    path.write_text((Path(demo.__file__).parent / "demo_record.json").read_text())
    return path


def the_case(tool: Tool) -> str:
    return str(json.loads(tool("cases", "--json").stdout.splitlines()[0])["case_id"])


def test_read_gives_one_json_line_a_study_and_nothing_else(
    tool: Tool, demo_films: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"not a film")
    paths = [demo_films / n for n in ("RG1_UNCR.dcm", "RG3_UNCR.dcm", "MR2_UNCR.dcm")]
    result = tool("read", *paths, bad, "--json", "--masks", tmp_path / "masks")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["evaluable"] for line in lines] == [True, False, False, False]
    keys = {
        "study",
        "path",
        "evaluable",
        "held",
        "reason",
        "warnings",
        "findings",
        "measurements",
        "masks",
    }
    assert all(keys <= set(line) for line in lines)
    assert lines[0]["reason"] is None
    assert lines[1]["reason"].startswith("not evaluable: body part")
    assert lines[3]["study"] is None
    assert lines[3]["reason"]


def test_read_gives_every_shipped_label_and_masks_on_the_films_own_grid(
    tool: Tool, demo_films: Path, tmp_path: Path
) -> None:
    rows = {row.name: row for row in models(tool)}
    result = tool("read", demo_films / "RG1_UNCR.dcm", "--json", "--masks", tmp_path / "masks")
    line = json.loads(result.stdout)
    if rows["chest-findings"].state == "ready":
        names, first = [f["name"] for f in line["findings"]], list(rows["chest-findings"].findings)
        assert names[: len(first)] == first
        assert set(names[len(first) :]) <= set(rows["chest-report"].findings) - set(first)
        assert len(names) == len(set(names))
        assert all(0 <= f["probability"] <= 1 for f in line["findings"])
        assert all(
            set(f) == {"name", "code", "probability", "threshold", "suspected", "region"}
            for f in line["findings"]
        )
    else:
        assert any("No reading model" in warning for warning in line["warnings"])
    if rows["chest-anatomy"].state == "ready":
        assert line["measurements"][0]["name"] == "cardiothoracic ratio"
        low, high = line["measurements"][0]["interval"]
        assert low <= line["measurements"][0]["value"] <= high
        for path in line["masks"].values():
            with Image.open(path) as picture:
                assert picture.size == (1841, 1955)
                assert set(np.unique(np.asarray(picture))) == {0, 255}


def models(tool: Tool) -> list:  # type: ignore[type-arg]
    with Assistant.from_config(tool.config) as assistant:
        return list(assistant.models())


def test_a_missing_path_is_a_line_and_exit_9_and_the_others_go_on(
    tool: Tool, demo_films: Path, tmp_path: Path
) -> None:
    result = tool("read", tmp_path / "nothing", demo_films / "RG3_UNCR.dcm", "--json", code=9)
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["reason"]
    assert second["reason"].startswith("not evaluable")


def test_from_draft_to_published_report(
    tool: Tool, demo_films: Path, record: Path, tmp_path: Path
) -> None:
    page = tmp_path / "draft.html"
    result = tool("draft", demo_films / "RG1_UNCR.dcm", "--record", record, "--html", page)
    assert "DRAFT, not signed" in result.stdout
    assert "NOT EVALUATED" in result.stdout
    assert "<script" not in page.read_text()
    case = the_case(tool)
    tool("publish", case, code=6)  # a draft can't be published
    tool("review", case, "--sign", by="reader-1", code=6)  # nor signed undecided
    tool("review", case, "--accept", "s1", code=3)  # nor decided on by nobody
    tool("review", case, "--accept", "s99", by="reader-1", code=3)
    with Assistant.from_config(tool.config) as assistant:
        draft = assistant.case(case).draft
        assert draft is not None
        decisions = [
            Edit(s.id, "In the reader's words.") if draft.failed(s.id) else Accept(s.id)
            for s in draft.statements
        ]
        assistant.decide(case, decisions, by=assistant.reader_named("reader-1"))
    assert "Signed: report-" in tool("review", case, "--sign", by="reader-1").stdout
    assert "RADIOLOGY REPORT" in tool("publish", case).stdout
    bundle = json.loads(tool("publish", case, "--format", "fhir").stdout)
    assert bundle["type"] == "transaction"
    tool("publish", case, "--format", "hl7", code=3)
    written = tool("publish", case, "--to", tmp_path / "out").stdout.split()
    assert len(written) == 3
    assert all(Path(path).is_file() for path in written)
    assert "RADIOLOGY REPORT" in tool("case", "show", case).stdout
    log = tool("audit", "log", case).stdout
    assert all(verb in log for verb in ("admit", "draft", "decide", "sign", "publish"))
    with Assistant.from_config(tool.config) as assistant:
        uid = assistant.case(case, pixels=False).case.study.uid
    assert uid in "".join(log.split())  # folded, not cut
    assert not any(name in log for name in NAMES)


def test_review_asks_statement_by_statement_and_before_signing(
    tool: Tool, demo_films: Path, record: Path
) -> None:
    tool("draft", demo_films / "RG1_UNCR.dcm", "--record", record)
    case = the_case(tool)
    stopped = tool("review", case, by="reader-1", typed="r\nq\n")
    assert "Stopped" in stopped.stdout
    with Assistant.from_config(tool.config) as assistant:
        file = assistant.case(case)
        assert file.draft is not None
        left = len(file.asked) - 1
        assert len(file.decisions) == 1
    assert (
        "Signed"
        not in tool("review", case, by="reader-1", typed="e\nMy own words.\n" * left + "n\n").stdout
    )
    assert "Signed: report-" in tool("review", case, "--sign", by="reader-1").stdout


def test_a_record_of_somebody_else_exits_3_and_names_no_value(
    tool: Tool, demo_films: Path, record: Path
) -> None:
    record.write_text(record.read_text().replace('"female"', '"male"'))
    result = tool("draft", demo_films / "RG1_UNCR.dcm", "--record", record, code=3)
    assert "sex" in str(result.exception)
    assert not any(name in str(result.exception) for name in NAMES)


def test_study_show_says_what_was_understood(tool: Tool, demo_films: Path, record: Path) -> None:
    shown = tool("study", "show", demo_films / "RG1_UNCR.dcm", "--record", record).stdout
    for part in (
        "accepted with warnings",
        "DX of CHEST",
        "SeriesDate",
        "PA",
        "spacing unknown",
        "identity match",
    ):
        assert part in shown
    assert "refused" in tool("study", "show", demo_films / "RG3_UNCR.dcm").stdout


def test_study_show_exits_3_for_what_it_can_t_read_and_for_another_patients_record(
    tool: Tool, demo_films: Path, record: Path, tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("no film")
    assert "can't be read" in tool("study", "show", note, code=3).stdout
    assert "no such file" in tool("study", "show", tmp_path / "nothing", code=3).stdout
    record.write_text(record.read_text().replace('"female"', '"male"'))
    shown = tool("study", "show", demo_films / "RG1_UNCR.dcm", "--record", record, code=3).stdout
    assert "identity mismatch sex" in shown
    line = json.loads(
        tool(
            "study", "show", demo_films / "RG1_UNCR.dcm", "--record", record, "--json", code=3
        ).stdout
    )
    assert line["match"]["verdict"] == "mismatch"


def test_read_of_files_that_can_t_be_read_is_a_line_and_exit_0(tool: Tool, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "note.txt").write_text("no film")
    for path in (folder, folder / "note.txt"):
        (line,) = (json.loads(line) for line in tool("read", path, "--json").stdout.splitlines())
        assert line["reason"]


def test_record_show_prints_facts_with_value_range_and_source(tool: Tool, record: Path) -> None:
    shown = tool("record", "show", record).stdout
    for part in (
        "Hypertension",
        "SNOMED 38341003",
        "38.1 °C",
        "normal from",
        "(refuted)",
        "1995-10-02",
    ):
        assert part in shown
    then = json.loads(tool("record", "show", record, "--as-of", "1995-09-26", "--json").stdout)
    assert "1995-10-02" not in json.dumps(then["facts"])
    assert any("after the study" in omission["reason"] for omission in then["left_out"])


def test_record_show_prints_the_newest_of_many_and_says_what_it_left(
    tool: Tool, tmp_path: Path
) -> None:
    patient = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1950-01-10"}
    entries = [{"resource": patient}]
    for day in range(1, 29):
        bounds = {"low": {"value": 120, "unit": "g/L"}}
        entries.append(
            {
                "resource": {
                    "resourceType": "Observation",
                    "id": f"o{day}",
                    "status": "final",
                    "subject": {"reference": "Patient/p"},
                    "code": {
                        "coding": [{"system": "http://loinc.org", "code": "718-7"}],
                        "text": "Hemoglobin",
                    },
                    "effectiveDateTime": f"2020-02-{day:02}",
                    "valueQuantity": {"value": 13, "unit": "g/dL"},
                    "referenceRange": [bounds],
                }
            }
        )
    path = tmp_path / "many.json"
    path.write_text(
        json.dumps(
            {"resourceType": "Bundle", "entry": [*entries, {"resource": {"resourceType": "Claim"}}]}
        )
    )
    shown = tool("record", "show", path, "--limit", "3").stdout
    days = [line.split()[0] for line in shown.splitlines() if line.startswith("2020")]
    assert days == ["2020-02-28", "2020-02-27", "2020-02-26"]
    assert "observation: 28, the newest 3 of them; --limit 0 prints all" in shown
    words = " ".join(shown.split())
    assert "normal from 12" in words
    assert "range as written: from" in words
    assert "Claim is not read: entry[29]" in words
    assert max(map(len, shown.splitlines())) <= 80
    assert tool("record", "show", path, "--limit", "0").stdout.count("2020-02-") == 28


def test_a_person_releases_what_the_gate_holds(
    tool: Tool, demo_films: Path, tmp_path: Path
) -> None:
    film, dataset = tmp_path / "film.dcm", pydicom.dcmread(demo_films / "RG1_UNCR.dcm")
    dataset.AcquisitionDate = "20990101"
    dataset.save_as(film)
    assert "future" in tool("draft", film).stdout
    tool("release", film, "--reason", "the clock was wrong", code=3)  # nobody is named
    assert (
        "released (future-date"
        in tool("release", film, "--reason", "the clock was wrong", by="reader-1").stdout
    )
    line = json.loads(tool("read", film, "--json").stdout)
    assert line["evaluable"]
    assert any("a person looked" in warning for warning in line["warnings"])
    with Assistant.from_config(tool.config) as assistant:
        (event,) = [
            e for e in kept(assistant).events() if e.verb == "release" and e.outcome == "done"
        ]
    assert (event.actor, event.details["held_for"]) == ("reader-1", "future-date")


def test_an_altered_log_exits_8_and_names_the_place(
    tool: Tool, demo_films: Path, tmp_path: Path
) -> None:
    import sqlite3

    tool("read", demo_films / "RG3_UNCR.dcm", "--json")
    tool("audit", "verify")
    database = sqlite3.connect(tmp_path / "data" / "medmm.sqlite")
    database.execute("DROP TRIGGER audit_entry_no_update")
    database.execute(
        "UPDATE audit_entry SET entry = replace(entry, 'refused', 'done   ') WHERE seq = 1"
    )
    database.commit()
    database.close()
    result = tool("audit", "verify", "--json", code=8)
    found = json.loads(result.stdout)
    assert not found["ok"]
    assert found["problems"][0]["place"] == "entry 1"


def test_the_log_is_exported_as_audit_events_from_where_it_ended(
    tool: Tool, demo_films: Path
) -> None:
    tool("read", demo_films / "RG3_UNCR.dcm", "--json")
    first = tool("audit", "export", "--site", "reading-room-1")
    found = [json.loads(line) for line in first.stdout.splitlines()]
    assert {one["resourceType"] for one in found} == {"AuditEvent"}
    assert {one["source"]["site"] for one in found} == {"reading-room-1"}
    number = first.stderr.split()[-1]
    more = tool("audit", "export", "--after", number)
    (looked,) = [json.loads(line) for line in more.stdout.splitlines()]
    assert looked["type"]["code"] == "110101", "only that the log was read before"
    assert not tool("audit", "export", "--until", "2001-01-01T00:00Z").stdout


def test_models_config_and_doctor(tool: Tool, tmp_path: Path) -> None:
    assert "chest-findings" in tool("models", "list").stdout
    assert (
        json.loads(tool("models", "list", "--json").stdout.splitlines()[0])["name"]
        == "chest-findings"
    )
    assert json.loads(tool("config", "show").stdout)["threads"] == 1
    assert "valid" in tool("config", "check", tool.config).stdout
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("reader: []\n")
    tool("config", "check", wrong, code=4)
    checks = [json.loads(line) for line in tool("doctor", "--json").stdout.splitlines()]
    assert {c["state"] for c in checks} <= {"ok", "note", "problem"}
    assert all(c["remedy"] for c in checks if c["state"] == "problem")
    assert {"medmm", "compute", "data folder", "transfer syntaxes", "readers"} <= {
        c["name"] for c in checks
    }
    (database,) = [c["found"] for c in checks if c["name"] == "database"]
    assert database.startswith("SQLite")
    assert database.endswith("medmm.sqlite; it answers")


def test_an_empty_worklist_says_what_to_do(tool: Tool) -> None:
    assert "medmm draft" in tool("cases").stdout


def test_the_demo_runs_twice_and_signs_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        result = CliRunner().invoke(
            cli.app, ["demo", "--out", str(tmp_path / "demo")], env={"NO_COLOR": "1"}
        )
        assert result.exit_code == 0, result.output
    for part in (
        "synthetic",
        "DRAFT, not signed",
        "not evaluable: body part EXTREMITY",
        "sound",
        "nothing was signed",
        "ui",
    ):
        assert part in result.stdout
    page = (tmp_path / "demo" / "draft.html").read_text()
    assert "data:image/png;base64," in page
    assert "Content-Security-Policy" in page
    with Assistant.from_config(tmp_path / "demo" / "demo.yaml") as assistant:
        assert [c.state.value for c in assistant.cases()] == ["drafted"]


def test_batch_skips_what_is_done_and_tries_failures_again(
    tool: Tool, demo_films: Path, tmp_path: Path
) -> None:
    import shutil

    from pipelines import batch

    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("RG1_UNCR.dcm", "RG3_UNCR.dcm"):
        shutil.copy(demo_films / name, folder)
    (folder / "bad.dcm").write_bytes(b"no film")
    assert batch.main([str(folder), "--out", str(out), "--config", str(tool.config)]) == 9
    lines = {
        line["name"]: line
        for line in map(json.loads, (out / "results.jsonl").read_text().splitlines())
    }
    assert lines["RG1_UNCR.dcm"]["evaluable"]
    assert not lines["RG3_UNCR.dcm"]["evaluable"]
    assert lines["bad.dcm"]["error"] == "InputError"
    with (out / "results.jsonl").open("a") as torn:
        torn.write('{"name": "torn')
    shutil.copy(demo_films / "RG3_UNCR.dcm", folder / "bad.dcm")
    assert batch.main([str(folder), "--out", str(out), "--config", str(tool.config)]) == 0
    again = [json.loads(line)["name"] for line in (out / "results.jsonl").read_text().splitlines()]
    assert sorted(again) == ["RG1_UNCR.dcm", "RG3_UNCR.dcm"]  # a copy of a film is no further study
