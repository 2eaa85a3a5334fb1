"""The frontier grows the same tree as the RFC's recursion; proofs hold for it and for nothing altered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medmm.audit.proof import (
    Frontier,
    consistency_proof,
    consistent,
    includes,
    inclusion_proof,
    leaf_hash,
    root,
)

entries = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


@given(entries)
def test_frontier_and_recursion_agree(kept: list[bytes]) -> None:
    leaves, tree = [leaf_hash(entry) for entry in kept], Frontier()
    for leaf in leaves:
        tree.append(leaf)
    assert (tree.size, tree.root()) == (len(leaves), root(leaves))
    assert len(tree.peaks) == len(leaves).bit_count()


@given(entries, st.data())
def test_proofs_hold_and_an_altered_one_does_not(kept: list[bytes], data: st.DataObject) -> None:
    leaves = [leaf_hash(entry) for entry in kept]
    size, whole = len(leaves), root(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    assert includes(leaves[index], index, size, proof, whole)
    old = data.draw(st.integers(1, size))
    shown = consistency_proof(leaves, old)
    assert consistent(old, size, shown, root(leaves[:old]), whole)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not includes(
            leaves[index], index, size, [*proof[:at], bytes(32), *proof[at + 1 :]], whole
        )
    if shown:
        at = data.draw(st.integers(0, len(shown) - 1))
        altered = [*shown[:at], bytes(32), *shown[at + 1 :]]
        assert not consistent(old, size, altered, root(leaves[:old]), whole)
