"""One list with one meaning: worklist, page, batch, JSON, HTML, terminal and signed report agree on every film.

Seeded films of the NIH test split, written as DICOM here: what reaches its operating point is a statement to decide on or
stands in the block beside the findings, in the same words everywhere, and is in the signed report only where it was decided.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console

from medmm.assistant import Assistant
from medmm.domain.draft import CLAIMS, Section
from medmm.domain.images import with_limits
from medmm.domain.report import Accept, CaseFile, Decision, Reject
from medmm.domain.suspicion import Standing
from medmm.domain.vocabulary import finding_term
from medmm.domain.worklist import WorklistRow
from medmm.doors import reading_lines
from medmm.doors.cli.cases import listed
from medmm.doors.draft_page import draft_page
from medmm.presentation.case_view import case_view
from medmm.presentation.draft_html import draft_html
from medmm.presentation.suspicion_words import suspected_line, suspicion_words
from medmm.presentation.worklist_view import worklist_line
from medmm.training.data.films import NIH_TABLE, chosen, greys, read_table
from pipelines import batch
from tests.dicom_files import film_file

SEED, FILMS, QUICK = 22, 100, 3
pytestmark = pytest.mark.timeout(3600)  # drafts of many films, on a machine of any speed
PARTS = [
    pytest.param(range(QUICK), id="some"),
    pytest.param(range(QUICK, FILMS), id="all", marks=pytest.mark.slow),
]
ALSO = Standing.NOT_STATED.value


@dataclass(frozen=True, slots=True)
class Here:
    """An assistant over a folder of films, and the lines that batch wrote of them."""

    assistant: Assistant
    folder: Path
    lines: dict[str, dict[str, Any]]
    told: dict[str, str]


def write_films(shared_data: Path, folder: Path, wanted: range) -> None:
    table = sorted(
        chosen(read_table(shared_data, NIH_TABLE), lambda f: f.split == "test"),
        key=lambda f: f.file,
    )
    films = [random.Random(SEED).sample(table, FILMS)[number] for number in wanted]
    for number, (film, grey) in enumerate(zip(films, greys(shared_data, films), strict=True)):
        pixels = (np.clip(grey, 0, 1) * 4095).astype(np.uint16)
        uids = {"StudyInstanceUID": f"1.2.3.{number}.1", "SOPInstanceUID": f"1.2.3.{number}.3"}
        film_file(
            folder,
            f"{number:03d}.dcm",
            pixels,
            ViewPosition=film.view,
            PatientID=f"ZZ-{number}",
            **uids,
        )


@pytest.fixture(params=PARTS, scope="module")
def here(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Here]:
    """The films as DICOM files, drafted by `medmm batch`."""
    root = tmp_path_factory.mktemp("one-list")
    write_films(shared_data, root / "films", request.param)
    config = root / "settings.yaml"
    readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "reader"}]
    config.write_text(
        yaml.safe_dump({"data_dir": str(root / "data"), "threads": 1, "readers": readers})
    )
    with Assistant.from_config(config) as assistant:
        assert batch.run(assistant, root / "films", root / "out", as_json=False) == 0
        found = [
            json.loads(line) for line in (root / "out" / batch.RESULTS).read_text().splitlines()
        ]
        lines = {line["case"]: line for line in found if line["outcome"] == "done"}
        assert {line["outcome"] for line in found} <= {"done", "held"}
        assert len(lines) >= 0.9 * len(request.param), "the gate holds few of them"
        yield Here(
            assistant,
            root / "films",
            lines,
            {case: batch.told(line, "done") for case, line in lines.items()},
        )


def files(here: Here) -> list[CaseFile]:
    return [here.assistant.case(case_id) for case_id in here.lines]


def terminal(file: CaseFile) -> str:
    console = Console(width=2000, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        draft_page(file, console)
    return console.export_text()


def block(text: str, start: str, ends: tuple[str, ...]) -> str:
    """What stands under a heading, up to the next one of `ends`."""
    _, found, rest = text.partition(start)
    return re.split("|".join(map(re.escape, ends)), rest)[0] if found else ""


def without_tags(html: str) -> str:
    return unescape(
        re.sub(
            r"<[^>]+>",
            "\n",
            re.sub(r"<style>.*?</style>|src=\"[^\"]*\"", "", html, flags=re.DOTALL),
        )
    )


def test_every_surface_shows_the_same_list(here: Here) -> None:
    worklist = {summary.case_id: summary for summary in here.assistant.cases()}
    some = 0
    for file in files(here):
        case_id, draft = file.case.id, file.draft
        assert draft is not None and file.reading is not None  # noqa: PT018
        truth = {f.name for f in file.reading.findings if f.suspected}
        stated = {
            s.finding
            for s in draft.statements
            if s.finding and s.section is Section.FINDINGS and s.assertion in CLAIMS
        }
        also = {one.statement.finding for one in draft.draft.also_suspected}
        assert stated | also == truth
        assert not stated & also
        assert all(one.why for one in draft.draft.also_suspected)
        # worklist, batch and JSON
        summary, line = worklist[case_id], here.lines[case_id]
        assert (
            {one.finding for one in file.flagged}
            == truth
            == set(summary.suspected)
            == set(line["findings"])
        )
        assert file.flagged == summary.suspicions
        assert listed(file) == line["suspected"]
        words = suspected_line(file.flagged)
        row = worklist_line(WorklistRow(case=summary), datetime.now(UTC), {})
        assert row.suspected == (words or "; ".join(summary.seen_in_part))
        told, *_ = (
            here.told[case_id].strip().partition(" drafted: ")[2].splitlines()
        )  # notes follow, a line each
        assert told == (words or with_limits("none flagged", summary.seen_in_part))
        # the dashboard's page
        view = case_view(file)
        assert view.suspected == words
        assert {s.text for s in view.also} == {
            one.statement.text for one in draft.draft.also_suspected
        }
        assert all(s.why for s in view.also)
        # terminal and HTML: the block beside the findings, and nothing of it under what was not evaluated
        pages = {
            "terminal": (
                terminal(file),
                ALSO.upper(),
                ("IMPRESSION", "NOT EVALUATED"),
                "NOT EVALUATED",
            ),
            "html": (
                without_tags(draft_html(file)),
                f"\n{ALSO}\n",
                ("\nimpression\n", "\nnot evaluated\n"),
                "not evaluated",
            ),
        }
        for name, (text, heading, ends, limits) in pages.items():
            beside = block(text, heading, ends)
            assert bool(beside) == bool(also), name
            for one in draft.draft.also_suspected:
                assert one.statement.text in beside, name
                assert f"not stated: {one.why}" in beside, name
            for statement in draft.statements:
                assert statement.text in text, name
            assert not any(
                finding_term(f).words in _of_suspicion(text.partition(limits)[2]) for f in also if f
            ), name
        assert not any(
            finding_term(f).words in _of_suspicion("\n".join(draft.draft.not_evaluated))
            for f in also
            if f
        )
        some += bool(also)
    assert some or len(here.lines) < 20


def _of_suspicion(limits: str) -> str:
    """The lines of what was not evaluated that could speak of a suspicion; the fixed ones name findings in passing."""
    return "\n".join(
        line for line in limits.splitlines() if "suspect" in line or re.search(r"\(0\.\d\d\)", line)
    )


def test_a_reading_alone_names_the_same(here: Here) -> None:
    for file in files(here)[:QUICK]:
        (result,) = here.assistant.read([here.folder / here.lines[file.case.id]["name"]])
        line = reading_lines.read_line(result, None)
        assert {f["name"] for f in line["findings"] if f["suspected"]} == {
            one.finding for one in file.flagged
        }
        told = reading_lines.table_row(line, result)[2]
        assert told == (", ".join(map(suspicion_words, file.flagged)) or "none suspected")


def test_the_signed_report_holds_what_was_decided_and_nothing_else(here: Here) -> None:
    """Of what is also suspected every second is accepted; every critical statement is rejected."""
    reader = here.assistant.reader_named("reader-1")
    for file in files(here):
        assert file.draft is not None
        decisions: list[Decision] = []
        for statement in file.asked:
            rejected = bool(file.draft.failed(statement.id)) or file.critical(statement.id)
            decisions.append(Reject(statement.id) if rejected else Accept(statement.id))
        also = [one.statement for one in file.also_suspected]
        taken = [s for s in also[::2] if not file.draft.failed(s.id)]
        decisions += [Accept(s.id) for s in taken]
        here.assistant.decide(file.case.id, decisions, by=reader)
        now = here.assistant.case(file.case.id)
        assert not any(one.critical for one in now.flagged)
        assert not any(s.critical for s in case_view(now).statements)
        assert 'class="critical"' not in draft_html(now)
        assert "CRITICAL" not in terminal(now)
        accepted = {
            s.finding
            for s in file.asked
            if Accept(s.id) in decisions and s.finding and s.assertion in CLAIMS
        }
        expected = accepted | {s.finding for s in taken}
        if all(isinstance(d, Reject) for d in decisions):
            continue  # nothing is left to sign
        report = here.assistant.sign(file.case.id, by=reader)
        claimed = {s.finding for s in report.statements if s.finding and s.assertion in CLAIMS}
        assert claimed == expected
        summary = next(s for s in here.assistant.cases() if s.case_id == file.case.id)
        assert set(summary.suspected) == expected
        whole = json.loads(here.assistant.render(report.id, format="json"))
        assert whole["critical"] == []
        bundle = json.loads(here.assistant.render(report.id, format="fhir"))
        observed = [
            e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Observation"
        ]
        positive = [
            o
            for o in observed
            if o.get("valueCodeableConcept", {}).get("text") in ("possible", "present")
        ]
        assert {o["code"]["text"] for o in positive} == {
            finding_term(f).words for f in expected if f
        }
        assert not any("interpretation" in o for o in observed)
        forms = next(
            e["resource"]["presentedForm"]
            for e in bundle["entry"]
            if e["resource"]["resourceType"] == "DiagnosticReport"
        )
        (form,) = (one for one in forms if one["contentType"].startswith("text/plain"))
        text = here.assistant.render(report.id)
        assert base64.b64decode(form["data"]).decode() == text
        sentences = " ".join(text.split())
        for statement in also:
            assert (statement.text in sentences) == (statement.finding in expected)
        assert ALSO not in sentences
