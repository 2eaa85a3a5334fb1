"""A model server from the settings to the draft: probed first, counted, in the log, and never an empty page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.draft import CheckedDraft
from medmm.domain.errors import ConfigError, PermissionDenied
from medmm.domain.report import Reader
from medmm.doors.cli import app
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.quick_assistant import READS, GivenNetworks, opened
from tests.scripted_server import MODEL, SOUND, Asked, ScriptedServer, says, scripted, sentences

READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),
    ReaderEntry(id="admin-1", name="ZZADMIN One", role="administrator"),
)
ADMIN = Reader(id="admin-1", name="ZZADMIN One", role="administrator")


class Clock:
    now = datetime(2026, 1, 3, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def assistant_of(folder: Path, server: ScriptedServer, **changes: Any) -> Assistant:
    block = server.settings(**changes)
    settings = Settings(
        data_dir=folder, threads=1, readers=READERS, writer="openai-compatible", server=block
    )
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    return Assistant(settings, networks=networks, clock=Clock())


def events(assistant: Assistant, *verbs: str) -> list[Any]:
    return [e for e in assistant._house.store.events() if e.verb in verbs]


def record_of(folder: Path) -> Path:
    """The record of the film's patient: one condition with a code, one that holds the name, one without a code."""
    subject = {"reference": "Patient/p1"}
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"value": "ZZ-1"}],
        "name": [{"family": "ZZTEST", "given": ["FILM"]}],
        "birthDate": "1960-01-02",
        "gender": "female",
    }
    status = {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
        ]
    }
    said = [
        ("Heart failure", {"system": "http://snomed.info/sct", "code": "84114007"}),
        ("Known to Dr. ZZTEST", {"system": "http://snomed.info/sct", "code": "38341003"}),
        ("Cardiology letter 2019", None),
    ]
    conditions = [
        {
            "resourceType": "Condition",
            "id": f"c{number}",
            "subject": subject,
            "clinicalStatus": status,
            "onsetDateTime": "2020-01-01",
            "code": {"text": text, **({"coding": [{**code, "display": text}]} if code else {})},
        }
        for number, (text, code) in enumerate(said)
    ]
    path = folder / "record.json"
    entries = [{"resource": one} for one in (patient, *conditions)]
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return path


def failed(draft: CheckedDraft) -> list[str]:
    return [n.text for n in draft.draft.warnings if n.code == "writer-failed"]


def test_a_server_speaks_after_it_passed_and_the_log_says_what_left(tmp_path: Path) -> None:
    with scripted(says(*SOUND)) as server, assistant_of(tmp_path / "data", server) as assistant:
        case_id = opened(assistant, film_file(tmp_path, BurnedInAnnotation="NO"))
        unproved = assistant.draft(case_id)
        assert server.requests == []
        assert unproved.draft.writer == "rule-writer"
        assert "has not passed its probe" in failed(unproved)[0]
        assert "probe" in assistant.capabilities().writer_problem

        assert assistant.probe_writer(by=ADMIN).passed
        probes = len(server.requests)
        # Whether it passed is part of what a draft is made from
        drafted = assistant.draft(case_id, again=False)
        assert drafted.draft.writer == f"{MODEL} at 127.0.0.1:{server.port}"
        assert failed(drafted) == []
        assert len(server.requests) == probes + 1
        assert assistant.draft(case_id, again=False) == drafted
        assert len(server.requests) == probes + 1

        (probe,) = events(assistant, "probe_writer")
        (sent,) = events(assistant, "send")
        assert probe.details["passed"] == "yes"
        assert probe.details["model"] == MODEL
        assert (sent.details["host"], sent.details["model"]) == (f"127.0.0.1:{server.port}", MODEL)
        assert sent.details["for_case"] == case_id
        assert len(sent.details["body_sha256"]) == len(sent.details["picture_sha256"]) == 64
        made = assistant.history(case_id)[-2].details
        assert (made["requests"], made["server"]) == ("1", probe.subject)
        assert assistant.verify().ok
        assert assistant.capabilities().writer == drafted.draft.writer


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize(
    ("stated", "goes"), [("NO", True), ("no ", True), ("YES", False), (None, None), ("?", None)]
)
def test_pixels_that_may_hold_text_leave_only_where_the_settings_say_so(
    stated: str | None, goes: bool | None, allowed: bool, tmp_path: Path
) -> None:
    said = {} if stated is None else {"BurnedInAnnotation": stated}
    with (
        scripted(says(*SOUND)) as server,
        assistant_of(tmp_path / "data", server, pictures_without_statement=allowed) as assistant,
    ):
        assistant.probe_writer(by=ADMIN)
        case_id = opened(assistant, film_file(tmp_path, **said))
        assert assistant.case(case_id).case.study.burned_in_text is (
            None if goes is None else not goes
        )
        draft = assistant.draft(case_id)
        (sent,) = events(assistant, "send")
        wanted = allowed if goes is None else goes
        assert ("image_url" in json.dumps(server.requests[-1])) is wanted
        assert (sent.details["picture_sha256"] != "none") is wanted
        codes = {notice.code for notice in draft.draft.warnings}
        assert ("writer-not-shown-picture" in codes) is not wanted


def test_a_server_that_fails_the_probe_stays_silent(tmp_path: Path) -> None:
    def prose(asked: Asked) -> None:
        asked.answer("It is a picture.")

    with scripted(says(*SOUND)) as server, assistant_of(tmp_path / "data", server) as assistant:
        assert assistant.probe_writer(by=ADMIN).passed
        server.behaviour = prose
        assert not assistant.probe_writer(by=ADMIN).passed  # the last one counts
        asked = len(server.requests)
        draft = assistant.draft(opened(assistant, film_file(tmp_path)))
        assert len(server.requests) == asked
        assert failed(draft)
        assert [e.details["passed"] for e in events(assistant, "probe_writer")] == ["yes", "no"]


def test_only_an_administrator_probes_and_a_failure_leaves_its_entry(tmp_path: Path) -> None:
    with scripted(lambda a: a.head(404)) as server, assistant_of(tmp_path, server) as assistant:
        with pytest.raises(PermissionDenied):
            assistant.probe_writer(by="reader-1")
        assert server.requests == []
        with pytest.raises(ConfigError, match="refuses the request"):
            assistant.probe_writer(by=ADMIN)
        assert [e.outcome for e in events(assistant, "probe_writer")] == ["failed", "failed"]


def test_the_budget_of_a_day_is_kept_over_openings_and_begins_anew(tmp_path: Path) -> None:
    films = [
        film_file(tmp_path, f"{n}.dcm", StudyInstanceUID=f"1.2.3.{n}", SOPInstanceUID=f"1.2.4.{n}")
        for n in range(4)
    ]
    with scripted(says(*SOUND)) as server:
        with assistant_of(tmp_path / "data", server, budget_per_day=2) as assistant:
            assistant.probe_writer(by=ADMIN)
            drafts = [assistant.draft(opened(assistant, film)) for film in films[:2]]
            assert not any(map(failed, drafts))
        with assistant_of(tmp_path / "data", server, budget_per_day=2) as assistant:
            case_id = opened(assistant, films[2])
            assert "budget of 2 requests is spent" in failed(assistant.draft(case_id))[0]
            assert len(events(assistant, "send")) == 2
            Clock.now = Clock.now.replace(day=4)
            try:
                assert not failed(assistant.draft(case_id, again=True))
            finally:
                Clock.now = Clock.now.replace(day=3)
            assert len(events(assistant, "send")) == 3


def test_each_try_is_counted(tmp_path: Path) -> None:
    def behave(asked: Asked) -> None:
        if "mark" in asked.schema["properties"]:
            says()(asked)
        elif sum("sentences" in str(body) for body in server.requests) == 1:
            asked.head(503, Retry_After="0")
        else:
            asked.answer(sentences(*SOUND))

    with (
        scripted(behave) as server,
        assistant_of(tmp_path / "data", server, retries=1) as assistant,
    ):
        assistant.probe_writer(by=ADMIN)
        draft = assistant.draft(opened(assistant, film_file(tmp_path)))
        assert not failed(draft)
        first, second = events(assistant, "send")
        assert first.details["body_sha256"] == second.details["body_sha256"]


def test_nothing_that_names_the_patient_leaves(tmp_path: Path) -> None:
    with scripted(says(*SOUND)) as server, assistant_of(tmp_path / "data", server) as assistant:
        assistant.probe_writer(by=ADMIN)
        case_id = opened(assistant, film_file(tmp_path), record=record_of(tmp_path))
        assert not failed(assistant.draft(case_id))
        case = assistant.case(case_id).case
        identity = assistant.identity(case.study.patient_key, by="reader-1")
        body = json.dumps(server.requests[-1])
        assert case.context is not None
        assert "Heart failure" in body  # so the record was read, and what may leave did
        assert '\\"days_before_study\\": 63' in body
        for secret in (
            identity.family_name,
            identity.given_name,
            identity.patient_id,
            case.study.uid,
            case.study.patient_key,
            case_id,
            "2020",
            "1960",
            "Cardiology letter",
        ):
            assert secret
            assert secret not in body


def test_the_command_probes_and_says_what_a_server_fails(tmp_path: Path) -> None:
    with scripted(says()) as server:
        config = tmp_path / "settings.yaml"
        config.write_text(
            yaml.safe_dump(
                {
                    "data_dir": str(tmp_path / "data"),
                    "writer": "rules",
                    "server": {**server.settings(), "hosts": ["127.0.0.1"]},
                    "readers": [r.model_dump() for r in READERS],
                }
            )
        )
        command = ["--config", str(config), "--by", "admin-1", "models", "probe"]
        passed = CliRunner().invoke(app, command)
        assert passed.exit_code == 0, passed.output
        assert "passed" in passed.output
        server.behaviour = lambda asked: asked.answer("A disc.")
        refused = CliRunner().invoke(app, [*command, "--json"])
        assert refused.exit_code == 4
        found = json.loads(refused.output)
        assert {r["code"] for r in found["refusals"]} == {
            "prose-instead-of-json",
            "picture-ignored",
        }
