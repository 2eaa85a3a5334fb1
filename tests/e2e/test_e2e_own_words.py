"""A reader's own findings and impression on a real film: from Python and the command line to the published report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.draft import Assertion
from medmm.domain.errors import PermissionDenied, StateError
from medmm.domain.reading import Side
from medmm.domain.report import Accept, Add, CaseState, Decision, Edit, Impression, Reject
from tests.e2e.test_e2e_cli import Tool, record, the_case, tool  # noqa: F401
from tests.kept import kept

READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="reader"),
    ReaderEntry(id="resident-1", name="ZZREADER Two", role="resident"),
    ReaderEntry(id="auditor-1", name="ZZREADER Three", role="auditor"),
)


@pytest.fixture
def drafted(tmp_path: Path, demo_films: Path) -> Iterator[tuple[Assistant, str]]:
    """An assistant with one drafted case that has a record."""
    record_file = tmp_path / "record.json"
    record_file.write_bytes(files("medmm.doors").joinpath("demo_record.json").read_bytes())
    with Assistant(Settings(data_dir=tmp_path / "data", readers=READERS, threads=1)) as assistant:
        study = assistant.admit(demo_films / "RG1_UNCR.dcm", record=record_file)
        case = assistant.open_case(study.uid)  # type: ignore[union-attr]
        assistant.draft(case.id)
        yield assistant, case.id


def observations(assistant: Assistant, report_id: str) -> list[dict[str, Any]]:
    bundle = json.loads(assistant.render(report_id, format="fhir"))
    return [
        e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Observation"
    ]


def test_own_findings_are_added_checked_signed_and_published(
    drafted: tuple[Assistant, str], tmp_path: Path
) -> None:
    assistant, case_id = drafted
    resident, reader = assistant.reader_named("resident-1"), assistant.reader_named("reader-1")
    mass = Add.of("Mass", side=Side.LEFT, place="hilum", assertion=Assertion.POSSIBLE)
    with pytest.raises(PermissionDenied):
        assistant.decide(case_id, [mass], by=assistant.reader_named("auditor-1"))
    for _ in range(2):  # a retried call adds nothing twice
        assistant.decide(case_id, [mass, Add("Scoliosis of 30 degrees.")], by=resident, key="add")
    file = assistant.case(case_id)
    assert [(a.statement_id, a.by) for a in file.added] == [("r1", resident), ("r2", resident)]
    assert {v.check for v in file.marks("r2")} == {"G6"}
    assert file.marks("r1") == ()
    assert "Mass" in {one.finding for one in file.flagged}
    assert file.draft is not None
    order = next(s for s in file.draft.statements if "Cough for three weeks" in s.text)
    edited = Edit(order.id, order.text.replace("three weeks", "two weeks") + " Query pneumonia.")
    decisions: list[Decision] = [
        Reject(s.id) if file.draft.failed(s.id) or file.critical(s.id) else Accept(s.id)
        for s in file.asked
    ]
    assistant.decide(case_id, [*decisions, edited, Impression("Nodules.")], by=reader)
    now = assistant.case(case_id)
    assert {"G6", "G11"} <= {v.check for v in now.marks(order.id)}
    decided = [
        event
        for event in assistant.history(case_id)
        if (event.verb, event.outcome) == ("decide", "done")
    ]
    assert decided[-1].details["marked"].split()[:2] == [f"{order.id}:G6", f"{order.id}:G11"]
    with pytest.raises(StateError, match="different things of pulmonary nodule"):
        assistant.sign(case_id, by=reader)
    assistant.decide(case_id, [Impression("Possible left hilar mass.\nScoliosis.")], by=reader)
    shown = [s.text for s in assistant.to_sign(case_id, by=reader)]
    report = assistant.sign(case_id, by=reader)
    assert [s.text for s in report.statements] == shown
    assert [s.author for s in report.statements if s.id in ("r1", "impression")] == [
        resident,
        reader,
    ]
    assert assistant.publish(report.id, to=tmp_path / "out")
    own = [o for o in observations(assistant, report.id) if "device" not in o]
    assert [o["note"][0]["text"] for o in own] == [
        "Possible left lung mass, hilum.",
        "Scoliosis of 30 degrees.",
    ]
    text = assistant.render(report.id)
    assert (
        text.index("FINDINGS")
        < text.index("Possible left lung mass, hilum.")
        < text.index("IMPRESSION")
    )
    assert "4 are the reader's own" in " ".join(text.split())
    assert assistant.verify().ok
    assert assistant.case(case_id).state is CaseState.SIGNED
    entries = repr(kept(assistant).events())
    assert not any(words in entries for words in ("Scoliosis", "hilum", "pneumonia"))


def test_an_added_finding_that_is_changed_under_the_log_is_found(
    drafted: tuple[Assistant, str],
) -> None:
    import sqlite3

    assistant, case_id = drafted
    assistant.decide(case_id, [Add("Scoliosis.")], by=assistant.reader_named("reader-1"))
    with sqlite3.connect(assistant.settings.data_dir / "medmm.sqlite") as raw:
        raw.execute("UPDATE \"case\" SET decisions = replace(decisions, 'Scoliosis', 'Kyphosis')")
    problems = assistant.verify().problems
    assert [p.kind for p in problems] == ["altered"]
    assert "decisions" in problems[0].place


def test_the_command_line_adds_and_marks(tool: Tool, record: Path, demo_films: Path) -> None:  # noqa: F811
    tool("draft", demo_films / "RG1_UNCR.dcm", "--record", record)
    case = the_case(tool)
    who = {"by": "reader-1"}
    for wrong in ("scoliosis", "pulmonary nodule;up", "cardiomegaly;left"):
        tool("review", case, "--finding", wrong, code=3, **who)
    done = tool(
        "review", case, "--finding", "possible Pulmonary nodule;right;lower zone", "--add", "Scoliosis of 30 degrees.",
        "--impression", r"Possible nodule.\nScoliosis.", **who,
    )  # fmt: skip
    assert "r2 G6: 30 is no number of the evidence" in " ".join(done.stdout.split())
    shown = " ".join(tool("case", "show", case).stdout.split())
    for words in (
        "r1 Possible right pulmonary nodule, lower zone.", "added by ZZREADER One, free text", "impression Possible nodule."
    ):  # fmt: skip
        assert words in shown
    listed = json.loads(tool("case", "show", case, "--json").stdout)["suspected"]
    assert ("Nodule", "added by a reader", "right") in [
        (o["finding"], o["standing"], o["side"]) for o in listed
    ]
    draft = json.loads(tool("case", "show", case, "--json").stdout)["draft"]["draft"]["statements"]
    left = len([s for s in draft if s["summarises"] is None])
    first = "+\nscoliosis\nfracture; left; rib 5\n"
    told = tool("review", case, typed=first + "t\nClips.\n" + "r\n" * left + "y\n", **who).stdout
    assert "no finding 'scoliosis' in the vocabulary" in told
    assert "Signed" in told
    report = tool("publish", case).stdout
    for words in (
        "Left fracture, rib 5.",
        "Clips.",
        "Possible right pulmonary nodule, lower zone.",
    ):
        assert words in report
