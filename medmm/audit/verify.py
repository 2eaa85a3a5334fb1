"""Check the whole log: recompute the tree and hold it against every signed head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from medmm.audit import log
from medmm.audit.entry import subject_of
from medmm.audit.head import HeadSigner, TreeHead
from medmm.audit.log_database import LogDatabase, bytes_of
from medmm.audit.proof import Frontier, leaf_hash
from medmm.domain.audit_event import AuditProblem, AuditVerification

ENTRIES = (
    sa.select(
        log.entries.c.seq, *bytes_of(*(log.entries.c[n] for n in ("subject", "entry", "leaf")))
    )
    .order_by(log.entries.c.seq)
    .execution_options(yield_per=1000)
)
HEADS = sa.select(log.heads.c.size, *bytes_of(log.heads.c.root, log.heads.c.signature))
FRONTIER = sa.select(log.frontier.c.size, *bytes_of(log.frontier.c.peaks), log.frontier.c.covered)


def verify(
    connection: sa.Connection, lines: Sequence[str], signer: HeadSigner, database: LogDatabase
) -> AuditVerification:
    """Find every changed, removed, reordered or inserted entry, a cut tail, a restored copy.

    The first root that is not the signed one names the place of a change that was made consistently
    (all hashes recomputed). Damage of the database is a problem that is reported; any other error
    of it is raised.

    Args:
        lines: those of the heads file, held still until `connection` has begun to read.
    """
    tree = Frontier()
    problems: list[AuditProblem] = []
    outside: dict[int, TreeHead] = {}
    try:
        problems += _line_problems(lines, signer, outside)
        inside = _inside(connection)
        problems += _entry_problems(connection, _signed(inside, outside, signer), tree)
        problems += _inside_problems(inside, outside, tree, signer)
        problems += _outside_problems(connection, outside, tree)
        problems += _database_problems(connection, database)
    except sa.exc.DatabaseError as error:
        if not database.is_damage(error):
            raise
        problems.append(_problem("database damaged", f"after entry {tree.size}", str(error.orig)))
    except UnicodeDecodeError as error:  # a name or a message of a damaged database
        problems.append(_problem("database damaged", f"after entry {tree.size}", error.reason))
    covered = max((size for size in outside if size <= tree.size), default=0)
    return AuditVerification(
        size=tree.size, problems=tuple(problems), uncovered=tree.size - covered
    )


def _line_problems(
    lines: Iterable[str], signer: HeadSigner, outside: dict[int, TreeHead]
) -> Iterator[AuditProblem]:
    """Read the heads file into `outside`."""
    last = 0
    for number, line in enumerate(lines, 1):
        head = TreeHead.from_line(line)
        if head is None or not signer.holds(head):
            yield _problem(
                "head altered", f"heads file, line {number}", "not signed by this installation"
            )
            continue
        if head.size <= last:
            text = f"the head of size {head.size} after that of size {last}"
            yield _problem("head moved", f"heads file, line {number}", text)
        outside.setdefault(head.size, head)
        last = max(last, head.size)


def _inside(connection: sa.Connection) -> dict[int, TreeHead]:
    return {
        row.size: TreeHead(size=row.size, root=_text(row.root), signature=_text(row.signature))
        for row in connection.execute(HEADS)
    }


def _signed(
    inside: Mapping[int, TreeHead], outside: Mapping[int, TreeHead], signer: HeadSigner
) -> dict[int, TreeHead]:
    """Keep one sound head a size; the file's count before the database's."""
    only_inside = {
        size: head for size, head in inside.items() if size not in outside and signer.holds(head)
    }
    return only_inside | dict(outside)


def _entry_problems(
    connection: sa.Connection, signed: Mapping[int, TreeHead], tree: Frontier
) -> Iterator[AuditProblem]:
    """Walk the entries in order and grow `tree` by what is really there."""
    diverged = False
    for row in connection.execute(ENTRIES):
        place = f"entry {tree.size + 1}"
        if row.seq != tree.size + 1 and not diverged:
            yield _problem(
                "entry removed or renumbered", place, f"the next entry is numbered {row.seq}"
            )
        leaf = leaf_hash(row.entry or b"")
        if leaf != row.leaf:
            yield _problem("entry changed", place, "its bytes do not give its leaf hash")
        elif subject_of(row.entry or b"") != row.subject:
            yield _problem("entry changed", place, "its index column differs from its bytes")
        tree.append(leaf)
        head = signed.get(tree.size)
        if head is not None and head.root != tree.root().hex() and not diverged:
            diverged = True  # every later root differs too: the first one is the place
            yield _problem(
                "entry changed, moved, inserted or removed", place, "the root is not the signed one"
            )


def _inside_problems(
    inside: Mapping[int, TreeHead],
    outside: Mapping[int, TreeHead],
    tree: Frontier,
    signer: HeadSigner,
) -> Iterator[AuditProblem]:
    """Find heads in the database that are missing, forged, or of another history.

    The heads file tells the history.
    """
    yield from _removed(
        [size for size in range(1, tree.size + 1) if size not in inside], "not in the database"
    )
    for size, head in sorted(inside.items()):
        place = f"head of size {size}"
        if size > tree.size:
            yield _problem("head inserted", place, "in the database, beyond the entries")
        elif head != outside.get(size, head):
            yield _problem("head altered", place, "database and heads file differ")
        elif size not in outside and not signer.holds(head):
            yield _problem(
                "head altered", place, "in the database, not signed by this installation"
            )


def _outside_problems(
    connection: sa.Connection, outside: Mapping[int, TreeHead], tree: Frontier
) -> Iterator[AuditProblem]:
    """Find heads that the file should hold and does not, or that cover more than there is."""
    last = max(outside, default=0)
    if last > tree.size:
        text = f"the log has {tree.size} entries, a signed head covers {last}"
        yield _problem("tail cut or an older copy restored", f"entry {tree.size + 1}", text)
    row = connection.execute(FRONTIER).first()
    grown = (0, b"", 0) if row is None else (row.size, row.peaks, row.covered)
    if grown[:2] != (tree.size, b"".join(tree.peaks)):
        yield _problem("frontier altered", f"entry {tree.size}", "it does not fit the entries")
    seen = grown[2] if isinstance(grown[2], int) else 0
    sizes = range(1, min(tree.size, max(last, seen)) + 1)
    yield from _removed([size for size in sizes if size not in outside], "not in the heads file")


def _removed(sizes: Sequence[int], text: str) -> Iterator[AuditProblem]:
    """Report heads that are not there: one problem a run of sizes, at its first."""
    start = 0
    for at, size in enumerate(sizes):
        if at + 1 == len(sizes) or sizes[at + 1] != size + 1:
            more = f", nor any up to size {size}" if at > start else ""
            yield _problem("head removed", f"head of size {sizes[start]}", text + more)
            start = at + 1


def _database_problems(connection: sa.Connection, database: LogDatabase) -> Iterator[AuditProblem]:
    """Find pages, indexes and triggers that are not as medmm made them."""
    if gone := database.unprotected(connection):
        yield _problem(
            "trigger removed or altered", ", ".join(gone), "the log is no longer append-only"
        )
    for finding in database.integrity_findings(connection):
        yield _problem("database damaged", "database file", finding)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", errors="replace")


def _problem(kind: str, place: str, text: str) -> AuditProblem:
    return AuditProblem(kind=kind, place=place, text=text)
