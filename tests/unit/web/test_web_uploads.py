"""Files that a page sends: by whom and from where, how much, and that nothing is held in memory or left behind."""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import time
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn

from medmm.config import ReaderEntry
from medmm.domain.errors import StateError
from medmm.domain.study import Study
from medmm.web import uploads as module
from medmm.web.browser_cookie import COOKIE
from medmm.web.frame_routes import RoutesFirst
from medmm.web.opened_cases import OpenedCases
from medmm.web.upload_routes import DRAINED_BYTES, LEFT, upload_routes
from medmm.web.uploads import IMAGES, LIFETIME_S, MOST_OF_A_READER, RECORD, Upload, Uploads
from tests.dicom_files import film_file
from tests.quick_assistant import quick_assistant
from tests.unit.web.conftest import BROWSER, OTHER_BROWSER, Clock, nothing_else

READERS = (
    ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),
    ReaderEntry(id="auditor-1", name="ZZREADER Two", role="auditor"),
)
LIMIT_BYTES = 300_000_000
MIB = 1 << 20


@dataclass
class Page:
    """A page that sends files."""

    opened: OpenedCases
    uploads: Uploads
    upload: Upload = field(init=False)

    def __post_init__(self) -> None:
        self.upload = self.uploads.begin("reader-1")

    @property
    def app(self) -> RoutesFirst:
        return RoutesFirst(nothing_else, upload_routes(lambda: self.opened, lambda: self.uploads))

    def link(self, reader: str = "reader-1", cookie: str = BROWSER) -> str:
        who = self.opened.assistant.reader_named(reader)
        return self.opened.upload_link(self.upload.id, who, cookie)

    def send(
        self, body: Any = b"", part: str = IMAGES, method: str = "POST", **how: Any
    ) -> httpx.Response:
        """What a page of the server sends; `how` says what is otherwise."""
        return asyncio.run(self.sent(body, part, method, **how))

    async def sent(
        self,
        body: Any,
        part: str = IMAGES,
        method: str = "POST",
        link: str = "",
        cookie: str = BROWSER,
        **headers: str,
    ) -> httpx.Response:
        said = {
            "content-type": "application/octet-stream",
            "origin": "http://localhost",
            "sec-fetch-site": "same-origin",
            "cookie": f"{COOKIE}={cookie}",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        said = {name: value for name, value in said.items() if value}
        path = link or self.link()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://localhost"
        ) as client:
            place = f"{path}/{part}" if part else path
            return await client.request(method, place, content=body, headers=said)

    @property
    def folder(self) -> Path:
        return self.uploads.own_folder() / self.upload.id

    def files(self) -> dict[str, bytes]:
        """What lies in the folder, by its numbers."""
        found = sorted(one for one in self.folder.rglob("*") if one.is_file())
        return {str(one.relative_to(self.folder)): one.read_bytes() for one in found}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(tmp_path: Path, clock: Clock) -> Iterator[Page]:
    with quick_assistant(tmp_path / "data", readers=READERS, upload_bytes=LIMIT_BYTES) as assistant:
        opened = OpenedCases(assistant, clock)
        settings = assistant.settings
        yield Page(opened, Uploads(settings.data_dir, settings.upload_bytes, clock))


def refusal(answer: httpx.Response) -> tuple[int, str]:
    said = answer.json()
    assert said["remedy"]
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, said["problem"]


def test_files_come_whole_under_numbers_and_are_admitted_by_the_verb(
    page: Page, tmp_path: Path
) -> None:
    film = film_file(tmp_path / "in").read_bytes()
    answer = page.send(film)
    assert answer.status_code == 200
    assert answer.json() == {
        "limit_bytes": LIMIT_BYTES,
        "images": {"files": 1, "bytes": len(film)},
        "record": {"files": 0, "bytes": 0},
    }
    page.send(b"first", RECORD)
    page.send(b"second", RECORD)
    assert page.files() == {"images/1": film, "record/3": b"second"}
    record = page.upload.path(RECORD)
    assert record is not None
    assert record.read_bytes() == b"second"
    folder = page.upload.path(IMAGES)
    assert folder is not None
    assert all(one.stat().st_mode & 0o077 == 0 for one in folder.parent.rglob("*"))
    study = page.opened.assistant.admit(folder, by="reader-1")
    assert isinstance(study, Study)
    page.upload.drop()
    assert not page.folder.exists()
    assert refusal(page.send(b"more"))[0] == 409


def test_only_a_page_of_this_server_sends(page: Page) -> None:
    ways: tuple[dict[str, str], ...] = (
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8502"},  # another server of this machine
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "", "sec_fetch_site": ""},
        {"origin": "", "sec_fetch_site": "none"},
    )
    for way in ways:
        for method in ("POST", "DELETE"):
            status, problem = refusal(page.send(b"x", method=method, **way))
            assert (status, "page of this server" in problem) == (403, True), way
    assert page.send(b"x", origin="").status_code == 200, "an older browser says one of the two"
    assert page.send(b"x", sec_fetch_site="").status_code == 200
    assert refusal(page.send(b"x", content_type="text/plain"))[0] == 422


def test_only_who_may_admit_sends_in_their_own_browser_and_for_a_short_time(
    page: Page, clock: Clock
) -> None:
    link = page.link()
    assert "another browser" in refusal(page.send(b"x", cookie=OTHER_BROWSER, link=link))[1]
    assert refusal(page.send(b"x", link=link + "x"))[0] == 403
    frames = link.replace("/uploads/", "/frames/")
    assert page.send(b"x", link=frames, method="GET").status_code == 404
    page.upload = page.uploads.begin("auditor-1")
    assert refusal(page.send(b"x", link=page.link("auditor-1"))) == (
        403,
        "role 'auditor' may not admit",
    )
    page.upload = page.uploads.begin("reader-1")
    theirs = page.uploads.begin("auditor-1")
    forged = SimpleNamespace(id="reader-1")
    other = page.opened.upload_link(theirs.id, forged, BROWSER)  # type: ignore[arg-type]
    assert refusal(page.send(b"x", link=other))[0] == 409, "of another reader"
    link = page.link()
    clock.now += 601
    assert refusal(page.send(b"x", link=link)) == (403, "the link has expired")
    assert page.send(b"x").status_code == 200
    assert page.files() == {"images/1": b"x"}


def test_a_large_body_is_held_nowhere(page: Page) -> None:
    count = 160

    async def body() -> AsyncIterator[bytes]:
        block = os.urandom(MIB // 4)
        for _ in range(4 * count):
            yield block

    page.link()
    tracemalloc.start()
    try:
        answer = page.send(body())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.json()["images"] == {"files": 1, "bytes": count * MIB}
    assert peak < 8 * MIB, f"{peak / MIB:.1f} MiB for {count} MiB"


def test_past_the_limit_nothing_is_kept(page: Page) -> None:
    page.uploads._limit = 3 * MIB
    page.upload = page.uploads.begin("reader-1")
    assert page.send(bytes(MIB)).status_code == 200
    answer = page.send(bytes(3 * MIB))
    assert refusal(answer) == (413, "more than 3,145,728 bytes are sent at once")
    assert "upload_bytes" in answer.json()["remedy"]

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(MIB)

    assert page.send(unannounced()).status_code == 413
    assert list(page.files()) == ["images/1"]
    assert page.send(bytes(2 * MIB)).status_code == 200, "what is still free"
    assert not page.upload.underway


def test_of_what_is_refused_the_rest_is_heard_up_to_a_point(page: Page) -> None:
    page.uploads._limit = MIB
    page.upload = page.uploads.begin("reader-1")
    heard = []

    async def endless() -> AsyncIterator[bytes]:
        while len(heard) < 10 * DRAINED_BYTES // MIB:
            heard.append(1)
            yield bytes(MIB)

    assert page.send(endless()).status_code == 413
    assert DRAINED_BYTES // MIB <= len(heard) <= DRAINED_BYTES // MIB + 4


def test_a_full_disk_is_said_and_leaves_nothing(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fdopen

    def full(handle: int, mode: str) -> Any:
        real(handle, mode).close()
        return open("/dev/full", "wb")  # the kernel answers every write with ENOSPC

    monkeypatch.setattr(module.os, "fdopen", full)
    answer = page.send(bytes(2 * MIB))
    assert refusal(answer) == (507, "the disk of the data folder is full")
    assert answer.status_code == 507
    assert refusal(page.send(b"small: written when the file is closed"))[0] == 507
    assert page.files() == {}
    monkeypatch.undo()
    nearly = SimpleNamespace(free=module.RESERVE_BYTES + 10)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: nearly)
    assert refusal(page.send(bytes(11)))[0] == 507, "the store's own room is left to it"
    assert page.files() == {}


def test_who_goes_away_leaves_nothing(page: Page) -> None:
    link = page.link()
    messages = iter(
        [
            {"type": "http.request", "body": bytes(2 * MIB), "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    sent: list[Any] = []

    async def receive() -> Any:
        if not sent and page.folder.joinpath("images", "1").exists():
            assert page.upload.underway
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {
        "host": "localhost",
        "origin": "http://localhost",
        "content-type": "application/octet-stream",
        "cookie": f"{COOKIE}={BROWSER}",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"{link}/images",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(page.app(scope, receive, send))
    assert page.files() == {}
    assert page.upload.received(IMAGES).files == 0
    assert not page.upload.underway


def test_a_page_that_has_more_to_send_is_waited_for_and_not_for_ever(
    page: Page, clock: Clock
) -> None:
    page.send(b"one", **{LEFT.replace("-", "_"): "1"})
    assert page.upload.underway
    clock.now += module.STALLED_S + 1
    assert not page.upload.underway
    page.send(b"two", **{LEFT.replace("-", "_"): "0"})
    assert not page.upload.underway
    assert page.send(method="DELETE").json()["images"]["files"] == 0
    assert page.files() == {}
    assert page.send(part="", method="GET").json()["limit_bytes"] == LIMIT_BYTES
    assert page.send(b"x", part="others").status_code == 422


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_an_archive_is_unpacked_under_numbers(page: Page, tmp_path: Path) -> None:
    film = film_file(tmp_path / "in").read_bytes()
    body = packed({"../../escape.dcm": film, "folder/": b"", "/etc/notes.txt": b"text"})
    assert page.send(body).json()["images"] == {"files": 2, "bytes": len(film) + 4}
    assert set(page.files().values()) == {film, b"text"}
    assert {Path(name).name for name in page.files()} <= {"1", "2", "3"}
    study = page.opened.assistant.admit(page.upload.path(IMAGES), by="reader-1")  # type: ignore[arg-type]
    assert isinstance(study, Study)


def encrypted() -> bytes:
    body = bytearray(packed({"a.dcm": b"x" * 50}))
    for start, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(start) + place] |= 1
    return bytes(body)


def listed_at_length() -> bytes:
    body = bytearray(packed({"a.dcm": b"x"}))
    end = body.rindex(b"PK\x05\x06")
    body[end + 12 : end + 16] = struct.pack("<I", 1 << 30)
    return bytes(body)


def zip64() -> bytes:
    body = packed({"a.dcm": b"x"})
    end = body.rindex(b"PK\x05\x06")
    return body[:end] + b"PK\x06\x07" + bytes(16) + body[end:]


def damaged() -> bytes:
    body = bytearray(packed({"a.dcm": os.urandom(5000)}, zipfile.ZIP_STORED))
    body[200] ^= 255
    return bytes(body)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (encrypted, "encrypted"),
        (listed_at_length, "65,535 files"),
        (zip64, "65,535 files"),
        (damaged, "damaged"),
        (lambda: packed({"a.dcm": b"x" * 500})[:100], "no end"),
        (lambda: packed({"a.dcm": b"x"}) + b"PK\x05\x06" + bytes(10), "no end"),
    ],
    ids=["encrypted", "long list", "zip64", "damaged", "cut off", "half an end"],
)
def test_an_archive_that_is_none_is_refused_and_leaves_nothing(
    page: Page, body: Callable[[], bytes], problem: str
) -> None:
    status, said = refusal(page.send(body()))
    assert (status, problem in said) == (422, True), said
    assert page.files() == {}


def test_an_archive_that_grows_beyond_the_limit_is_stopped(page: Page) -> None:
    page.uploads._limit = 4 * MIB
    page.upload = page.uploads.begin("reader-1")
    bomb = packed({f"{n}.dcm": bytes(MIB) for n in range(64)})
    assert len(bomb) < MIB
    assert refusal(page.send(bomb))[0] == 413
    assert page.files() == {}
    assert page.send(b"x").status_code == 200


def test_too_many_files_are_refused(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    page.send(b"1")
    page.send(b"2")
    assert refusal(page.send(b"3")) == (413, "more than 2 files are sent at once")
    assert list(page.files().values()) == [b"1", b"2"]
    page.send(method="DELETE")
    assert refusal(page.send(packed({"1": b"1", "2": b"2", "3": b"3"})))[0] == 413
    assert page.files() == {}
    assert page.send(b"4").json()["images"]["files"] == 1


def test_what_nobody_needs_goes(page: Page, clock: Clock) -> None:
    folders = []
    for _ in range(MOST_OF_A_READER):
        clock.now += 1
        page.upload = page.uploads.begin("reader-1")
        page.send(b"x")
        folders.append(page.folder)
    assert [one.exists() for one in folders] == [True] * len(folders)
    page.uploads.begin("reader-1")
    assert [one.exists() for one in folders[:3]] == [False, True, True], "untouched longest"
    clock.now += LIFETIME_S + 1
    page.uploads.begin("auditor-1")
    assert not any(one.exists() for one in folders)
    with pytest.raises(StateError):
        page.uploads.find(page.upload.id, "reader-1")


def test_pages_that_send_nothing_leave_nothing(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_EMPTY", 3)
    for _ in range(10):
        page.uploads.begin("reader-1")
    assert len(page.uploads._uploads) == 3
    assert not (page.opened.assistant.settings.data_dir / "uploads").exists()


def test_the_folder_goes_with_its_process_and_that_of_a_dead_one_with_the_next(
    tmp_path: Path,
) -> None:
    @contextmanager
    def process() -> Iterator[Path]:
        uploads = Uploads(tmp_path, LIMIT_BYTES, time.time)
        yield uploads.own_folder()

    left = tmp_path / "uploads" / "of-a-dead-one"
    left.mkdir(parents=True)
    with process() as folder:
        assert folder.exists()
        assert left.exists(), "it may be another process's"
    os.utime(left, (0, 0))
    with process():
        assert not left.exists()


def test_over_a_real_connection_who_sends_too_much_hears_why(page: Page) -> None:
    """A server that answers and closes before it has heard the body is a broken connection to a browser."""
    page.uploads._limit = MIB
    page.upload = page.uploads.begin("reader-1")
    link = page.link()
    config = uvicorn.Config(page.app, port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    place, headers = (
        f"{link}/images",
        {
            "Origin": f"http://127.0.0.1:{port}",
            "Content-Type": "application/octet-stream",
            "Cookie": f"{COOKIE}={BROWSER}",
        },
    )
    try:
        for body, status in ((bytes(24 * MIB), 413), (b"small", 200)):
            connection = HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", place, body=body, headers=headers)
            answer = connection.getresponse()
            assert (answer.status, b"limit_bytes" in answer.read()) == (status, status == 200)
            connection.close()
        broken = HTTPConnection("127.0.0.1", port, timeout=20)
        broken.putrequest("POST", place)
        for name, value in {**headers, "Content-Length": str(MIB // 2)}.items():
            broken.putheader(name, value)
        broken.endheaders(bytes(MIB // 4))
        while not page.upload.sending:
            time.sleep(0.01)
        broken.close()
        while page.upload.sending:
            time.sleep(0.01)
        assert list(page.files().values()) == [b"small"]
    finally:
        server.should_exit = True
        thread.join(timeout=20)
