"""Signed tree heads: what the log looked like at each size, kept in a file outside the database."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from medmm.domain.errors import Unavailable

CONTEXT = b"medmm tree head v1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """Size and root of the log, with an Ed25519 signature over both."""

    size: int
    root: str
    signature: str

    def line(self) -> str:
        """One line of the heads file."""
        return json.dumps({"size": self.size, "root": self.root, "signature": self.signature}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> TreeHead | None:
        """The head of a line, or None where the line is none."""
        try:
            fields = json.loads(line)
            return cls(size=int(fields["size"]), root=str(fields["root"]), signature=str(fields["signature"]))
        except (ValueError, KeyError, TypeError):
            return None


class HeadSigner:
    """Signs and checks tree heads with the installation's Ed25519 key (RFC 8032)."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public: Ed25519PublicKey = self._private.public_key()

    def sign(self, size: int, root: bytes) -> TreeHead:
        """The signed head of a log of `size` entries."""
        signature = self._private.sign(_message(size, root.hex()))
        return TreeHead(size=size, root=root.hex(), signature=signature.hex())

    def holds(self, head: TreeHead) -> bool:
        """Whether the signature is this installation's."""
        try:
            self._public.verify(bytes.fromhex(head.signature), _message(head.size, head.root))
        except (InvalidSignature, ValueError):
            return False
        return True

    def public_key(self) -> str:
        """The public key in hex, for whoever keeps the heads elsewhere."""
        return self._public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _message(size: int, root: str) -> bytes:
    return CONTEXT + f"{size}\n{root}\n".encode()


class HeadFile:
    """The heads file: one line a head, appended in order of size and flushed to disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[str]:
        """All lines; empty where the file is not there."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def cover(self, heads_after: Callable[[int], Iterable[TreeHead]]) -> None:
        """Append the heads of `heads_after(size of the last line)`; several processes may call it at once.

        Raises: Unavailable if the file can't be written; the entries stay uncovered until the next call.
        """
        try:
            with _locked(self.path) as file:
                for head in heads_after(_last_size(file)):
                    os.write(file, head.line().encode())
                os.fsync(file)
        except OSError as error:
            raise Unavailable(
                f"the tree heads can't be written: {type(error).__name__}",
                remedy="make heads_path writable; nothing is lost and the next step writes them",
                path=str(self.path),
            ) from error


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)  # also unlocks


def _last_size(file: int) -> int:
    """Size of the last readable head; a torn last line (crash, full disk) is ended so that the next stands alone."""
    end = os.lseek(file, 0, os.SEEK_END)
    start = max(0, end - 4096)
    tail = os.pread(file, end - start, start).decode("utf-8", errors="replace")
    if tail and not tail.endswith("\n"):
        os.write(file, b"\n")
    heads = [TreeHead.from_line(line) for line in tail.splitlines()]
    return max((head.size for head in heads if head), default=0)
