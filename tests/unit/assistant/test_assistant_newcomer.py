"""What somebody meets who uses the package for the first time: names, readers by id, a closed assistant, a refused study."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import medmm
from medmm import Accept, NotEvaluable, PermissionDenied, StateError
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant


@pytest.mark.parametrize("name", medmm.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(medmm, name) is not None
    assert name in dir(medmm)


def test_the_package_and_its_errors_load_no_torch() -> None:
    code = "import sys, medmm; medmm.Accept, medmm.InputError, medmm.Reader; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_reader_may_be_named_by_id(tmp_path: Path) -> None:
    film = film_file(tmp_path / "in", "a.dcm")
    with quick_assistant(tmp_path / "data") as assistant:
        case = opened(assistant, film, by="reader-1")
        draft = assistant.draft(case, by="reader-1")
        asked = [s.id for s in draft.statements if s.summarises is None and not draft.failed(s.id)]
        assistant.decide(case, [Accept(asked[0])], by="reader-1")
        acted = {e.verb: e.actor for e in assistant.history(case, by="reader-1")}
        assert {acted[verb] for verb in ("admit", "draft", "decide")} == {"reader-1"}
        with pytest.raises(PermissionDenied, match="no such reader"):
            assistant.decide(case, [Accept(asked[0])], by="reader-9")


def test_after_close_every_verb_says_so(tmp_path: Path) -> None:
    assistant = quick_assistant(tmp_path / "data")
    assistant.close()
    film = film_file(tmp_path / "in", "a.dcm")
    calls = (
        lambda: assistant.admit(film),
        lambda: list(assistant.read(film)),
        lambda: assistant.cases(),
        lambda: assistant.models(),
        lambda: assistant.verify(),
        lambda: assistant.reader_named("reader-1"),
    )
    for call in calls:
        with pytest.raises(StateError, match="closed"):
            call()


def test_the_case_of_a_refused_study_says_why_there_is_none(tmp_path: Path) -> None:
    film = film_file(tmp_path / "in", "a.dcm", BodyPartExamined="KNEE", StudyInstanceUID="1.2.3.77")
    with quick_assistant(tmp_path / "data") as assistant:
        refused = assistant.admit(film)
        assert isinstance(refused, NotEvaluable)
        with pytest.raises(StateError) as error:
            assistant.open_case("1.2.3.77")
    assert refused.reason in error.value.problem
    assert error.value.where["reason_code"] == refused.reason_code
