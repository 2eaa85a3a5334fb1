"""Reports into a folder from which another program takes them."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medmm.domain.transmission import Outcome, OutgoingObject, Transmission
from medmm.files import write_atomically

WRITTEN = "written"


@dataclass(frozen=True, slots=True)
class FolderSender:
    """Writes into a folder that is there: one that is not may be a disk that is not mounted."""

    folder: Path

    def send(self, objects: Sequence[OutgoingObject]) -> Transmission:
        """Write each object under its name, whole or not at all; twice is as once.

        Returns: ARRIVED once all are flushed to disk; else POSTPONED with the name of the error,
            such as ENOSPC, since whoever keeps the folder can mend it.
        """
        try:
            if not self.folder.is_dir():
                raise NotADirectoryError(errno.ENOENT, "the folder is not there")
            for one in objects:
                write_atomically(self.folder / one.name, one.content)
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, type(error).__name__)
            return Transmission(outcome=Outcome.POSTPONED, code=code, reason=_words(error))
        return Transmission(outcome=Outcome.ARRIVED, code=WRITTEN)


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
