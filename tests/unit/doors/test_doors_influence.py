"""`medmm influence`, and drafts in a language model's words on every page: with networks that are told what to say."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from medmm import models
from medmm.assistant import Assistant
from medmm.config import Settings, load_settings
from medmm.domain.codec import from_json
from medmm.domain.draft import Assertion, Case, Opinion
from medmm.domain.errors import InputError, PermissionDenied
from medmm.domain.record_influence import Influence
from medmm.domain.study import Study
from medmm.doors import demo
from medmm.doors.cli import app
from medmm.doors.doctor import examine
from medmm.doors.draft_page import draft_page
from medmm.doors.influence_page import influence_page
from medmm.presentation.case_view import case_view
from medmm.presentation.draft_html import draft_html
from medmm.presentation.draft_words import BANNER
from tests.factories import (
    make_case_file,
    make_checked_draft,
    make_draft,
)
from tests.language_models import Told, make_generation, say
from tests.quick_assistant import READS, ModelOf

LINE = "worded by chest-report"


def believing(case: Case) -> Opinion:
    """Claims a large heart where there is a record."""
    facts = case.context.facts if case.context else ()
    chance = 0.2 + 0.05 * len(facts)
    said = say(
        "Cardiomegaly",
        Assertion.PRESENT if facts else Assertion.ABSENT,
        probability=max(0.5, chance),
    )
    return Opinion(proposals=(said,), probability={"Cardiomegaly": chance})


class Everything(Told):
    """Reads every fact but the first."""

    def facts_read(self, case: Case) -> frozenset[str]:
        return frozenset(fact.id for fact in (case.context.facts if case.context else ())[1:])


class ToldNetworks:
    """Networks without weights: the reading of the factories, and a language model that believes the record."""

    picture_kinds = None
    language_model: Told | None = Everything(by_case=believing)

    reading_models = (ModelOf(READS),)
    outside_models = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def manifests(self) -> dict[str, str]:
        return {}

    def shipped_acceptances(self) -> tuple[()]:
        return ()


class NoLanguageModel(ToldNetworks):
    language_model = None


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "medmm.yaml"
    path.write_text(
        f"data_dir: {tmp_path / 'data'}\nreaders:\n  - {{id: aud-1, name: ZZAUDITOR, role: auditor}}\n"
    )
    return path


@pytest.fixture
def case_id(config: Path, demo_films: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(models, "Networks", ToldNetworks)
    with Assistant(load_settings(config)) as assistant:
        record = Path(demo.__file__).parent / "demo_record.json"
        study = assistant.admit(demo_films / "RG1_UNCR.dcm", record=record)
        assert isinstance(study, Study)
        return assistant.open_case(study.uid).id


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), *words], env={"NO_COLOR": "1"})


def test_the_page_shows_every_fact_and_three_drafts_within_80_columns(
    config: Path, case_id: str
) -> None:
    done = run(config, "influence", case_id)
    assert done.exit_code == 0, done.output
    page = done.output
    assert "DRAFT, not signed" in page
    assert "cardiomegaly: nothing said → possible, claimed only with it" in page
    assert "not read" in page
    assert "0.050" in page
    for part in (
        "image alone",
        "record alone",
        "image and record",
        "FINDINGS",
        "CLINICAL INFORMATION",
    ):
        assert part in page
    assert max(len(line) for line in page.splitlines()) <= 80


def test_json_is_one_line_that_loads_again_and_nothing_is_kept(config: Path, case_id: str) -> None:
    done = run(config, "influence", case_id, "--json")
    assert done.exit_code == 0, done.output
    assert done.output.count("\n") == 1
    found = from_json(Influence, json.loads(done.output))
    assert found.both.writer == "chest-report"
    assert found.facts[0].shift == 0.05
    with Assistant(load_settings(config)) as assistant:
        assert assistant.influence(case_id) == found
        assert assistant.case(case_id).draft is None
        assert assistant.verify().ok


def test_an_unknown_case_and_a_role_without_right_are_refused(config: Path, case_id: str) -> None:
    assert isinstance(run(config, "influence", "case-0").exception, InputError)
    with Assistant(load_settings(config)) as assistant, pytest.raises(PermissionDenied):
        assistant.influence(case_id, by=assistant.reader_named("aud-1"))


def test_a_draft_in_its_words_is_kept_with_its_tokens(config: Path, case_id: str) -> None:
    with Assistant(load_settings(config)) as assistant:
        drafted = assistant.draft(case_id)
        assert assistant.case(case_id).draft == drafted
    heart = next(s for s in drafted.statements if s.finding == "Cardiomegaly")
    assert drafted.draft.writer == "chest-report"
    assert heart.generation is None or heart.generation.tokens
    assert {s.finding for s in drafted.statements if s.finding} == {"Cardiomegaly"}


def test_without_a_language_model_draft_page_and_doctor_say_so(
    config: Path, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "Networks", NoLanguageModel)
    with Assistant(load_settings(config)) as assistant:
        drafted = assistant.draft(case_id)
    assert drafted.draft.writer == "rule-writer"
    assert "language-model-not-installed" in {w.code for w in drafted.draft.warnings}
    assert "Fixed rules wrote these drafts" in run(config, "influence", case_id).output


@pytest.mark.parametrize(("writer", "state"), [("language-model", "note"), ("rules", "ok")])
def test_doctor_says_who_words_the_drafts(tmp_path: Path, writer: Any, state: str) -> None:
    settings = Settings(data_dir=tmp_path / "data", weights_dir=tmp_path / "none", writer=writer)
    with Assistant(settings) as assistant:
        assert assistant.capabilities().writer == "rule-writer"
        found = next(check for check in examine(assistant) if check.name == "writer")
    assert (found.state, "rule-writer" in found.found, bool(found.remedy)) == (
        state,
        True,
        state == "note",
    )


def test_set_to_rules_the_draft_warns_of_nothing(config: Path, case_id: str) -> None:
    with Assistant(load_settings(config).model_copy(update={"writer": "rules"})) as assistant:
        draft = assistant.draft(case_id).draft
    assert draft.writer == "rule-writer"
    assert not any(w.code.startswith("language-model") for w in draft.warnings)


def test_how_a_sentence_was_written_stands_under_it_on_every_page() -> None:
    first, second, *rest = make_draft().statements
    generated = replace(second, generation=make_generation(0.41))
    file = make_case_file(
        draft=make_checked_draft(make_draft(statements=(first, generated, *rest)))
    )
    text = io.StringIO()
    draft_page(file, Console(file=text, width=100, no_color=True, highlight=False))
    assert text.getvalue().count(LINE) == draft_html(file).count(LINE) == 1
    lines = [s.evidence_line for s in case_view(file).statements]
    assert sum(line.endswith(LINE) for line in lines) == 1


def test_words_of_the_record_do_not_steer_the_terminal(config: Path, case_id: str) -> None:
    with Assistant(load_settings(config)) as assistant:
        found, file = assistant.influence(case_id), assistant.case(case_id)
    first, *rest = found.facts
    hostile = replace(found, facts=(replace(first, label="\x1b[31m[bold]x"), *rest))
    text = io.StringIO()
    influence_page(hostile, file, Console(file=text, width=80, markup=False, highlight=False))
    assert "\x1b[31m" not in text.getvalue()
    assert "[bold]x" in text.getvalue()
    assert BANNER[:20] in text.getvalue()
