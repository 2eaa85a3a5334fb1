"""The cases that readers have open in this process, and in which browser they read.

A page's look at a case is the logged one, and the frames of the case are covered by it. Where a
link is used in a process that has not opened its case (after a restart, or beside the page's own),
the case is opened there first, which is a logged look of its own.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from medmm.assistant import Assistant
from medmm.domain.errors import PermissionDenied
from medmm.domain.report import CaseFile, Reader
from medmm.domain.roles import require
from medmm.web.frame_links import (
    LIFETIME_S,
    CaseLinks,
    FrameLink,
    LinkKind,
    LinkSigner,
    browser_digest,
)
from medmm.web.sign_ins import SessionDirectory, SignIns

K = TypeVar("K")
V = TypeVar("V")
MOST_CASES = 64
MOST_BROWSERS = 1024
Key = tuple[str, str, bool]  # reader, case, blind


@dataclass(frozen=True, slots=True)
class _Opened:
    file: CaseFile
    until: float


class OpenedCases:
    """Cases by who has them open; thread-safe."""

    def __init__(
        self, assistant: Assistant, now: Callable[[], float], sign_ins: SignIns | None = None
    ) -> None:
        """Take the assistant of this process.

        Args:
            sign_ins: who is signed in where people sign in; without it a link's word counts.
        """
        self.assistant, self._now, self._sign_ins = assistant, now, sign_ins
        self.signer = LinkSigner.of_folder(assistant.settings.data_dir, now)
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._cases: OrderedDict[Key, _Opened] = OrderedDict()
        self._readers: OrderedDict[str, str] = OrderedDict()

    def links(self, file: CaseFile, reader: Reader, cookie: str) -> CaseLinks:
        """Give a page the links of a case that it has looked at.

        Args:
            cookie: of the browser that shows the page; without one the links open nothing.
        """
        self._keep((reader.id, file.case.id, file.blind), file)
        self._bind(cookie, reader)
        return CaseLinks(
            signer=self.signer,
            reader=reader.id,
            case=file.case.id,
            cookie=cookie,
            blind=file.blind,
        )

    def upload_link(self, upload_id: str, reader: Reader, cookie: str) -> str:
        """Give a page the address to which its reader sends files.

        Args:
            cookie: as in `links`.
        """
        self._bind(cookie, reader)
        link = FrameLink(
            kind=LinkKind.UPLOAD,
            reader=reader.id,
            case="",
            source=upload_id,
            browser=browser_digest(cookie),
            expires=self.signer.expiry(),
        )
        return f"/{LinkKind.UPLOAD.value}/{self.signer.token(link)}"

    def _bind(self, cookie: str, reader: Reader) -> None:
        """Note who reads in a browser now."""
        if cookie:
            with self._lock:
                _put(self._readers, browser_digest(cookie), reader.id, MOST_BROWSERS)

    def file(self, link: FrameLink) -> CaseFile:
        """Give the case of a link, if its reader may still look at it.

        Raises: PermissionDenied if the reader is gone, may not look at cases, or another one reads
            in this browser now; and as `Assistant.case`.
        """
        require("case", self.reader(link))
        key = (link.reader, link.case, link.blind)
        if (found := self._kept(key)) is not None:
            return found
        with self._opening:  # of many frames that are asked for at once, one opens the case
            found = self._kept(key)
            if found is None:
                assistant = self.assistant_of(link)
                found = assistant.case(link.case, blind=link.blind, by=link.reader)
                self._keep(key, found)
        return found

    def reader(self, link: FrameLink) -> Reader:
        """Find the reader of a link in the directory, as the role is now.

        Raises: PermissionDenied if there is none, or another one reads in this browser now; where
            people sign in, if the sign-in in this browser is over.
        """
        with self._lock:
            bound = self._readers.get(link.browser, link.reader)
        if bound != link.reader:
            raise PermissionDenied(
                "the link was made for another reader",
                remedy="open the case again as who reads now",
                reader=link.reader,
            )
        return self.assistant_of(link).reader_named(link.reader)

    def assistant_of(self, link: FrameLink) -> Assistant:
        """Give the assistant of who uses a link: where people sign in, that of their session."""
        if self._sign_ins is None:
            return self.assistant
        return self.assistant.with_directory(SessionDirectory(self._sign_ins, link.browser))

    def _kept(self, key: Key) -> CaseFile | None:
        with self._lock:
            found = self._cases.get(key)
        return found.file if found is not None and self._now() < found.until else None

    def _keep(self, key: Key, file: CaseFile) -> None:
        opened = _Opened(file, self._now() + LIFETIME_S)
        with self._lock:
            _put(self._cases, key, opened, MOST_CASES)


def _put(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
