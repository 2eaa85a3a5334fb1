"""The Merkle tree of RFC 6962, section 2.1: leaf and node hashes, roots, and a frontier that grows by appending."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry; the prefix keeps a leaf from being read as a node."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: list[bytes]) -> bytes:
    """Root over leaf hashes by the RFC's own recursion: slow, plain, what the frontier is tested against."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root(leaves[:split]), root(leaves[split:]))


@dataclass
class Frontier:
    """The roots of the perfect subtrees that make up a tree of `size` leaves, largest first."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash; O(log n)."""
        peak, size = leaf, self.size
        while size & 1:
            peak, size = node_hash(self.peaks.pop(), peak), size >> 1
        self.peaks.append(peak)
        self.size += 1

    def root(self) -> bytes:
        """Root of the tree; O(log n)."""
        if not self.peaks:
            return sha256(b"").digest()
        total = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            total = node_hash(peak, total)
        return total
