"""A case that is shown blind holds nothing that was read, drafted, decided or reported, in any form."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from medmm.assistant import Assistant
from medmm.domain.codec import from_json, to_json
from medmm.domain.report import Add, CaseFile, CaseState, Edit
from medmm.domain.vocabulary import finding_terms, measurement_terms
from medmm.doors.cli import app
from medmm.doors.draft_page import draft_page
from medmm.presentation.draft_html import draft_html
from tests.dicom_files import film_file
from tests.factories import make_case_file
from tests.quick_assistant import READERS, opened, quick_assistant, signed


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    with quick_assistant(tmp_path / "data", writer="rules") as assistant:
        yield assistant


@pytest.fixture
def case_id(assistant: Assistant, tmp_path: Path) -> str:
    """A case that was drafted and decided on, with an earlier study that was read and signed."""
    reader = assistant.reader_named("reader-1")
    uids = {
        "StudyInstanceUID": "1.2.9.1",
        "SeriesInstanceUID": "1.2.9.2",
        "SOPInstanceUID": "1.2.9.3",
    }
    before = opened(assistant, film_file(tmp_path, "before", AcquisitionDate="20190304", **uids))
    signed(assistant, before, reader)
    case = opened(assistant, film_file(tmp_path))
    draft = assistant.draft(case)
    first = next(s for s in draft.statements if s.finding == "Effusion")
    assistant.decide(case, [Edit(first.id, "Large effusion."), Add.of("Mass")], by=reader)
    return case


def traces(file: CaseFile) -> set[str]:
    """All that would tell what was read, drafted or decided: names, words, scores, places, numbers."""
    assert file.reading is not None
    assert file.draft is not None
    told = {
        *finding_terms(),
        *(term.words for term in finding_terms().values()),
        *measurement_terms(),
    }
    told |= {statement.text for statement in file.draft.draft.decidable}
    told |= {decision.text for decision in file.decisions if isinstance(decision, Edit | Add)}
    for finding in file.reading.findings:
        told |= {str(finding.probability), str(finding.threshold)}
        if finding.region is not None:
            told |= {
                json.dumps(list(finding.region.box_xyxy)),
                json.dumps(list(finding.region.peak_xy)),
            }
            told |= {str(value) for value in finding.region.box_xyxy}
    for measurement in file.reading.measurements:
        told |= {str(measurement.value), measurement.name}
    told |= {model.name for model in file.reading.models}
    told |= {file.draft.draft.id, file.draft.draft.writer}
    own = json.dumps(to_json(file.case.study))  # a spacing of 0.2 mm tells no threshold of 0.2
    return {trace for trace in told if not (is_number(trace) and trace in own)}


def is_number(trace: str) -> bool:
    return trace.replace(".", "").isdigit()


def found(told: set[str], text: str) -> set[str]:
    return {trace for trace in told if trace.casefold() in text.casefold()}


def test_the_json_of_a_blind_case_holds_no_trace(assistant: Assistant, case_id: str) -> None:
    told = traces(assistant.case(case_id))
    seeing, blind = assistant.case(case_id, pixels=False), assistant.case(case_id, blind=True)
    assert {"Effusion", "0.62", "chest-test"} <= found(told, json.dumps(to_json(seeing)))
    assert found(told, json.dumps(to_json(blind))) == set()
    assert from_json(CaseFile, to_json(blind)) == blind
    assert (blind.blind, blind.suspicions, blind.flagged, blind.added) == (True, (), (), ())
    (prior,) = seeing.case.priors
    assert prior.reading is not None
    assert [p.reading for p in blind.case.priors] == [None]
    assert blind.case.study == seeing.case.study
    assert blind.case.study.volumes[0].pixels().size > 0


def test_the_pages_of_a_blind_case_hold_no_trace(assistant: Assistant, case_id: str) -> None:
    told = traces(assistant.case(case_id))
    blind, text = assistant.case(case_id, blind=True), io.StringIO()
    draft_page(blind, Console(file=text, width=100, no_color=True, highlight=False))
    for page in (text.getvalue(), draft_html(blind).partition("<body>")[2]):
        words = page.partition("data:image")[0] if "<img" in page else page
        assert found({t for t in told if not is_number(t)}, words) == set()
        assert "Shown blind" in page
        assert "No draft yet" not in page


def test_the_terminal_prints_the_record_of_a_blind_case() -> None:
    file, text = make_case_file().blinded(), io.StringIO()
    draft_page(file, Console(file=text, width=80, no_color=True, highlight=False))
    words = " ".join(text.getvalue().split())
    assert file.case.context is not None
    assert all(fact.label in words for fact in file.case.context.facts)
    assert "--html" in words


def test_a_signed_case_is_shown_blind_too_and_the_log_says_so(
    assistant: Assistant, tmp_path: Path
) -> None:
    case_id = opened(assistant, film_file(tmp_path))
    report = signed(assistant, case_id, assistant.reader_named("reader-1"))
    blind = assistant.case(case_id, blind=True)
    assert (blind.state, blind.report, blind.decisions) == (CaseState.SIGNED, None, ())
    assert report.id not in json.dumps(to_json(blind))
    assistant.case(case_id)
    looks = [e for e in assistant.history(case_id) if e.verb == "case"]
    assert [e.details.get("blind") for e in looks] == ["True", None]


def test_the_command_line_shows_a_case_blind(
    assistant: Assistant, case_id: str, tmp_path: Path
) -> None:
    told = traces(assistant.case(case_id))
    assistant.close()
    config = tmp_path / "local.yaml"
    readers = [{"id": r.id, "name": r.name, "role": r.role} for r in READERS]
    config.write_text(json.dumps({"data_dir": str(tmp_path / "data"), "readers": readers}))

    def shown(*how: str) -> Any:
        return CliRunner().invoke(app, ["--config", str(config), "case", "show", case_id, *how])

    as_json = json.loads(shown("--blind", "--json").stdout)
    assert found(told, json.dumps(as_json)) == set()
    assert "suspected" not in as_json
    page = shown("--blind").stdout
    assert "Shown blind" in page
    assert found({t for t in told if not is_number(t)}, page) == set()
    assert "suspected" in json.loads(shown("--json").stdout)
