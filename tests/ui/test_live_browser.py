"""In a real browser: files are sent and admitted, and a draft appears as a model server words it, for all who look."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, expect

from medmm import Assistant
from medmm.config import Settings
from medmm.domain.report import CaseFile
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.quick_assistant import READS, GivenNetworks, opened
from tests.scripted_server import (
    SOUND,
    Asked,
    ScriptedServer,
    passes_the_probe,
    scripted,
    sentences,
)
from tests.ui.axe import AXE, violations
from tests.ui.room_browser import (
    CHROMIUM,
    NO_CHROMIUM,
    WAIT_MS,
    Server,
    Tab,
    context_of,
    serving,
)
from tests.ui.viewer_page import browser_of

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
READERS = [
    {"id": "reader-1", "name": "ZZREADER One", "role": "attending"},
    {"id": "reader-2", "name": "ZZREADER Two", "role": "attending"},
    {"id": "admin-1", "name": "ZZADMIN One", "role": "administrator"},
]
INVENTED = "There is a fracture of the left clavicle."
LIMIT_BYTES = 40_000_000
QUICK = Path(__file__).parent / "quick_streamlit" / "server.py"
UNCHECKED = "Not checked yet, and nothing to decide on"


@dataclass
class Slowly:
    """A model server that says two sentences, and the rest when it is let."""

    let: threading.Event = field(default_factory=threading.Event)

    def __call__(self, asked: Asked) -> None:
        if passes_the_probe(asked):
            return
        asked.head(200, "text/event-stream")
        said = sentences(INVENTED, *SOUND)
        first = said.index(SOUND[1])
        asked.event(said[:first])
        assert self.let.wait(120)
        asked.event(said[first:])
        asked.event(None, finish="stop")
        asked.write(b"data: [DONE]\n\n")


@dataclass(frozen=True)
class Room:
    """A case without a draft, another film that is not admitted yet, and the model server."""

    config: Path
    case: str
    film: Path
    slowly: Slowly

    def file(self) -> CaseFile:
        with Assistant.from_config(self.config) as assistant:
            return assistant.case(self.case, pixels=False)


@pytest.fixture(scope="module")
def model_server() -> Iterator[tuple[ScriptedServer, Slowly]]:
    slowly = Slowly()
    with scripted(slowly) as running:
        yield running, slowly
        slowly.let.set()


@pytest.fixture(scope="module")
def room(
    tmp_path_factory: pytest.TempPathFactory, model_server: tuple[ScriptedServer, Slowly]
) -> Room:
    folder = tmp_path_factory.mktemp("live")
    config, (server, slowly) = folder / "settings.yaml", model_server
    said = {
        "data_dir": str(folder / "data"),
        "threads": 1,
        "readers": READERS,
        "writer": "openai-compatible",
        "upload_bytes": LIMIT_BYTES,
    }
    block = server.settings(timeout_s=180, chunk_timeout_s=150)
    config.write_text(yaml.safe_dump({**said, "server": {**block, "hosts": list(block["hosts"])}}))
    settings = Settings(**{**said, "server": block})  # type: ignore[arg-type]
    networks = GivenNetworks(settings, reader=READS, picture_kinds=SAYS_FRONTAL)
    with Assistant(settings, networks=networks) as assistant:
        assert assistant.probe_writer(by="admin-1").passed
        case_id = opened(assistant, film_file(folder / "in"))
    other = {"StudyInstanceUID": "1.2.9", "SOPInstanceUID": "1.2.9.1", "PatientID": "ZZ-9"}
    return Room(config, case_id, film_file(folder / "in", "other.dcm", **other), slowly)


@pytest.fixture(scope="module")
def server(room: Room) -> Iterator[Server]:
    with serving(room.config, QUICK) as running:
        yield running
    assert "Traceback" not in running.log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None
    with browser_of(CHROMIUM) as made:
        yield made


def test_a_draft_appears_as_it_is_written_for_all_who_look(
    browser: Browser, server: Server, room: Room
) -> None:
    tab, other = (Tab(context_of(browser), server) for _ in range(2))
    tab.open(room.case).press("draft ")
    tab.page.get_by_text(UNCHECKED).wait_for()
    tab.page.get_by_text("Writing the sentences").wait_for()
    expect(tab.page.locator('[class*="st-key-accept"] button')).to_have_count(0)
    assert INVENTED not in tab.text(), "what a model from outside adds is shown to nobody"
    began = time.monotonic()
    with urllib.request.urlopen(f"{server.address}/health", timeout=5) as answer:
        assert json.load(answer)["status"] == "ok"
    assert time.monotonic() - began < 2
    tab.press("leave ")
    tab.open(room.case)  # who has left and comes back
    tab.page.get_by_text(UNCHECKED).wait_for()
    other.open(room.case)
    other.page.get_by_text("Asked for by ZZREADER One").wait_for()
    other.page.get_by_text(UNCHECKED).wait_for()
    assert AXE is None or violations(other.page) == []
    tab.press("panel Earlier ")
    tab.press("panel Record ")
    words = tab.page.locator('.st-key-panel input[type="text"]').first
    if words.count():
        words.fill("half a wor")
    assert room.file().draft is None
    room.slowly.let.set()
    other.page.locator('[class*="st-key-accept-s1"] button').wait_for()
    assert UNCHECKED not in other.text()
    if words.count():
        expect(words).to_have_value("half a wor")
    tab.press("panel Draft ")
    tab.page.locator('[class*="st-key-accept-s1"] button').wait_for()
    assert room.file().draft is not None
    for one in (tab, other):
        assert one.complaints == []
        assert one.hosts == {"localhost"}
        one.page.context.close()


def test_files_are_sent_from_the_browser_and_admitted(
    browser: Browser, server: Server, room: Room, tmp_path: Path
) -> None:
    room.slowly.let.set()
    tab = Tab(context_of(browser), server)
    tab.page.goto(server.address)
    tab.page.get_by_role("button", name="Admit", exact=True).click()
    field = tab.page.locator('input[aria-label="DICOM files, or a zip of them"]')
    field.wait_for()
    status = tab.page.get_by_role("status")
    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate(LIMIT_BYTES + 1)
    field.set_input_files(large)
    expect(status.filter(has_text="at most 40.0 MB can be sent at once")).to_be_visible()
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(b"PK\x03\x04" + bytes(100))
    field.set_input_files(damaged)
    expect(status.filter(has_text="The zip archive has no end")).to_be_visible()
    notes = tmp_path / "notes.txt"
    notes.write_text("no image")
    field.set_input_files([notes, notes])
    expect(status.filter(has_text="2 files received")).to_be_visible()
    assert AXE is None or violations(tab.page) == []
    tab.page.get_by_role("button", name="Remove", exact=True).click()
    expect(status.filter(has_text="received")).to_have_count(0)
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(room.film, "DICOM/IM0001")
    tab.page.wait_for_timeout(500)
    field.set_input_files(packed)
    expect(status.filter(has_text="1 file received")).to_be_visible()
    tab.page.get_by_role("button", name="Admit and draft").click()
    tab.page.wait_for_url("**/read?case=*", timeout=WAIT_MS)
    tab.page.locator('[class*="st-key-accept-s1"] button').wait_for()
    left = [one for one in (room.config.parent / "data" / "uploads").rglob("*") if one.is_file()]
    assert left == []
    assert tab.complaints == []
    assert tab.hosts == {"localhost"}
    tab.page.context.close()
