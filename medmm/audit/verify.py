"""Check the whole log: recompute the tree from the entries and hold it against every signed head."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from medmm.audit import log
from medmm.audit.head import HeadSigner, TreeHead
from medmm.audit.proof import Frontier, leaf_hash
from medmm.domain.audit_event import AuditProblem, AuditVerification


def verify(connection: sa.Connection, lines: Sequence[str], signer: HeadSigner) -> AuditVerification:
    """Find every changed, removed, reordered or inserted entry, a cut tail and a restored copy.

    `lines` are those of the heads file. The first root that is not the signed one names the place of a change
    that was made consistently (all hashes recomputed).
    """
    problems = []
    outside: dict[int, TreeHead] = {}
    for number, line in enumerate(lines, 1):
        head = TreeHead.from_line(line)
        if head is None and not line.strip():
            continue
        if head is None or not signer.holds(head):
            problems.append(_problem("head altered", f"heads file, line {number}", "not signed by this installation"))
        elif outside.setdefault(head.size, head).root != head.root:
            problems.append(_problem("head altered", f"heads file, line {number}", "two heads of one size differ"))
    tree = Frontier()
    problems += _entry_problems(connection, outside, tree)
    problems += _head_problems(connection, outside, tree, signer)
    covered = max((size for size in outside if size <= tree.size), default=0)
    return AuditVerification(size=tree.size, problems=tuple(problems), uncovered=tree.size - covered)


def _entry_problems(connection: sa.Connection, outside: dict[int, TreeHead], tree: Frontier) -> Iterator[AuditProblem]:
    """Walk the entries in order and grow `tree` by what is really there."""
    diverged = False
    for row in connection.execute(sa.select(log.entries).order_by(log.entries.c.seq)):
        place = f"entry {tree.size + 1}"
        if row.seq != tree.size + 1 and not diverged:
            yield _problem("entry removed or renumbered", place, f"the next entry is numbered {row.seq}")
        leaf = leaf_hash(row.entry)
        if leaf != row.leaf:
            yield _problem("entry changed", place, "its bytes do not give its leaf hash")
        elif _subject(row.entry) != row.subject:
            yield _problem("entry changed", place, "its index column differs from its bytes")
        tree.append(leaf)
        head = outside.get(tree.size)
        if head is not None and head.root != tree.root().hex() and not diverged:
            diverged = True  # every later root differs too: the first one is the place
            yield _problem("entry changed, moved, inserted or removed", place, "the root is not the signed one")


def _subject(entry: bytes) -> str | None:
    try:
        return str(json.loads(entry)["subject"])
    except (ValueError, KeyError, TypeError):
        return None


def _head_problems(
    connection: sa.Connection, outside: dict[int, TreeHead], tree: Frontier, signer: HeadSigner
) -> Iterator[AuditProblem]:
    last = max(outside, default=0)
    if last > tree.size:
        text = f"the log has {tree.size} entries, a signed head covers {last}"
        yield _problem("tail cut or an older copy restored", f"entry {tree.size + 1}", text)
    inside = {head.size: head for head in log.heads_after(connection, 0)}
    for size in range(1, tree.size + 1):
        if size not in inside:
            yield _problem("head removed", f"head of size {size}", "not in the database")
        elif not signer.holds(inside[size]):
            yield _problem("head altered", f"head of size {size}", "in the database, not signed by this installation")
        elif size not in outside and size < last:
            yield _problem("head removed", f"head of size {size}", "not in the heads file")
    yield from (
        _problem("head inserted", f"head of size {size}", "in the database, beyond the entries")
        for size in inside
        if size > tree.size
    )
    grown = log.load_frontier(connection)
    if (grown.size, grown.peaks) != (tree.size, tree.peaks):
        yield _problem("frontier altered", f"entry {min(grown.size, tree.size)}", "it does not fit the entries")


def _problem(kind: str, place: str, text: str) -> AuditProblem:
    return AuditProblem(kind=kind, place=place, text=text)
