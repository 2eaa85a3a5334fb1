"""The folder of a calibration: its readings, so that a broken run goes on, and its end.

What is read of a study is remembered by the content of its images and the models that read it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from medmm.domain.acceptance import Acceptance
from medmm.domain.codec import from_json, to_json
from medmm.domain.errors import InputError, Unavailable
from medmm.domain.input_figures import InputFigures
from medmm.domain.reading import Reading
from medmm.files import locked, write_atomically

READINGS, ACCEPTANCE, PAGE = "readings.jsonl", "acceptance.json", "acceptance.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was read of one labelled study.

    Attributes:
        reading: of the model that is measured, on its own scale; None with the reason `why`.
        in_use: what the models say that speak in drafts; None if there are none.
    """

    reading: Reading | None = None
    why: str = ""
    input_figures: InputFigures | None = None
    in_use: Reading | None = None


@dataclass(slots=True)
class TrialFolder:
    """The folder of one calibration; one process works in it at a time."""

    path: Path
    _file: int
    _known: dict[str, Remembered] = field(default_factory=dict)

    def recall(self, key: str) -> Remembered | None:
        """Give what was read before under a key."""
        return self._known.get(key)

    def remember(self, key: str, read: Remembered) -> None:
        """Keep what was read under a key, for good, before the next study begins."""
        line = json.dumps({"key": key, "read": to_json(read)}) + "\n"
        with _writable(self.path):
            os.write(self._file, line.encode())
            os.fsync(self._file)
        self._known[key] = read

    def finish(self, acceptance: Acceptance, page: str) -> None:
        """Write what was measured, and the page that shows it."""
        text = json.dumps(to_json(acceptance), indent=1, sort_keys=True)
        with _writable(self.path):
            write_atomically(self.path / PAGE, page.encode())
            write_atomically(self.path / ACCEPTANCE, text.encode())


@contextmanager
def trial_folder(path: Path) -> Iterator[TrialFolder]:
    """Open a new folder for a calibration, or that of one that was broken off.

    Raises: InputError if something else lies there; Unavailable if it can't be written.
    """
    with _writable(path):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        others = sorted({one.name for one in path.iterdir()} - {READINGS})
    if others:
        raise InputError(
            "the folder holds something else than a calibration that was broken off",
            remedy="name a new folder",
            folder=str(path),
            file=others[0],
        )
    with locked(path / READINGS) as file:
        yield TrialFolder(path, file, _known_in(path / READINGS, file))


def _known_in(path: Path, file: int) -> dict[str, Remembered]:
    """Read the lines that are whole; what a death cut short at the end is taken away."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.ftruncate(file, whole)
    known = {}
    try:
        for line in data[:whole].splitlines():
            said = json.loads(line)
            known[str(said["key"])] = from_json(Remembered, said["read"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "the readings of an earlier run can't be read",
            remedy="take the file away, so that they are read again",
            file=str(path),
        ) from error
    return known


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"the folder can't be written: {type(error).__name__}",
            remedy="name a folder that this user may write to, with space",
            folder=str(path),
        ) from error
