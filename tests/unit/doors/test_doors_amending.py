"""`medmm amend`, `addendum` and `withdraw`, and what `cases`, `case show`, `publish` and `audit` then say."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from medmm.domain.case_state import CaseState
from medmm.domain.errors import InputError, PermissionDenied, StateError
from medmm.domain.report_kind import ReportKind
from medmm.doors.cli import app
from medmm.presentation.draft_words import banner
from tests.factories import make_amended_report, make_case_file, make_signed_report

EARLIER = Path(__file__).parents[1] / "store" / "earlier_release" / "store.tar.xz"
CASE = "case-1"
READERS = [
    {"id": "reader-1", "name": "ZZREADER One", "role": "attending"},
    {"id": "reader-2", "name": "ZZREADER Two", "role": "reader"},
    {"id": "resident-1", "name": "ZZREADER Three", "role": "resident"},
]
EDIT = ("amend", CASE, "--edit", "s3=Heart not enlarged.", "--reason", "Seen again.")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a data folder that an earlier release left, with one signed case."""
    with tarfile.open(EARLIER) as packed:
        packed.extractall(tmp_path, filter="data")
    (data,) = [path.parent for path in tmp_path.rglob("medmm.sqlite")]
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"data_dir": str(data), "readers": READERS}))
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return path


def run(*words: str, by: str | None = "reader-2") -> Result:
    return CliRunner().invoke(app, [*(("--by", by) if by else ()), *words])


def done(*words: str, by: str | None = "reader-2") -> str:
    result = run(*words, by=by)
    assert result.exception is None, result.exception
    return " ".join(result.output.split())


def shown() -> dict[str, object]:
    found: dict[str, object] = json.loads(done("case", "show", CASE, "--json"))
    return found


def test_a_signed_case_is_amended_added_to_and_withdrawn(config: Path) -> None:
    said = done(*EDIT, "--correction")
    assert "Correction signed: report-" in said
    assert "It takes the place of report-case-1-1." in said
    assert "medmm publish case-1 --to FOLDER" in said
    text = done("case", "show", CASE)
    assert text.startswith("RADIOLOGY REPORT: AMENDED, CORRECTED")
    assert "Heart not enlarged." in text
    said = done("addendum", CASE, "Told to the ward.", "--reason", "Asked for.", by="reader-1")
    assert "Addendum signed" in said
    assert "version 3" in said
    assert "amended" in done("cases")
    assert "Told to the ward." in done("publish", CASE)
    earlier = done("publish", CASE, "--version", "1")
    assert earlier.startswith("RADIOLOGY REPORT: REPLACED, NOT VALID")
    assert "Withdrawal signed" in done("withdraw", CASE, "--reason", "Another patient's film.")
    assert "is withdrawn: no finding" in " ".join(done("cases", "--state", "withdrawn").split())
    text = done("case", "show", CASE)
    assert text.startswith("RADIOLOGY REPORT: WITHDRAWN, ENTERED IN ERROR")
    assert "Heart not enlarged." not in text
    file = shown()
    assert file["state"] == "withdrawn"
    assert [one["version"] for one in file["earlier"]] == [1, 2, 3]  # type: ignore[attr-defined]
    verbs = [json.loads(line)["verb"] for line in run("audit", "log", CASE, "--json").output.splitlines()]  # fmt: skip
    assert [v for v in verbs if v in ("amend", "addendum", "withdraw")] == [
        "amend",
        "addendum",
        "withdraw",
    ]
    assert "sound" in done("audit", "verify")


def test_a_page_of_the_draft_says_first_what_became_of_the_report() -> None:
    amended, withdrawn = (
        make_amended_report(),
        make_amended_report(kind=ReportKind.WITHDRAWAL, statements=()),
    )
    signed = make_case_file(CaseState.SIGNED)
    earlier = (make_signed_report(),)
    assert banner(signed).startswith("An earlier DRAFT. Report report-1 was signed from it")
    words = banner(replace(signed, state=CaseState.AMENDED, report=amended, earlier=earlier))
    assert words.startswith("AMENDED on 2026-01-03T09:30:00+00:00 by ZZREADER Two")
    assert "Report report-2 was signed from it: that report counts, not this page." in words
    words = banner(replace(signed, state=CaseState.WITHDRAWN, report=withdrawn, earlier=earlier))
    assert words.startswith(
        "WITHDRAWN, ENTERED IN ERROR on 2026-01-03T09:30:00+00:00 by ZZREADER Two"
    )
    assert "Reason: Seen again beside the film of 2024." in words
    assert "No finding of this report is valid." in words
    assert "counts" not in words


@pytest.mark.parametrize(
    ("words", "by", "kind"),
    [
        (EDIT, None, InputError),
        (EDIT, "resident-1", PermissionDenied),
        (("amend", CASE, "--reason", "Nothing."), "reader-1", InputError),
        ((*EDIT[:-1], " "), "reader-1", InputError),
        (("withdraw", CASE, "--reason", ""), "reader-1", InputError),
        (("addendum", CASE, " ", "--reason", "None."), "reader-1", InputError),
        (("addendum", CASE, "No effusion.", "--reason", "None."), "reader-1", StateError),
        (("publish", CASE, "--version", "2"), "reader-1", InputError),
    ],
)
def test_what_is_refused_changes_nothing(
    config: Path, words: tuple[str, ...], by: str | None, kind: type[Exception]
) -> None:
    before = shown()
    assert isinstance(run(*words, by=by).exception, kind)
    assert shown() == before


@pytest.mark.parametrize("command", ["amend", "addendum", "withdraw"])
def test_the_reason_is_an_option_that_must_be_given(config: Path, command: str) -> None:
    text = ("Told.",) if command == "addendum" else ()
    result = run(command, CASE, *text)
    assert result.exit_code == 2
    assert "reason" in result.output


def test_after_a_withdrawal_nothing_is_amended(config: Path) -> None:
    done("withdraw", CASE, "--reason", "Another patient's film.")
    error = run(*EDIT).exception
    assert isinstance(error, StateError)
    assert "open its study again" in error.remedy
