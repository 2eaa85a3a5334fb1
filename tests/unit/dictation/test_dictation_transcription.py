"""A recording leaves for one server by name, is kept nowhere, and its answer is read within limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from medmm.assistant import Assistant
from medmm.config import DictationEntry, ReaderEntry, Settings, load_settings
from medmm.domain.errors import (
    ConfigError,
    InputError,
    MedmmError,
    PermissionDenied,
    StateError,
    Unavailable,
)
from medmm.domain.shown import Shown
from medmm.domain.study import Study
from medmm.domain.transcript import Transcript
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.quick_assistant import READS, GivenNetworks
from tests.speech_server import (
    Answer,
    Behaviour,
    SpeechServer,
    hears,
    lacking,
    says,
    speech_server,
    spoken,
    tone,
)

READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="reader"),
    ReaderEntry(id="tech-1", name="ZZREADER Two", role="technologist"),
)
KEY = "sk-geheim-4712"


class Site:
    """An assistant with one case, whose dictation server behaves as it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.behaviour: Behaviour = says("No pneumothorax.", language="english")

    def run(self, server: SpeechServer, **changes: object) -> Iterator[tuple[Assistant, str]]:
        settings = Settings(
            data_dir=self.folder / "data",
            readers=READERS,
            threads=1,
            dictation=DictationEntry(**server.settings(**changes)),
        )
        networks = GivenNetworks(
            settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
        )
        with Assistant(settings, networks=networks) as assistant:
            study = assistant.admit(film_file(self.folder / "film.dcm"))
            assert isinstance(study, Study)
            yield assistant, assistant.open_case(study.uid).id


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def server(site: Site) -> Iterator[SpeechServer]:
    with speech_server(lambda sent: site.behaviour(sent)) as found:
        yield found


@pytest.fixture
def opened(site: Site, server: SpeechServer) -> Iterator[tuple[Assistant, str]]:
    yield from site.run(server, api_key=KEY)


def test_the_words_come_back_and_nothing_of_them_is_kept(
    opened: tuple[Assistant, str], server: SpeechServer, tmp_path: Path
) -> None:
    assistant, case_id = opened
    found = assistant.transcribe(case_id, tone(1.5), by="reader-1")
    host = f"127.0.0.1:{server.port}"
    assert found == Transcript(text="No pneumothorax.", seconds=1.5, host=host, language="english")
    assert not found.in_another_language
    (sent,) = server.sent
    assert sent.path == "/v1/audio/transcriptions"
    assert sent.fields == {"model": "tiny-speech", "response_format": "verbose_json"}
    assert sent.audio == tone(1.5)
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    left, looked = assistant.history(case_id)[-2:]
    assert (left.verb, left.outcome, left.actor) == ("send", "done", "reader-1")
    assert (left.details["seconds"], left.details["host"]) == ("1.5", host)
    assert int(left.details["bytes"]) > len(tone(1.5))
    assert (looked.verb, looked.outcome, looked.subject) == ("transcribe", "done", case_id)
    assert "pneumothorax" not in str([left, looked])
    stored = [p for p in (tmp_path / "data").rglob("*") if p.is_file()]
    assert stored
    for path in stored:
        assert b"No pneumothorax" not in path.read_bytes(), path
        assert tone(1.5)[44:20_000] not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer({"error": "busy"}, status=503), Unavailable, "dictation server failed"),
        (Answer({}, status=429), Unavailable, "overloaded"),
        (Answer({}, status=401), ConfigError, "doesn't accept the key"),
        (Answer({}, status=400), ConfigError, "refuses the request"),
        (Answer({}, status=302, fields={"Location": "http://elsewhere.example/"}), ConfigError, "sends on"),
        (Answer(b"<html>", kind="text/html"), ConfigError, "no JSON"),
        (Answer(b"{"), ConfigError, "no JSON"),
        (Answer(b"[" * 100_000), ConfigError, "no JSON"),
        (Answer({"words": []}), ConfigError, "holds no text"),
        (Answer({"text": ["a"]}), ConfigError, "holds no text"),
        (Answer({"text": "a" * 10_001}), ConfigError, "longer than 10000"),
        (Answer(b"a" * 600_000), ConfigError, "larger than"),
        (Answer({"text": "a" * 500}, cut=True), Unavailable, "broke off"),
        (Answer({"text": "late"}, wait_s=5), Unavailable, "longer than 1 s"),
    ],
)  # fmt: skip
def test_what_a_server_does_wrong_is_named_and_not_tried_again(
    answer: Answer, kind: type[MedmmError], said: str, site: Site, server: SpeechServer
) -> None:
    site.behaviour = lambda sent: answer
    for assistant, case_id in site.run(server, timeout_s=1):
        with pytest.raises(kind, match=said) as failed:
            assistant.transcribe(case_id, tone(), by="reader-1")
        assert "model server" not in str(failed.value)
        assert len(server.sent) == 1
        verbs = [(e.verb, e.outcome) for e in assistant.history(case_id)][-1:]
        assert verbs == [("send", "done")], "the entry of what left stays"


def test_a_server_that_is_not_there_is_unavailable(site: Site, server: SpeechServer) -> None:
    for assistant, case_id in site.run(server, url="http://127.0.0.1:9/v1"):
        with pytest.raises(Unavailable, match="dictation server can't be reached"):
            assistant.transcribe(case_id, tone(), by="reader-1")


def test_without_a_server_there_is_no_dictation(site: Site, server: SpeechServer) -> None:
    for assistant, case_id in site.run(server, url=None):
        assert not assistant.settings.dictation.on
        with pytest.raises(ConfigError, match="no dictation server is named"):
            assistant.transcribe(case_id, tone(), by="reader-1")
    assert server.sent == []


def test_nothing_leaves_of_what_is_refused(
    opened: tuple[Assistant, str], server: SpeechServer
) -> None:
    assistant, case_id = opened
    with pytest.raises(PermissionDenied):
        assistant.transcribe(case_id, tone(), by="tech-1")
    with pytest.raises(InputError, match="no WAV"):
        assistant.transcribe(case_id, b"MP3", by="reader-1")
    with pytest.raises(InputError, match="longer than 60 s"):
        assistant.transcribe(case_id, tone(61), by="reader-1")
    with pytest.raises(InputError):
        assistant.transcribe("case-none", tone(), by="reader-1")
    shown = Shown.of(assistant.case(case_id, by="reader-1"))
    assistant.transcribe(case_id, tone(), by="reader-1", shown=shown)
    other = Shown(
        case_id="case-other", state=shown.state, draft=None, draft_version=0, report_version=0, statements=()
    )  # fmt: skip
    with pytest.raises(StateError, match="another case was shown"):
        assistant.transcribe(case_id, tone(), by="reader-1", shown=other)
    assert len(server.sent) == 1


@pytest.mark.parametrize(
    ("text", "language", "foreign"),
    [
        ("No pneumothorax.", "english", False),
        ("No pneumothorax.", "en", False),
        ("No pneumothorax.", None, False),
        ("Kein Pneumothorax.", "german", True),
        ("Es ist kein Pneumothorax zu sehen und auch nicht links.", None, True),
        ("Пневмоторакса нет.", None, True),
        ("", None, False),
    ],
)
def test_another_language_is_said(
    text: str, language: str | None, foreign: bool, site: Site, server: SpeechServer
) -> None:
    more = {} if language is None else {"language": language}
    site.behaviour = says(text, **more)
    for assistant, case_id in site.run(server, response_format="json"):
        found = assistant.transcribe(case_id, tone(), by="reader-1")
        assert (found.text, found.in_another_language) == (text, foreign)
    assert server.sent[0].fields["response_format"] == "json"
    assert "language" not in server.sent[0].fields, "told one, a server may translate into it"


def test_the_settings_of_dictation_hold_no_key_and_name_its_host(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    block = {"url": "https://speech.example/v1", "hosts": ["speech.example"], "model": "m"}
    path.write_text(json.dumps({"dictation": {**block, "api_key": KEY}}))
    with pytest.raises(ConfigError, match=r"dictation\.api_key") as refused:
        load_settings(path)
    assert KEY not in str(refused.value)
    path.write_text(json.dumps({"dictation": {**block, "hosts": []}}))
    with pytest.raises(ConfigError, match="not among"):
        load_settings(path)
    path.write_text(json.dumps({"dictation": {k: v for k, v in block.items() if k != "model"}}))
    with pytest.raises(ConfigError, match="needs url, hosts and model"):
        load_settings(path)
    path.write_text(json.dumps({"dictation": {**block, "language": "de"}}))
    with pytest.raises(ConfigError, match=r"unknown setting 'dictation\.language'"):
        load_settings(path)
    path.write_text(json.dumps({"dictation": block}))
    found = load_settings(path)
    assert found.dictation.server().endpoint == "audio/transcriptions"
    assert not {"dictation", "speech"} & found.of_a_draft().keys(), "a draft depends on neither"


@pytest.mark.skipif(lacking() is not None, reason=lacking() or "")
@pytest.mark.parametrize(
    "words",
    ["next", "accept", "reject", "undo", "no pneumothorax", "no left pleural effusion", "right pleural effusion"],
)  # fmt: skip
def test_commands_spoken_by_a_program_are_heard_by_another(
    words: str, site: Site, server: SpeechServer, tmp_path: Path
) -> None:
    """The way there and back holds for real speech; how well anybody is understood is not claimed."""
    phrases = ("next", "accept", "accept all", "reject", "undo", "no pneumothorax", "pneumothorax", "left pleural effusion", "no left pleural effusion", "right pleural effusion", "no right pleural effusion")  # fmt: skip
    site.behaviour = hears(phrases, tmp_path)
    for assistant, case_id in site.run(server):
        found = assistant.transcribe(case_id, spoken(words, tmp_path), by="reader-1")
        assert found.text == words
        assert assistant.transcribe(case_id, tone(), by="reader-1").text == ""
