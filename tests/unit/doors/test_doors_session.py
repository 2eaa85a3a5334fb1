"""What all commands share: nothing from outside steers the terminal, breaks a line of JSON, or names a way past a check."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from medmm.domain.errors import InputError
from medmm.domain.reading import ReadResult
from medmm.domain.report import Accept, Edit, Reject
from medmm.domain.study_inspection import Inspection
from medmm.doors import reading_lines, review_dialogue
from medmm.doors.doctor import machine
from medmm.doors.draft_page import draft_page
from medmm.doors.session import (
    add_row,
    first_opening,
    new_table,
    out,
    plain,
    progress_bar,
    report,
    write_json,
)
from medmm.presentation.inspection_words import verdict_rows
from tests.factories import (
    make_case_file,
    make_checked_draft,
    make_finding,
    make_reading,
    make_study,
)

HOSTILE = "a[/b][red]\x1b[2J\x07\udcffb\u2028c:heart:.dcm"


def test_a_line_of_json_is_one_line_of_ascii_whatever_the_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_json({"path": HOSTILE})
    told = capsys.readouterr().out
    assert told.isascii()
    assert len(told.splitlines()) == 1
    assert json.loads(told) == {"path": HOSTILE}


def test_tables_and_lines_show_names_and_obey_nothing_in_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = new_table("path")
    add_row(table, HOSTILE)
    out().print(table)
    out().print(plain(HOSTILE))
    told = capsys.readouterr().out
    assert told.count("a[/b][red]") == 2
    assert told.count(":heart:") == 2
    assert "\x1b" not in told
    assert "\x07" not in told


def test_an_error_s_place_is_inert(capsys: pytest.CaptureFixture[str]) -> None:
    report(InputError("no such file", remedy="check it", path=HOSTILE))
    assert "\x1b" not in capsys.readouterr().err


def test_nothing_read_is_never_told_as_nothing_suspected() -> None:
    result = ReadResult(
        path="a.dcm", study=make_study(), reading=make_reading(findings=(), models=())
    )
    _, _, told, _ = reading_lines.table_row(reading_lines.read_line(result, None), result)
    assert "none suspected" not in told
    assert "no finding was read" in told
    calm = make_reading(findings=make_reading().findings[3:])
    result = ReadResult(path="a.dcm", study=make_study(), reading=calm)
    assert (
        reading_lines.table_row(reading_lines.read_line(result, None), result)[2]
        == "none suspected"
    )


def test_a_warning_names_the_first_studies_that_bear_it_and_how_many_more() -> None:
    assert reading_lines.some(["a"]) == "a"
    assert reading_lines.some(["a", "b", "c"]) == "a, b, c"
    assert reading_lines.some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_critical_suspicions_come_first_and_marked_in_the_table() -> None:
    findings = (
        make_finding("Effusion", 0.9),
        make_finding("Cardiomegaly", 0.1),
        make_finding("Pneumothorax", 0.4),
    )
    result = ReadResult(path="a.dcm", study=make_study(), reading=make_reading(findings=findings))
    told = reading_lines.table_row(reading_lines.read_line(result, None), result)[2]
    assert told == "pneumothorax (critical) 0.40, pleural effusion 0.90"
    assert [f["name"] for f in reading_lines.read_line(result, None)["findings"]] == [
        f.name for f in findings
    ]


def test_lines_go_to_stdout_while_progress_is_on_a_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress_bar() as progress:
        progress.add_task("reading", total=None)
        write_json({"line": 1})
    told = capfd.readouterr()
    assert told.out == '{"line": 1}\n'
    assert "reading" in told.err


def test_a_study_is_shown_with_what_was_left_out_of_its_record() -> None:
    file = make_case_file()
    rows = list(
        verdict_rows(Inspection(path="a.dcm", study=file.case.study, context=file.case.context))
    )
    assert ("left out", "entry[7] Claim/x: not clinical") in rows
    assert ("facts", "9 in time, 1 left out") in rows


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Answer the prompts with these lines; all of them must be asked for."""
    waiting: list[str] = []
    monkeypatch.setattr("builtins.input", lambda *_: waiting.pop(0))
    yield waiting
    assert waiting == []


def test_a_statement_that_failed_a_check_can_t_be_accepted_or_kept_as_it_stands(
    typed: list[str],
) -> None:
    file = make_case_file(draft=make_checked_draft(failed=("s2",)))
    assert file.draft is not None
    statement = file.draft.statements[1]
    typed += ["a", "e", statement.text, "", "A small left effusion."]
    assert review_dialogue._ask(file, statement) == Edit("s2", "A small left effusion.")
    typed += ["r"]
    assert review_dialogue._ask(file, statement) == Reject("s2")
    typed += ["q"]
    assert review_dialogue._ask(file, statement) is None


def test_a_passed_statement_offers_its_own_words(typed: list[str]) -> None:
    file = make_case_file(draft=make_checked_draft())
    assert file.draft is not None
    first = file.draft.statements[0]
    typed += ["e", ""]
    assert review_dialogue._ask(file, first) == Edit("s1", first.text)
    typed += ["a"]
    assert review_dialogue._ask(file, first) == Accept("s1")


def test_before_signing_the_words_that_will_be_signed_are_shown() -> None:
    decisions = (Accept("s1"), Edit("s2", "No effusion."), Reject("s3"))
    lines = review_dialogue._decided_lines(make_case_file(decisions=decisions))
    assert lines == [
        "  s1  Reported in the record: heart failure.",
        "  s2  No effusion. (edited)",
        "  (s3 is left out)",
        "  s4  No effusion. (edited) (summary of s2)",
    ]


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("s1", Reject("s1")),
        ("s1 = not seen", Reject("s1", "not seen")),
        ("s1=a=b", Reject("s1", "a=b")),
    ],
)
def test_a_rejection_may_carry_its_reason(text: str, decision: Reject) -> None:
    assert review_dialogue._reject(text) == decision


def test_an_edit_without_text_is_refused() -> None:
    assert review_dialogue._edit("s3=The new = sentence.") == Edit("s3", "The new = sentence.")
    for text in ("s3", "s3=", "s3=  "):
        with pytest.raises(InputError):
            review_dialogue._edit(text)


def test_the_page_without_colour_or_width_still_says_what_it_is() -> None:
    text = io.StringIO()
    draft_page(
        make_case_file(),
        Console(file=text, width=40, no_color=True, highlight=False, legacy_windows=False),
    )
    assert max(map(len, text.getvalue().splitlines())) <= 40
    assert "DRAFT, not signed" in text.getvalue()


def test_doctor_says_that_a_database_is_reached_where_one_is_named() -> None:
    named, bare = (
        {check.name: check.found for check in machine(place)}["network"]
        for place in ("postgresql+psycopg://medmm@db/medmm", "")
    )
    assert named == (
        "medmm opens no connection but to postgresql+psycopg://medmm@db/medmm;"
        " nothing else needs to be reached"
    )
    assert bare == "medmm opens no connection; nothing needs to be reached"


def test_progress_of_a_first_opening_is_shown_if_there_is_any(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with first_opening():
        pass
    assert capsys.readouterr() == ("", "")
    with first_opening() as progress:
        for done in range(3):
            progress(done, 3)
    told = capsys.readouterr()
    assert (told.out, "cases of an earlier release" in told.err) == ("", True)


def test_a_time_of_the_audit_export_says_its_zone() -> None:
    from typer.testing import CliRunner

    from medmm.doors.cli import app

    for words in ("2026-01-31", "2026-01-31T00:00", "yesterday"):
        refused = CliRunner().invoke(app, ["audit", "export", "--since", words])
        assert refused.exit_code == 2
        assert "with its zone" in " ".join(refused.output.split())
