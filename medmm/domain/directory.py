"""Who may act here: the port of a site's directory of persons, and a list that meets it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from medmm.domain.errors import PermissionDenied
from medmm.domain.report import Reader


@runtime_checkable
class Directory(Protocol):
    """Knows the persons who may act, each with the role that decides which verbs are theirs.

    It is asked at every call of a verb, so that a person who left, or whose role changed, is known
    as such at once.
    """

    def readers(self) -> tuple[Reader, ...]:
        """List everyone who may act, in the order in which they are offered."""
        ...

    def reader(self, reader_id: str) -> Reader:
        """Find who has this id, compared to the letter.

        Raises: PermissionDenied if nobody has it, with what to do about it; Unavailable if the
            directory can't be asked now.
        """
        ...


class ConfiguredReaders:
    """The readers of the settings, without sign-in: whoever names one acts as this one."""

    def __init__(self, readers: Iterable[Reader]) -> None:
        self._readers = {reader.id: reader for reader in readers}

    def readers(self) -> tuple[Reader, ...]:
        """List them in the order of the settings."""
        return tuple(self._readers.values())

    def reader(self, reader_id: str) -> Reader:
        """Find the reader of this id. Raises: PermissionDenied if the settings have none."""
        try:
            return self._readers[reader_id]
        except KeyError:
            raise PermissionDenied(
                "no such reader in the configuration",
                remedy="add the reader under `readers:`",
                reader=reader_id,
            ) from None
