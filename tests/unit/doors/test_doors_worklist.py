"""The worklist page by page, in the terminal and on the dashboard."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from medmm import Assistant
from medmm.config import load_settings
from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import InputError
from medmm.domain.report import CaseState
from medmm.domain.study import Modality
from medmm.doors.cli import app
from medmm.store import Store
from tests.factories import SIGNED_AT, make_case, make_checked_draft

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a data folder with five cases: the third is superseded."""
    path = tmp_path / "settings.yaml"
    readers = [{"id": "reader-1", "name": "ZZREADER One", "role": "reader"}]
    path.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data"), "readers": readers}))
    settings = load_settings(path)
    with (
        Store.open(settings.data_dir, heads_path=settings.heads_path) as store,
        store.step() as step,
    ):
        step.save_study(make_case().study)
        for n in range(1, 6):
            case_id = f"case-{n}"
            step.open_case(replace(make_case(), id=case_id), SIGNED_AT + timedelta(minutes=n))
            if n == 3:
                step.set_state(case_id, CaseState.SUPERSEDED, expected=CaseState.OPENED)
            step.record(
                AuditEvent(
                    at=SIGNED_AT,
                    verb="open_case",
                    outcome="done",
                    actor="x",
                    role="service",
                    subject=case_id,
                )
            )
    monkeypatch.setenv("MEDMM_CONFIG", str(path))
    return path


def tool(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), *words], env={"NO_COLOR": "1"})


def cases(config: Path, *words: str) -> Result:
    return tool(config, "cases", *words)


def ids(config: Path, *words: str) -> list[str]:
    return [
        json.loads(line)["case_id"] for line in cases(config, "--json", *words).stdout.splitlines()
    ]


def test_the_command_gives_pages_and_states(config: Path) -> None:
    assert ids(config) == [f"case-{n}" for n in (5, 4, 3, 2, 1)]
    assert ids(config, "--limit", "2") == ["case-5", "case-4"]
    assert ids(config, "--limit", "2", "--after", "case-4") == ["case-3", "case-2"]
    assert ids(config, "--state", "superseded") == ["case-3"]
    assert "--after case-4" in cases(config, "--limit", "2").stdout
    assert "--after" not in cases(config, "--limit", "9").stdout
    assert "No such cases" in cases(config, "--state", "signed").stdout
    assert cases(config, "--after", "case-9").exit_code != 0
    assert cases(config, "--limit", "0").exit_code == 2


def test_a_page_by_urgency_goes_on_from_where_the_one_before_ended(config: Path) -> None:
    by_urgency = ("--sort", "urgency", "--limit", "2")
    shown = cases(config, *by_urgency).stdout
    (after,) = [line.split()[-1] for line in shown.splitlines() if "Next page" in line]
    assert after == "case-2@3,9999"
    given = ("case", "prioritise", "case-2", "stat", "--reason", "short of breath")
    assert tool(config, "--by", "reader-1", *given).exit_code == 0
    assert ids(config, *by_urgency, "--after", after) == ["case-4", "case-5"]


def test_the_command_claims_a_case_and_gives_it_back(config: Path) -> None:
    claimed = tool(config, "--by", "reader-1", "case", "claim", "case-2", "--minutes", "90")
    assert "Yours until" in claimed.stdout
    assert ids(config, "--assigned", "reader-1") == ["case-2"]
    assert "opened, claimed by" in cases(config).stdout
    (line,) = cases(config, "--json", "--assigned", "reader-1").stdout.splitlines()
    assert json.loads(line)["assigned"] == "reader-1"
    again = tool(config, "--by", "reader-1", "case", "claim", "case-2", "--json")
    assert json.loads(again.stdout)["holder"] == "reader-1"
    for word in ("claim", "unclaim"):  # the service reads no films
        assert isinstance(tool(config, "case", word, "case-2").exception, InputError)
    assert "free" in tool(config, "--by", "reader-1", "case", "unclaim", "case-2").stdout
    assert ids(config, "--assigned", "reader-1") == []
    assert "claimed by" not in cases(config).stdout


def test_the_command_prioritises_and_sorts(config: Path) -> None:
    words = ("--by", "reader-1", "case", "prioritise", "case-2", "stat", "--reason", "chest pain")
    assert "stat" in tool(config, *words).stdout
    assert ids(config, "--sort", "urgency") == ["case-2", "case-1", "case-4", "case-5", "case-3"]
    assert ids(config, "--priority", "stat") == ["case-2"]
    assert ids(config, "--not-waiting", "--limit", "2") == ["case-5", "case-4"]
    assert (ids(config, "--waiting"), ids(config, "--site", "elsewhere")) == ([], [])
    assert "opened, stat: chest pain" in cases(config).stdout
    (line,) = cases(config, "--json", "--priority", "stat").stdout.splitlines()
    assert json.loads(line)["priority_reason"] == "chest pain"
    assert "No draft yet" in tool(config, "case", "drafts", "case-2").stdout
    assert tool(config, "--by", "reader-1", "case", "prioritise", "case-2", "now").exit_code == 2


def test_the_command_lists_drafts(config: Path) -> None:
    settings = load_settings(config)
    with Store.open(settings.data_dir, heads_path=settings.heads_path) as store:
        for n in range(2):
            with store.step() as step:
                step.save_draft("case-1", make_checked_draft(), SIGNED_AT + timedelta(minutes=n))
                step.record(
                    AuditEvent(
                        at=SIGNED_AT,
                        verb="draft",
                        outcome="done",
                        actor="x",
                        role="service",
                        subject="case-1",
                    )
                )
    shown = tool(config, "case", "drafts", "case-1").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["version", "1", "2"]
    listed = tool(config, "case", "drafts", "case-1", "--json").stdout.splitlines()
    assert [json.loads(line)["parent"] for line in listed] == [None, 1]


def test_the_assistant_takes_filters_and_pages(config: Path) -> None:
    with Assistant.from_config(config) as assistant:
        whole = assistant.cases()
        assert [one.case_id for one in whole] == [f"case-{n}" for n in (5, 4, 3, 2, 1)]
        assert (
            assistant.cases(
                modality=Modality.RADIOGRAPH, body_part="chest", state=CaseState.OPENED, limit=2
            )
            == whole[:2]
        )
        assert assistant.cases(after="case-2") == whole[4:]
        assert assistant.cases(critical=True) == ()
        with pytest.raises(InputError, match="case-9"):
            assistant.cases(after="case-9")
