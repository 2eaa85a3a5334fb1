"""The Merkle tree of RFC 6962, section 2.1: hashes, roots, proofs, a growing frontier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256


def leaf_hash(entry: bytes) -> bytes:
    """Hash one entry; the prefix keeps a leaf from being read as a node."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Compute the root over leaf hashes by the RFC's own recursion.

    It is slow and plain: the frontier is tested against it.
    """
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = _split(len(leaves))
    return node_hash(root(leaves[:split]), root(leaves[split:]))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """List hashes that lead from leaf `index` (from 0) to the root, lowest first.

    Source: RFC 6962, section 2.1.1.
    """
    if len(leaves) < 2:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root(leaves[:split])]


def includes(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes) -> bool:
    """Tell whether `proof` shows that `leaf` stands at `index` of this tree.

    The tree has `size` leaves and the root `root_hash`.
    """
    return 0 <= index < size and _climb(leaf, index, size, list(proof)) == root_hash


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """List hashes that show the tree of the first `old_size` leaves in the whole.

    `old_size` is at least 1. Source: RFC 6962, section 2.1.2.
    """
    return _subproof(leaves, old_size, whole=True)


def consistent(
    old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root_hash: bytes
) -> bool:
    """Tell whether `proof` shows that a tree only appended to an older one.

    Their roots are `root_hash` and `old_root`.
    """
    if not 0 < old_size <= size:
        return False
    found = _both_roots(old_size, size, list(proof), old_root, whole=True)
    return found == (old_root, root_hash)


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _climb(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes | None:
    if size == 1:
        return None if proof else leaf
    if not proof:
        return None
    sibling, split = proof.pop(), _split(size)
    if index < split:
        below = _climb(leaf, index, split, proof)
        return below and node_hash(below, sibling)
    below = _climb(leaf, index - split, size - split, proof)
    return below and node_hash(sibling, below)


def _subproof(leaves: Sequence[bytes], old_size: int, *, whole: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if whole else [root(leaves)]
    split = _split(len(leaves))
    if old_size <= split:
        return [*_subproof(leaves[:split], old_size, whole=whole), root(leaves[split:])]
    return [*_subproof(leaves[split:], old_size - split, whole=False), root(leaves[:split])]


def _both_roots(
    old_size: int, size: int, proof: list[bytes], old_root: bytes, *, whole: bool
) -> tuple[bytes, bytes] | None:
    """Compute the old and new root that the proof gives for this subtree.

    Returns: None if it has too many or too few hashes.
    """
    if old_size == size:
        if len(proof) != (0 if whole else 1):
            return None
        return (old_root, old_root) if whole else (proof[0], proof[0])
    if not proof:
        return None
    sibling, split = proof.pop(), _split(size)
    if old_size <= split:
        found = _both_roots(old_size, split, proof, old_root, whole=whole)
        return found and (found[0], node_hash(found[1], sibling))
    found = _both_roots(old_size - split, size - split, proof, old_root, whole=False)
    return found and (node_hash(sibling, found[0]), node_hash(sibling, found[1]))


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
        """Compute the root of the tree in O(log n)."""
        if not self.peaks:
            return sha256(b"").digest()
        total = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            total = node_hash(peak, total)
        return total
