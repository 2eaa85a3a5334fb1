"""A folder that studies are dropped into, looked at again and again."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from medmm.config import FolderSource
from medmm.domain.errors import ConfigError, InputError
from medmm.doors.dicom.admissions import POLL_S, Admissions, SourceRules
from medmm.doors.dicom.listening import opened_spool
from medmm.doors.dicom.receiver import Tell
from medmm.doors.dicom.spool import Sender, Spool
from medmm.doors.folder.file_objects import LeftOutError, NoRoomError
from medmm.doors.folder.media import is_directory_file
from medmm.doors.folder.taking import FileTaker
from medmm.doors.stopping import signals
from medmm.files import write_atomically

if TYPE_CHECKING:
    from medmm.assistant import Assistant

SPOOL = "watched"  # of data_dir
MARK_CHARACTERS = 32
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Look:
    """A file as it looked: its size and time, and since when it looks so."""

    size_bytes: int
    time_ns: int
    since_s: float


class Remembered:
    """Which files were dealt with, across restarts: marks of name, size and time in a file.

    No table, and nothing depends on it: what is forgotten is read again, and the spool and the
    assistant find that it came before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks: set[str] = set()
        with suppress(FileNotFoundError):
            lines = path.read_text(encoding="ascii", errors="replace").split("\n")
            self._marks = {line for line in lines if len(line) == MARK_CHARACTERS}

    def __contains__(self, mark: str) -> bool:
        return mark in self._marks

    def add(self, mark: str) -> None:
        """Remember a mark. Raises: OSError if it can't be written."""
        self._marks.add(mark)
        with open(self._path, "a", encoding="ascii", opener=_private) as file:
            file.write(mark + "\n")

    def keep_only(self, marks: Collection[str]) -> None:
        """Forget what is there no more, once that is most of it."""
        if len(self._marks) > 2 * len(marks) + 1000:
            self._marks &= set(marks)
            text = "".join(f"{mark}\n" for mark in sorted(self._marks))
            write_atomically(self._path, text.encode("ascii"), PRIVATE)


class FolderWatch:
    """Looks at one folder, and brings what rests there into a spool.

    Args:
        name: of the source.
        wanted: UIDs of the SOP classes that studies are made of.
        quiet_s: for how long the folder of a DICOMDIR rests before its files are counted.
        archive_bytes: to which a zip archive may unpack.
        clock: gives seconds, of which differences alone count.

    Attributes:
        caught_up: set once what lay there at the start was dealt with, if it rested.
    """

    def __init__(
        self,
        name: str,
        source: FolderSource,
        spool: Spool,
        wanted: Collection[str],
        tell: Tell,
        *,
        quiet_s: float = 60.0,
        archive_bytes: int = 4 << 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.source = name, source
        self._tell, self._clock, self._quiet_s = tell, clock, quiet_s
        sender = Sender(id=secrets.token_hex(8), calling="", called=name, host="folder")
        self._taker = FileTaker(spool, wanted, sender, archive_bytes)
        self._looks: dict[Path, Look] = {}
        self._done = Remembered(spool.folder / f"{name}.seen")
        self._list = spool.folder / f"{name}.left.jsonl"
        self._told: set[str] = set()  # what is wrong now, told once
        self._unread: set[Path] = set()  # files that can't be read now, each told once
        self._began_s: float | None = None
        self.caught_up = threading.Event()

    def look(self, stopping: threading.Event | None = None) -> int:
        """Look at the folder once.

        Returns: how many objects came into the spool.
        """
        stopping = stopping or threading.Event()
        began_s = self._clock()
        self._began_s = began_s if self._began_s is None else self._began_s
        found: dict[Path, Look] = {}
        marks: list[str] = []
        taken = 0
        for path in self._files():
            if stopping.is_set():
                return taken
            try:
                state = path.lstat()
            except OSError:  # it went meanwhile
                continue
            mark = self._mark(path, state)
            marks.append(mark)
            if mark in self._done:
                continue
            found[path] = look = self._looked(path, state)
            wait = self.source.settle_seconds
            if is_directory_file(path):
                wait = max(wait, self._quiet_s)
            if self._clock() - look.since_s >= wait:
                taken += self._deal_with(path, look, mark)
        self._looks = found
        self._unread &= found.keys()
        if not self._troubled("unreachable"):
            self._done.keep_only(marks)
        if began_s - self._began_s >= self.source.settle_seconds:
            self.caught_up.set()
        if taken:
            self._tell("taken", source=self.name, objects=taken)
        return taken

    def _files(self) -> Iterator[Path]:
        """List the files at any depth; links are not followed, hidden names are passed over."""

        away = False

        def closed(error: OSError) -> None:
            nonlocal away
            away = away or error.filename == str(self.source.path)
            self._trouble("unreachable" if away else "closed", type(error).__name__)

        for folder, folders, names in os.walk(self.source.path, onerror=closed):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    yield Path(folder, name)
        if not away:
            self._well("unreachable")

    def _looked(self, path: Path, state: os.stat_result) -> Look:
        before = self._looks.get(path)
        if before and (before.size_bytes, before.time_ns) == (state.st_size, state.st_mtime_ns):
            return before
        return Look(state.st_size, state.st_mtime_ns, self._clock())

    def _mark(self, path: Path, state: os.stat_result) -> str:
        name = os.fsencode(path.relative_to(self.source.path))
        said = b"%b\0%d\0%d" % (name, state.st_size, state.st_mtime_ns)
        return hashlib.sha256(said).hexdigest()[:MARK_CHARACTERS]

    def _deal_with(self, path: Path, look: Look, mark: str) -> int:
        """Take a file that rests, or say why it is left. Returns: how many objects are new."""
        try:
            taken = self._taker.take(path, look.size_bytes, look.time_ns)
        except (LeftOutError, InputError) as error:
            why = error.problem if isinstance(error, InputError) else str(error)
            self._list_and_tell("left", path, why)
            self._done.add(mark)
            return 0
        except NoRoomError:
            self._trouble("not-kept", "the disk is full or can't be written")
            return 0
        except FileNotFoundError:
            return 0
        except OSError as error:
            if path not in self._unread:
                self._unread.add(path)
                self._list_and_tell("not-read", path, type(error).__name__)
            return 0
        self._unread.discard(path)
        if taken is None:  # it is still being written
            return 0
        self._well("not-kept")
        if taken.others:
            why = f"other objects came under the UIDs of {taken.others} files in it"
            self._list_and_tell("left", path, why)
        if self.source.afterwards == "remove" and taken.whole:
            self._remove(path)
        self._done.add(mark)
        return taken.new

    def _remove(self, path: Path) -> None:
        """Remove a file of which all is in the spool."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._trouble("not-removed", type(error).__name__)
        else:
            self._well("not-removed")

    def _list_and_tell(self, event: str, path: Path, why: str) -> None:
        """Tell of a file whose name, perhaps a patient's, stands in a list of this user alone."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with open(self._list, "a", encoding="ascii", opener=_private) as file:
            file.write(json.dumps({"at": at, "file": str(path), "why": why}) + "\n")
        self._tell(event, source=self.name, why=why, listed_in=str(self._list))

    def _trouble(self, word: str, why: str) -> None:
        if word not in self._told:
            self._told.add(word)
            self._tell(word, source=self.name, why=why)

    def _troubled(self, word: str) -> bool:
        return word in self._told

    def _well(self, word: str) -> None:
        self._told.discard(word)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE)


def watch_until_stopped(
    assistant: Assistant,
    folders: Mapping[str, FolderSource],
    tell: Tell,
    stopping: threading.Event | None = None,
) -> None:
    """Watch folders until SIGTERM, SIGINT or the event; then finish what is under way.

    Raises: ConfigError if there is no folder, one can't be watched, or another process watches.
    """
    stopping = threading.Event() if stopping is None else stopping
    settings = assistant.settings
    for source in folders.values():
        _refuse_folder(source.path, settings.data_dir)
    if not folders:
        raise ConfigError(
            "no folder is named",
            remedy="name one, or a source of `kind: folder` under `sources` (docs/fetching.md)",
        )
    listen = settings.listen
    with opened_spool(assistant, SPOOL, "watch") as spool, signals() as signalled:
        rules = SourceRules(
            quiet_seconds=listen.quiet_seconds,
            force_seconds=listen.force_seconds,
            keep_days=listen.keep_days,
            titles={name: source.rule() for name, source in folders.items()},
        )
        wanted, limit = assistant.sop_classes, settings.upload_bytes
        watches = [
            FolderWatch(
                name,
                source,
                spool,
                wanted,
                tell,
                quiet_s=listen.quiet_seconds,
                archive_bytes=limit,
            )
            for name, source in folders.items()
        ]
        looking = [threading.Thread(target=_look, args=(one, stopping, tell)) for one in watches]

        def heed() -> None:
            if signalled.asked:
                stopping.set()

        tell("watching", sources=sorted(folders), waiting=spool.waiting())
        for thread in looking:
            thread.start()
        try:
            _await(watches, stopping, heed, listen.force_seconds)
            Admissions(assistant, rules, spool, tell).run(stopping, heed)
        finally:
            stopping.set()
            for thread in looking:
                thread.join()
        tell("stopped", waiting=spool.waiting())


def _await(
    watches: Sequence[FolderWatch],
    stopping: threading.Event,
    heed: Callable[[], None],
    longest_s: float,
) -> None:
    """Wait until each watch has caught up: a study may have come in part before a restart."""
    end = time.monotonic() + longest_s
    for watch in watches:
        while not (stopping.is_set() or watch.caught_up.is_set() or time.monotonic() > end):
            heed()
            watch.caught_up.wait(POLL_S)


def _look(watch: FolderWatch, stopping: threading.Event, tell: Tell) -> None:
    failed = False
    while not stopping.is_set():
        try:
            watch.look(stopping)
            failed = False
        except OSError as error:  # of the data folder: what was not remembered is read again
            if not failed:
                tell("not-kept", source=watch.name, why=type(error).__name__)
            failed = True
        stopping.wait(max(watch.source.poll_seconds, POLL_S))


def _refuse_folder(folder: Path, data_dir: Path) -> None:
    """Refuse what is no folder, and what holds medmm's own files or lies in them."""
    here, own = folder.resolve(), data_dir.resolve()
    if not here.is_dir():
        why, remedy = "no folder is there", "make it, or mount its share"
    elif here.is_relative_to(own) or own.is_relative_to(here):
        why, remedy = "the folder holds medmm's own data", "watch a folder outside data_dir"
    else:
        return
    raise ConfigError(why, remedy=remedy, folder=str(folder))
