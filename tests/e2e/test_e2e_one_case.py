"""One study has one open case, whatever record it is admitted with, and says which record is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.errors import StateError
from medmm.domain.report import Accept, CaseState, Edit, Reader
from medmm.domain.study import Study
from medmm.doors import demo


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    entry = ReaderEntry(id="reader-1", name="ZZREADER One", role="attending")
    with Assistant(Settings(data_dir=tmp_path / "data", threads=1, readers=(entry,))) as assistant:
        yield assistant


@pytest.fixture
def film(demo_films: Path) -> Path:
    return demo_films / "RG1_UNCR.dcm"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "record.json"
    path.write_text((Path(demo.__file__).parent / "demo_record.json").read_text())
    return path


def opened(assistant: Assistant, film: Path, record: Path | None) -> str:
    study = assistant.admit(film, record=record)
    assert isinstance(study, Study)
    return assistant.open_case(study.uid).id


def states(assistant: Assistant) -> dict[str, CaseState]:
    return {case.case_id: case.state for case in assistant.cases()}


def sign(assistant: Assistant, case_id: str, by: Reader) -> None:
    draft = assistant.draft(case_id)
    asked = [s for s in draft.statements if s.summarises is None]
    decisions = [
        Edit(s.id, "The reader's own words.") if draft.failed(s.id) else Accept(s.id) for s in asked
    ]
    assistant.decide(case_id, decisions, by=by)
    assistant.sign(case_id, by=by)


def test_an_admission_without_record_says_that_the_earlier_one_is_used(
    assistant: Assistant, film: Path, record: Path
) -> None:
    plain = assistant.admit(film)
    assert isinstance(plain, Study)
    assert "record-kept" not in {n.code for n in plain.warnings}
    joined = assistant.admit(film, record=record)
    assert isinstance(joined, Study)
    first = assistant.open_case(joined.uid).id
    again = assistant.admit(film)
    assert isinstance(again, Study)
    codes = [n.code for n in again.warnings]
    assert codes.count("record-kept") == 1
    assert {n.code for n in joined.warnings if n.code.startswith("identity-")} <= set(codes)
    assert assistant.open_case(again.uid).id == first
    file = assistant.case(first)
    assert file.case.context is not None
    assert "record-kept" in {n.code for n in file.case.study.warnings}
    assert assistant.verify().ok


def test_a_record_that_comes_later_supersedes_the_unsigned_case(
    assistant: Assistant, film: Path, record: Path
) -> None:
    reader = assistant.reader_named("reader-1")
    without = opened(assistant, film, None)
    assistant.draft(without)
    with_record = opened(assistant, film, record)
    assert states(assistant) == {without: CaseState.SUPERSEDED, with_record: CaseState.OPENED}
    for act in (lambda: assistant.draft(without), lambda: assistant.sign(without, by=reader)):
        with pytest.raises(StateError, match="superseded"):
            act()
    (event,) = [e for e in assistant.history(without) if "superseded_by" in e.details]
    assert (event.verb, event.details["superseded_by"]) == ("open_case", with_record)
    record.write_text(record.read_text().replace("Hypertension", "Hypotension"))
    third = opened(assistant, film, record)
    assert states(assistant)[with_record] is CaseState.SUPERSEDED
    sign(assistant, third, reader)
    assert assistant.verify().ok


def test_a_superseded_case_goes_on_when_its_record_is_given_again(
    assistant: Assistant, film: Path, record: Path, tmp_path: Path
) -> None:
    first = opened(assistant, film, record)
    other = tmp_path / "other.json"
    other.write_text(record.read_text().replace("Hypertension", "Hypotension"))
    second = opened(assistant, film, other)
    assert opened(assistant, film, record) == first
    assert states(assistant) == {first: CaseState.OPENED, second: CaseState.SUPERSEDED}
    assert assistant.verify().ok


def test_a_signed_study_opens_no_second_case(
    assistant: Assistant, film: Path, record: Path
) -> None:
    first = opened(assistant, film, None)
    sign(assistant, first, assistant.reader_named("reader-1"))
    with pytest.raises(StateError, match="signed"):
        opened(assistant, film, record)
    assert states(assistant) == {first: CaseState.SIGNED}
