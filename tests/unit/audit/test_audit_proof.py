"""The Merkle tree against the published vectors of RFC 6962's reference implementation."""

from __future__ import annotations

import pytest

from medmm.audit.proof import (
    Frontier,
    consistency_proof,
    consistent,
    includes,
    inclusion_proof,
    leaf_hash,
    root,
)
from tests.databases import only_sqlite

pytestmark = only_sqlite

ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    tree = Frontier()
    for leaf in LEAVES[:size]:
        tree.append(leaf)
    assert tree.root().hex() == root(LEAVES[:size]).hex() == ROOTS[size]


def test_a_published_inclusion_path() -> None:
    assert [h.hex() for h in inclusion_proof(LEAVES, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_every_leaf_is_shown_to_be_included_and_no_other() -> None:
    for size in range(1, 9):
        whole = root(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(LEAVES[:size], index)
            assert includes(LEAVES[index], index, size, proof, whole)
            assert not includes(leaf_hash(b"other"), index, size, proof, whole)
            assert not includes(LEAVES[index], index, size, [*proof, LEAVES[0]], whole)
            assert not includes(LEAVES[index], size, size, proof, whole)
            if proof:
                assert not includes(LEAVES[index], index, size, proof[:-1], whole)


def test_every_older_tree_is_shown_to_be_in_the_newer() -> None:
    for size in range(1, 9):
        for old_size in range(1, size + 1):
            proof = consistency_proof(LEAVES[:size], old_size)
            old, new = root(LEAVES[:old_size]), root(LEAVES[:size])
            assert consistent(old_size, size, proof, old, new)
            assert not consistent(old_size, size, proof, leaf_hash(b"other"), new)
            assert not consistent(old_size, size, proof, old, leaf_hash(b"other"))
            assert not consistent(old_size, size, [*proof, old], old, new)
            if proof:
                assert not consistent(old_size, size, proof[1:], old, new)


def test_a_size_out_of_range_is_never_consistent() -> None:
    assert not consistent(0, 3, [], root([]), root(LEAVES[:3]))
    assert not consistent(4, 3, [], root(LEAVES[:4]), root(LEAVES[:3]))
