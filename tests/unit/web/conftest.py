"""A case that a reader has open, and the routes over it, asked as a browser would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from medmm.assistant import Assistant
from medmm.domain.report import CaseFile, Reader
from medmm.imaging.frame_cache import AHEAD_OF_READERS, CACHE
from medmm.web.browser_cookie import COOKIE
from medmm.web.decoding_threads import DecodingThreads
from medmm.web.frame_links import CaseLinks
from medmm.web.frame_routes import RoutesFirst, frame_routes
from medmm.web.opened_cases import OpenedCases
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant

BROWSER = "b" * 43
OTHER_BROWSER = "o" * 43


async def nothing_else(scope: Any, receive: Any, send: Any) -> None:
    """The application behind the routes."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"page"})


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Room:
    """The routes, with the clock by which links end."""

    assistant: Assistant
    case: str
    clock: Clock = field(default_factory=Clock)
    threads: DecodingThreads = field(default_factory=DecodingThreads)
    opened: OpenedCases = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew, as a process does that has opened nothing."""
        self.opened = OpenedCases(self.assistant, self.clock)

    @property
    def app(self) -> RoutesFirst:
        return RoutesFirst(nothing_else, frame_routes(lambda: self.opened, self.threads))

    def look(self, reader: str = "reader-1", *, blind: bool = False) -> CaseFile:
        return self.assistant.case(self.case, blind=blind, by=reader)

    def links(
        self, reader: str = "reader-1", cookie: str = BROWSER, file: CaseFile | None = None
    ) -> CaseLinks:
        who: Reader = self.assistant.reader_named(reader)
        return self.opened.links(file or self.look(reader), who, cookie)

    @property
    def series(self) -> str:
        return self.opened.assistant.case(self.case, by="reader-1").case.study.volumes[0].sha256

    def get(self, path: str, cookie: str = BROWSER, **headers: str) -> httpx.Response:
        return asyncio.run(self.asked(path, cookie, **headers))

    async def asked(self, path: str, cookie: str = BROWSER, **headers: str) -> httpx.Response:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        said |= {"cookie": f"{COOKIE}={cookie}"} if cookie else {}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://localhost"
        ) as client:
            return await client.get(path, headers=said)


@pytest.fixture(autouse=True)
def _no_cache_of_others() -> Iterator[None]:
    CACHE.reset()
    AHEAD_OF_READERS.reset()
    yield
    AHEAD_OF_READERS.finish()
    CACHE.reset()


@pytest.fixture
def room_of(tmp_path: Path) -> Iterator[Callable[..., Room]]:
    """Makes the room of a film or of other files."""
    made: list[Assistant] = []

    def make(path: Path | None = None, **settings: Any) -> Room:
        assistant = quick_assistant(tmp_path / "data", **settings)
        made.append(assistant)
        case_id = opened(assistant, path or film_file(tmp_path))
        assistant.draft(case_id)
        return Room(assistant, case_id)

    yield make
    for one in made:
        one.close()


@pytest.fixture
def room(room_of: Callable[..., Room]) -> Room:
    return room_of()
