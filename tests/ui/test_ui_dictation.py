"""What a reader says: shown, asked, done once confirmed, and never lost; and a draft that is read aloud."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import streamlit
import yaml
from streamlit.testing.v1 import AppTest

from medmm import Assistant
from medmm.config import Settings, load_settings
from medmm.domain.report import Accept, Add, CaseFile, Reject
from medmm.domain.study import Study
from medmm.language.spoken_commands import WHY_NOT_SIGN
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
from tests.ui.test_viewer_component import free_port, wait_for
from ui.spoken_draft import spoken_sentences

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "tests" / "ui" / "dictation_streamlit" / "page.py"
SERVER = PAGE.with_name("server.py")
CHROMIUM = shutil.which("chromium")
RECORDING = ("said.wav", tone(), "audio/wav")
WAIT_MS = 60_000
# A stand-in for the browser's voices: one that would send the text away, and one that would not
VOICES = """
const voices = [{name: 'cloud', lang: 'en-US', localService: false}, {name: 'here', lang: 'en-GB', localService: true}];
window.said = [];
const engine = {
  getVoices: () => voices.filter((voice) => !window.onlyCloud || !voice.localService), cancel: () => window.said.push('cancel'),
  speak: (utterance) => window.said.push([utterance.voice.name, utterance.text]),
  addEventListener: () => {}, removeEventListener: () => {},
};
Object.defineProperty(window, 'speechSynthesis', {value: engine});
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
"""


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dictated")
    settings = Settings(data_dir=folder / "data", threads=1)
    networks = GivenNetworks(
        settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None
    )
    with Assistant(settings, networks=networks) as assistant:
        study = assistant.admit(film_file(folder / "film.dcm"))
        assert isinstance(study, Study)
        assistant.draft(assistant.open_case(study.uid).id)
    return folder


class Room:
    """A page over a drafted case and a server that hears what it is told to."""

    def __init__(self, folder: Path, server: SpeechServer, on: bool = True) -> None:
        self.config = folder / "settings.yaml"
        self.server = server
        self.behaviour: Behaviour = says("next")
        reader = {"id": "reader-1", "name": "ZZREADER One", "role": "reader"}
        found = {"data_dir": str(folder / "data"), "threads": 1, "readers": [reader]}
        if on:
            found |= {"dictation": server.settings(), "speech": True}
        self.config.write_text(yaml.safe_dump(found))

    def page(self) -> AppTest:
        streamlit.cache_resource.clear()
        page = AppTest.from_file(str(PAGE), default_timeout=60).run()
        assert not page.exception
        return page

    def says(self, page: AppTest, text: str, **more: Any) -> AppTest:
        self.behaviour = says(text, **more)
        page.audio_input[0].set_value(RECORDING)
        page.run()
        assert not page.exception
        return page

    def file(self) -> CaseFile:
        with Assistant.from_config(self.config) as assistant:
            return assistant.case(assistant.cases()[0].case_id, by="reader-1")


@pytest.fixture
def room(tmp_path: Path, drafted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    shutil.copytree(drafted, tmp_path, dirs_exist_ok=True)
    rooms: list[Room] = []
    with speech_server(lambda sent: rooms[0].behaviour(sent)) as server:
        rooms.append(Room(tmp_path, server))
        monkeypatch.setenv("MEDMM_CONFIG", str(rooms[0].config))
        yield rooms[0]
    streamlit.cache_resource.clear()


def at(page: AppTest) -> str:
    return next(t.value for t in page.text if t.value.startswith("at ")).removeprefix("at ")


def button(page: AppTest, start: str) -> Any:
    return next(b for b in page.button if str(b.key).startswith(start))


def told(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.warning, page.error)
    said = "\n".join(str(one.value) for kind in kinds for one in kind)
    return said.replace("\\", "").replace(
        "\u2060", ""
    )  # as it is read, without what makes it inert


def test_without_a_server_there_is_no_microphone(
    tmp_path: Path, room: Room, drafted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().dictation.on
    Room(tmp_path, room.server, on=False)
    assert not load_settings().dictation.on
    assert not room.page().audio_input


def test_a_move_is_done_at_once_and_decides_nothing(room: Room) -> None:
    page = room.page()
    first = at(page)
    page = room.says(page, "Next.")
    assert at(page) != first
    assert "Heard: next" in told(page)
    page = room.says(page, "previous")
    assert at(page) == first
    assert room.file().decisions == ()


@pytest.mark.parametrize(("words", "kind"), [("Accept.", Accept), ("reject this", Reject)])
def test_a_decision_is_asked_first_and_made_of_the_sentence_it_was_said_at(
    words: str, kind: type[Accept] | type[Reject], room: Room
) -> None:
    page = room.page()
    sentence = at(page)
    page = room.says(page, words)
    assert room.file().decisions == ()
    assert f"{kind.__name__} this sentence?" in told(page)
    page = button(page, "do said").click().run()
    assert not page.exception
    made = room.file().decisions
    assert {type(one) for one in made} == {kind}
    assert sentence in {one.statement_id for one in made}
    page = room.says(page, "undo")
    button(page, "do said").click().run()
    assert room.file().decisions == ()


def test_what_is_not_confirmed_is_not_done(room: Room) -> None:
    page = room.says(room.page(), "accept all")
    page = button(page, "drop said").click().run()
    assert "Accept every" not in told(page)
    assert room.file().decisions == ()


def test_a_denied_finding_is_added_as_denied(room: Room) -> None:
    page = room.says(room.page(), "No left pleural effusion.")
    button(page, "do said").click().run()
    (made,) = room.file().decisions
    assert isinstance(made, Add)
    assert (made.finding, made.assertion.value, made.text) == ("Effusion", "absent", "No left pleural effusion.")  # fmt: skip


def test_nothing_is_signed_by_voice(room: Room) -> None:
    page = room.says(room.page(), "sign the report")
    assert WHY_NOT_SIGN in told(page)
    assert not any(str(b.key).startswith("do said") for b in page.button)


def test_free_words_are_kept_until_they_are_used(room: Room) -> None:
    page = room.says(room.page(), "Two old rib fractures.")
    page = room.says(page, "Both on the left.")
    assert room.file().decisions == ()
    page = room.page()  # a new session: a reload, or the server was restarted
    assert page.text_area[0].value == "Two old rib fractures. Both on the left."
    page.text_area[0].set_value("Two old rib fractures on the left.").run()
    page = button(page, "add said").click().run()
    assert not page.exception
    (made,) = room.file().decisions
    assert isinstance(made, Add)
    assert made.text == "Two old rib fractures on the left."
    assert not page.text_area


def test_words_can_be_dropped(room: Room) -> None:
    page = room.says(room.page(), "Something else entirely.")
    page = button(page, "drop text").click().run()
    assert not page.text_area
    assert not room.page().text_area


def test_another_language_is_said_and_its_words_are_kept(room: Room) -> None:
    page = room.says(room.page(), "Es ist kein Pneumothorax zu sehen.", language="german")
    assert "another language than English" in told(page)
    assert page.text_area[0].value == "Es ist kein Pneumothorax zu sehen."
    assert room.file().decisions == ()


def test_silence_is_said(room: Room) -> None:
    page = room.says(room.page(), "")
    assert "No words were heard" in told(page)
    assert not page.text_area


def test_a_server_that_fails_leaves_the_words_that_were_there_and_the_recording(room: Room) -> None:
    page = room.says(room.page(), "Two old rib fractures.")
    room.behaviour = lambda sent: Answer({}, status=503)
    page.audio_input[0].set_value(RECORDING)
    page.run()
    assert "dictation server failed" in told(page)
    assert page.text_area[0].value == "Two old rib fractures."
    room.behaviour = says("next")
    page = button(page, "again").click().run()
    assert "Heard: next" in told(page)
    assert not any(str(b.key).startswith("again") for b in page.button)


def test_markup_in_a_transcript_is_shown_as_it_is(room: Room) -> None:
    said = "<script>alert(1)</script> **bold** [x](http://evil.example)"
    page = room.says(room.page(), said)
    assert page.text_area[0].value == said
    assert "evil.example" not in told(page)


def test_what_a_voice_is_given_says_draft_first_and_what_does_not_count(room: Room) -> None:
    from medmm.presentation.case_view import case_view
    from medmm.presentation.sentence_rows import sentence_rows

    with Assistant.from_config(room.config) as assistant:
        case_id = assistant.cases()[0].case_id
        file = assistant.case(case_id, by="reader-1")
        rows = sentence_rows(file, case_view(file), {})
        asked = next(row for row in rows if row.open and not row.statement.why)
        assistant.decide(case_id, [Reject(asked.id)], by="reader-1")
        file = assistant.case(case_id, by="reader-1")
    rows = sentence_rows(file, case_view(file), {})
    said = spoken_sentences("DRAFT: not signed.", rows)
    assert said[0] == "draft: not signed."
    assert any(one.startswith("Rejected: ") for one in said)
    assert not any(c.isdigit() or c in "<>%()" for one in said for c in one)


@contextmanager
def served(room: Room, folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(SERVER), f"--server.port={port}"]
    command += ["--server.headless=true", "--server.fileWatcherType=none"]
    command += ["--browser.gatherUsageStats=false", "--server.address=127.0.0.1"]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "MEDMM_CONFIG": str(room.config)}
    with (folder / "ui.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert "Traceback" not in (folder / "ui.log").read_text()


FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Debian's chromium is not installed (apt-get install chromium)"
)


@needs_chromium
@pytest.mark.skipif(lacking() is not None, reason=lacking() or "")
def test_a_voice_reaches_the_record_through_a_real_browser(room: Room, tmp_path: Path) -> None:
    """Fake microphone, real recorder, the policy of the pages, a real recogniser: spoken, asked, added."""
    from playwright.sync_api import sync_playwright

    microphone = tmp_path / "microphone.wav"
    microphone.write_bytes(spoken("no pneumothorax", tmp_path, silence_s=1.0))
    phrases = ("next", "accept", "reject", "no pneumothorax", "pneumothorax")
    room.behaviour = hears(phrases, tmp_path)
    complaints: list[str] = []
    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}%noloop"]  # fmt: skip
    with served(room, tmp_path) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *fake])
        tab = browser.new_context(permissions=["microphone"]).new_page()
        tab.set_default_timeout(WAIT_MS)
        tab.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(address)
        tab.get_by_text("recordings 0").wait_for()
        tab.get_by_role("button", name="Record", exact=True).click()
        tab.wait_for_timeout(4_500)
        tab.get_by_role("button", name="Stop recording").click()
        tab.get_by_text("Add this finding as your own?").wait_for()
        tab.get_by_text("recordings 0").wait_for()  # of the server's memory it is gone
        tab.get_by_role("button", name="Do it").click()
        tab.get_by_text("Add this finding as your own?").wait_for(state="detached")
        tab.get_by_text("None No pneumothorax.", exact=False).or_(
            tab.get_by_text("No pneumothorax.", exact=False)
        ).first.wait_for()
        browser.close()
    assert complaints == []
    (made,) = room.file().decisions
    assert isinstance(made, Add)
    assert (made.finding, made.assertion.value) == ("Pneumothorax", "absent")
    (sent,) = room.server.sent
    with wave.open(BytesIO(sent.audio)) as file:
        assert (file.getframerate(), file.getnchannels()) == (16_000, 1)


@needs_chromium
def test_a_denied_microphone_and_voices_of_elsewhere_are_said(room: Room, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    with served(room, tmp_path) as address, sync_playwright() as driver:
        device = "--use-fake-device-for-media-stream"  # it is there, and nobody may use it
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, device])
        tab = browser.new_page()
        tab.set_default_timeout(WAIT_MS)
        tab.goto(address)
        tab.get_by_role("button", name="Record", exact=True).click()
        tab.get_by_text("would like to use your microphone").wait_for()
        tab.get_by_text("If the microphone is denied").wait_for()
        tab.get_by_text("no English voice of its own machine").wait_for()
        expect(tab.get_by_role("button", name="Read aloud")).to_be_disabled()
        for only_cloud in (True, False):
            other = browser.new_page()
            other.set_default_timeout(WAIT_MS)
            other.add_init_script(f"window.onlyCloud = {json.dumps(only_cloud)};{VOICES}")
            other.goto(address)
            listen = other.get_by_role("button", name="Read aloud")
            listen.wait_for()
            assert listen.is_disabled() == only_cloud
            if only_cloud:
                other.get_by_text("no English voice of its own machine").wait_for()
                continue
            listen.click()
            said = [one for one in other.evaluate("window.said") if one != "cancel"]
            assert {name for name, _ in said} == {"here"}
            words = [text for _, text in said]
            assert "draft" in words[0].lower()
            assert not any(c.isdigit() for text in words for c in text)
            assert any("cardiothoracic ratio zero point" in text.lower() for text in words)
            before = len(other.evaluate("window.said"))
            other.get_by_role("button", name="Stop", exact=True).click()
            assert other.evaluate("window.said")[before:] == ["cancel"]
        browser.close()
    assert room.server.sent == []
