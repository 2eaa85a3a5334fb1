"""Signed tree heads: what the log looked like at each size, in a file of their own.

The file lies outside the database.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from medmm.domain.errors import Unavailable
from medmm.files import locked

CONTEXT = b"medmm tree head v1\n"
TAIL_BYTES = 4096  # some 17 lines


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """Size and root of the log, with an Ed25519 signature over both."""

    size: int
    root: str
    signature: str

    def line(self) -> str:
        """Write one line of the heads file."""
        return (
            json.dumps({"size": self.size, "root": self.root, "signature": self.signature}) + "\n"
        )

    @classmethod
    def from_line(cls, line: str) -> TreeHead | None:
        """Parse one line of the heads file; return None unless it serialises to the same bytes.

        The line comes without its end.
        """
        try:
            fields = json.loads(line)
            head = cls(
                size=int(fields["size"]),
                root=str(fields["root"]),
                signature=str(fields["signature"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None
        return head if head.line() == line + "\n" else None


class HeadSigner:
    """Signs and checks tree heads with the installation's Ed25519 key (RFC 8032)."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public: Ed25519PublicKey = self._private.public_key()

    def sign(self, size: int, root: bytes) -> TreeHead:
        """Sign the head of a log of `size` entries."""
        signature = self._private.sign(_message(size, root.hex()))
        return TreeHead(size=size, root=root.hex(), signature=signature.hex())

    def holds(self, head: TreeHead) -> bool:
        """Tell whether the signature is this installation's."""
        try:
            self._public.verify(bytes.fromhex(head.signature), _message(head.size, head.root))
        except (InvalidSignature, ValueError):
            return False
        return head.signature == bytes.fromhex(head.signature).hex()

    def public_key(self) -> str:
        """Return the public key in hex, for whoever keeps the heads elsewhere."""
        return self._public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _message(size: int, root: str) -> bytes:
    return CONTEXT + f"{size}\n{root}\n".encode()


class HeadFile:
    """The heads file: one line a head, appended in order of size and flushed to disk."""

    def __init__(self, path: Path, signer: HeadSigner, *, read_only: bool = False) -> None:
        self.path, self._signer, self._read_only = path, signer, read_only
        # The size that is known to be covered on disk, whatever happens to this machine
        self._flushed = 0
        self._sound: TreeHead | None = None  # the last one whose signature was checked

    def last_size(self) -> int:
        """Return the size that the last sound head covers, 0 if there is none.

        Raises: Unavailable if it can't be read.
        """
        try:
            with self.path.open("rb") as file:
                return self._last_size(_tail(file.fileno()))
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _unusable(self.path, error) from error

    def flushed_size(self) -> int:
        """Return the size that the file covers and that no loss of power takes from it.

        Raises: Unavailable as `last_size`.
        """
        return min(self._flushed, self.last_size())

    @contextmanager
    def locked(self) -> Iterator[list[str]]:
        """Read all lines while nobody appends; a last line without its end counts as one.

        Of a read-only copy, which nobody appends to, they are read without a lock; no file has no
        lines.
        """
        if self._read_only:
            yield _lines(self._content())
            return
        with _locked(self.path) as file, os.fdopen(file, "rb", closefd=False) as content:
            yield _lines(content.read())

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _unusable(self.path, error) from error

    def cover(
        self, heads_after: Callable[[int], Sequence[TreeHead]], *, flush: bool = True
    ) -> None:
        """Append the heads of `heads_after(size of the last line)`; processes may call at once.

        Without `flush` a loss of power may take the lines again: opening writes those anew, as it
        does after a crash.

        Raises: Unavailable if the file can't be written; the entries stay uncovered until the next
            call.
        """
        with _locked(self.path) as file:
            tail = _tail(file)
            size = self._last_size(tail)
            heads = heads_after(size)
            text = "".join(head.line() for head in heads).encode()
            torn = tail.rpartition(b"\n")[2]
            # A crash in mid-line is completed; anything else stays a line that verify finds
            if torn:
                text = text[len(torn) :] if text.startswith(torn) else b"\n" + text
            if text:
                with os.fdopen(file, "ab", closefd=False) as out:  # buffered: writes all or raises
                    out.write(text)
            size = heads[-1].size if heads else size
            if flush and size > self._flushed:  # those that looks left unflushed, too
                os.fsync(file)
                self._flushed = size

    def _last_size(self, tail: bytes) -> int:
        for line in reversed(tail.decode("utf-8", errors="replace").split("\n")[:-1]):
            head = TreeHead.from_line(line)
            if head is not None and (head == self._sound or self._signer.holds(head)):
                self._sound = head
                return head.size
        return 0


def _lines(content: bytes) -> list[str]:
    lines = content.decode("utf-8", errors="replace").split("\n")
    return lines if lines[-1] else lines[:-1]


def _tail(file: int) -> bytes:
    end = os.fstat(file).st_size
    start = max(0, end - TAIL_BYTES)
    return os.pread(file, end - start, start)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    try:
        with locked(path) as file:
            yield file
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"the tree heads can't be read or written: {type(error).__name__}",
        remedy="make heads_path writable; nothing is lost and the next step writes them",
        path=str(path),
    )
