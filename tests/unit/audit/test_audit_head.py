"""The heads file: torn lines heal, foreign ones stay for the check to find."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from medmm.audit.head import HeadFile, HeadSigner, TreeHead
from medmm.audit.proof import leaf_hash
from medmm.domain.errors import Unavailable
from tests.databases import only_sqlite

pytestmark = only_sqlite

SIGNER = HeadSigner(bytes(range(32)))
HEADS = [SIGNER.sign(size, leaf_hash(str(size).encode())) for size in range(1, 41)]


def heads_after(size: int) -> list[TreeHead]:
    return HEADS[size:]


def lines_of(file: HeadFile) -> list[str]:
    with file.locked() as lines:
        return lines


def test_heads_are_appended_once_and_in_order(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "a.heads", SIGNER)
    assert file.last_size() == 0
    file.cover(lambda size: HEADS[size:5])
    file.cover(heads_after)
    file.cover(heads_after)
    assert [TreeHead.from_line(line) for line in lines_of(file)] == HEADS
    assert file.last_size() == 40
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("kept", [1, 50, -1])
def test_a_line_torn_by_a_crash_is_completed(kept: int, tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "a.heads", SIGNER)
    file.path.write_text("".join(head.line() for head in HEADS[:7]) + HEADS[7].line()[:kept])
    assert file.last_size() == 7
    file.cover(heads_after)
    assert [TreeHead.from_line(line) for line in lines_of(file)] == HEADS


def test_a_foreign_tail_is_kept_as_a_line_of_its_own(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "a.heads", SIGNER)
    file.path.write_text(HEADS[0].line() + "junk")
    file.cover(heads_after)
    assert [TreeHead.from_line(line) for line in lines_of(file)] == [HEADS[0], None, *HEADS[1:]]


def test_a_forged_head_does_not_stop_the_real_ones(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "a.heads", SIGNER)
    forged = HeadSigner(bytes(32)).sign(10**9, leaf_hash(b"")).line()
    file.path.write_text(HEADS[0].line() + forged)
    file.cover(heads_after)
    assert lines_of(file)[2:] == [head.line().strip() for head in HEADS[1:]]


@pytest.mark.parametrize(
    "change", [str.upper, lambda s: s.replace(": ", ":"), lambda s: s + " ", lambda s: "[" * 9999]
)
def test_a_line_is_a_head_to_the_byte_or_not_at_all(change: object) -> None:
    line = HEADS[9].line().rstrip("\n")
    assert TreeHead.from_line(line) == HEADS[9]
    assert TreeHead.from_line(change(line)) is None  # type: ignore[operator]


def test_only_this_installation_signs() -> None:
    head, other = HEADS[3], HeadSigner(bytes(32))
    assert SIGNER.holds(head)
    assert not other.holds(head)
    assert not SIGNER.holds(TreeHead(size=head.size + 1, root=head.root, signature=head.signature))
    assert not SIGNER.holds(TreeHead(size=head.size, root=head.root, signature="no hex"))
    assert not SIGNER.holds(
        TreeHead(size=head.size, root=head.root, signature=head.signature.upper())
    )
    assert SIGNER.public_key() != other.public_key()


def test_a_path_that_is_a_folder_is_unavailable(tmp_path: Path) -> None:
    file = HeadFile(tmp_path, SIGNER)
    with pytest.raises(Unavailable, match="heads_path"):
        file.last_size()
    with pytest.raises(Unavailable, match="heads_path"):
        file.cover(heads_after)
