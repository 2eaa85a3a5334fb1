"""What a command may import before it does anything: nobody waits for torch to read a help text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant

NETWORKS = ("torch", "monai", "transformers", "scipy", "pandas", "streamlit")
HELP = (
    *NETWORKS,
    "alembic",
    "sqlalchemy",
    "fhir.resources",
    "pydicom",
    "nibabel",
    "PIL",
    "numpy",
    "medmm.assistant",
)
LOOK = (*NETWORKS, "fhir.resources", "nibabel")
# An import that is not allowed ends the process; the traceback names the module that asked for it.
COMMAND = """
import sys
not_allowed = set({names!r})
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name in not_allowed:
            raise AssertionError(f"{{name}} is imported")
sys.meta_path.insert(0, Refusal())
sys.argv = ["medmm", *{words!r}]
from medmm.doors.cli import main
main()
"""


def ran(names: tuple[str, ...], *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in a process that refuses these imports."""
    command = [sys.executable, "-c", COMMAND.format(names=names, words=words)]
    environment = {**os.environ, "NO_COLOR": "1", **variables}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "is imported" not in found.stderr, found.stderr
    return found


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("--help", 0, "a clinician decides"),
        ("--version", 0, "medmm "),
        ("read --help", 0, "hippocampus"),
        ("cases --help", 0, "superseded"),
        ("case --help", 0, "show"),
        ("config check --help", 0, "A settings file."),
        ("no-such", 2, "no-such"),
        ("draft", 2, "STUDY"),
        ("cases --state unknown", 2, "unknown"),
    ],
)
def test_help_and_wrong_usage_wait_for_nothing_heavy(words: str, code: int, told: str) -> None:
    found = ran(HELP, *words.split())
    assert found.returncode == code, found.stderr
    assert told in found.stdout + found.stderr


def test_worklist_and_case_are_shown_without_networks_and_fhir(tmp_path: Path) -> None:
    with quick_assistant(tmp_path / "data") as assistant:
        case_id = opened(assistant, film_file(tmp_path))
        assistant.draft(case_id)
    settings = {"MEDMM_DATA_DIR": str(tmp_path / "data"), "MEDMM_WRITER": "rules"}
    for words in (
        ["cases"],
        ["cases", "--json"],
        ["case", "show", case_id],
        ["case", "show", case_id, "--json"],
    ):
        found = ran(LOOK, *words, **settings)
        assert found.returncode == 0, found.stderr
        assert case_id in found.stdout


def test_an_import_that_is_not_allowed_is_found_and_named() -> None:
    with pytest.raises(
        AssertionError, match=r"(?s)medmm.config.loading\.py.*pydantic_settings is imported"
    ):
        ran(("pydantic_settings",), "config", "show")
