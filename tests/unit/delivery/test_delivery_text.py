"""The signed report as text, JSON and files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from medmm import __version__
from medmm.delivery import Outgoing, render, report_json, report_text, write_report
from medmm.domain.codec import from_json
from medmm.domain.draft import Section
from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import SignedReport
from tests.factories import make_signed_report

IDENTITY = PatientIdentity(
    patient_id="ZZFAKE-1",
    family_name="ZZFAKE",
    given_name="Alpha",
    birth_date=date(1950, 1, 10),
    sex="F",
)


def test_text_says_who_drafted_who_signed_and_what_was_not_looked_at() -> None:
    text = report_text(make_signed_report(), IDENTITY)
    for words in (
        "ZZFAKE, Alpha; ZZFAKE-1; born 1950-01-10; F",
        "Signed by ZZREADER One (reader-1, attending) on 2026-01-02T09:30:00+00:00.",
        f"medmm {__version__} (rule-writer; models: chest-test (000000000000))",
        "fractures; comparison with earlier images.",
        "edited 1 and rejected 0",
    ):
        assert words in " ".join(text.split())


def test_every_statement_stands_under_its_section() -> None:
    report = make_signed_report()
    text = report_text(report, None)
    sections = [section for section in Section if section is not Section.ADDENDUM]
    heads = [text.index(section.value.upper() + "\n") for section in sections]
    assert heads == sorted(heads)
    for statement in report.statements:
        assert statement.text in text[heads[sections.index(statement.section)] :].replace("\n", " ")


def test_without_an_identity_the_patient_is_a_key() -> None:
    report = make_signed_report()
    assert f"Patient     {report.patient_key}\n" in report_text(report, None)
    assert report_json(report, None)["patient"] is None


def test_a_name_can_not_forge_a_line_of_the_report() -> None:
    forged = replace(IDENTITY, given_name="Alpha\nSigned by ZZOTHER\x1b[2J")
    lines = report_text(make_signed_report(), forged).splitlines()
    assert sum(line.startswith("Signed by") for line in lines) == 1
    assert all(line.isprintable() for line in lines)


def test_json_gives_the_report_back() -> None:
    report = make_signed_report()
    data = json.loads(render(report, IDENTITY, "json"))
    assert from_json(SignedReport, data["report"]) == report
    assert from_json(PatientIdentity, data["patient"]) == IDENTITY


def test_files_are_the_same_when_published_twice_and_stay_in_their_folder(tmp_path: Path) -> None:
    out = Outgoing(report=make_signed_report(id="../../x\x00y"), identity=IDENTITY)
    first = {path: path.read_bytes() for path in write_report(out, tmp_path / "out")}
    second = {path: path.read_bytes() for path in write_report(out, tmp_path / "out")}
    assert first == second
    assert {path.parent for path in first} == {tmp_path / "out"}
    assert sorted(tmp_path.rglob("*")) == sorted([tmp_path / "out", *first])


def test_a_file_in_place_of_the_folder_and_an_unknown_format_are_input_errors(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="no folder"):
        write_report(Outgoing(report=make_signed_report(), identity=None), tmp_path / "file")
    with pytest.raises(InputError, match="no format"):
        render(make_signed_report(), None, "xml")
