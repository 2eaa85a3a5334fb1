"""The port of what keeps files: each under the digest of its content, once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFault:
    """A fault of a kept file; `text` says more if there is more to say."""

    kind: Literal["missing", "unreadable", "altered"]
    text: str = ""


class ObjectStore(Protocol):
    """A keeper of files under the SHA-256 of their content, in hex.

    Safe from several threads and processes.

    Decoders open files by their paths, so a store that keeps them elsewhere brings a file here
    before it names its place.
    """

    def put(self, source: Path) -> str:
        """Copy a file in, for good.

        Args:
            source: a regular file.

        Returns: the SHA-256 of its content, in hex.
        Raises: InputError if the source can't be opened; Unavailable if the copy can't be kept.
        """
        ...

    def copied(self, sources: Mapping[str, Path]) -> AbstractContextManager[Callable[[], None]]:
        """Copy files in, by the digests that they must have.

        Args:
            sources: files by the SHA-256, in hex, that their content must have.

        Returns: a context that gives a callable: once called, all are kept for good; if it is not
            called before the context ends, none is.
        Raises: InputError if a file can't be opened or has another digest; Unavailable as `put`.
        """
        ...

    def place(self, sha256: str) -> Path:
        """Say where an object lies or would lie, unchecked.

        Args:
            sha256: of its content, 64 digits in lower-case hex; so in every method.

        Raises: InputError if `sha256` is not a digest.
        """
        ...

    def verified_path(self, sha256: str) -> Path:
        """Say where an object lies whose bytes give its digest.

        Returns: a path that decoders can open.
        Raises: IntegrityError if they do not; InputError if it is not there.
        """
        ...

    def fault(self, sha256: str) -> ObjectFault | None:
        """Read an object and say what is wrong with it; None if its bytes give its digest."""
        ...

    def digests(self) -> Iterator[str]:
        """Give the digests of all objects that are there, in order."""
        ...

    def sweep(self) -> None:
        """Remove what a killed process left half-copied."""
        ...


def is_digest(text: object) -> bool:
    """Say whether this can name an object."""
    return isinstance(text, str) and DIGEST.fullmatch(text) is not None
