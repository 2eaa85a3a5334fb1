"""The append-only log in the store's database: entries, frontier, a signed head a size."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import sqlalchemy as sa

from medmm.audit.entry import entry_bytes, event_of
from medmm.audit.head import HeadSigner, TreeHead
from medmm.audit.proof import (
    Frontier,
    consistency_proof,
    consistent,
    includes,
    inclusion_proof,
    leaf_hash,
)
from medmm.domain.audit_event import AuditEvent, AuditProof
from medmm.domain.errors import InputError, IntegrityError

metadata = sa.MetaData()
entries = sa.Table(
    "audit_entry",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    sa.Column("leaf", sa.LargeBinary, nullable=False),
)
heads = sa.Table(
    "audit_head",
    metadata,
    sa.Column("size", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("root", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
)
frontier = sa.Table(
    "audit_frontier",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("peaks", sa.LargeBinary, nullable=False),
    # What the heads file was seen to hold: tells a cut from a crash
    sa.Column("covered", sa.Integer, nullable=False),
)

# Made once: building a statement takes longer than running it
NEW_ENTRY, NEW_HEAD = entries.insert(), heads.insert()
GROWN = frontier.update().where(frontier.c.id == 1)
FRONTIER = sa.select(frontier.c.size, frontier.c.peaks, frontier.c.covered)
UNCOVERED = (
    sa.select(heads)
    .where(
        heads.c.size > sa.bindparam("covered_size"),
        heads.c.size > sa.func.coalesce(sa.select(frontier.c.covered).scalar_subquery(), 0),
    )
    .order_by(heads.c.size)
)
AFTER = (
    sa.select(entries.c.seq, entries.c.entry, entries.c.leaf)
    .where(entries.c.seq > sa.bindparam("number"))
    .order_by(entries.c.seq)
    .limit(1000)
)

# Tables whose rows are only ever added, each with its key; the database holds it by triggers.
APPEND_ONLY = (("audit_entry", "seq"), ("audit_head", "size"))


def append(connection: sa.Connection, event: AuditEvent, signer: HeadSigner, covered: int) -> int:
    """Append within the caller's write transaction, so that both commit or neither.

    Args:
        covered: the size that the heads file covers now; it only ever grows.
    Returns: the number of the entry.
    """
    tree, seen = _load_frontier(connection)
    entry = entry_bytes(event)
    leaf = leaf_hash(entry)
    tree.append(leaf)
    row = {"seq": tree.size, "subject": event.subject, "entry": entry, "leaf": leaf}
    connection.execute(NEW_ENTRY, row)
    head = signer.sign(tree.size, tree.root())
    connection.execute(
        NEW_HEAD, {"size": head.size, "root": head.root, "signature": head.signature}
    )
    values = {"size": tree.size, "peaks": b"".join(tree.peaks), "covered": max(seen, covered)}
    if tree.size == 1:
        connection.execute(frontier.insert(), {"id": 1, **values})
    else:
        connection.execute(GROWN, values)
    return tree.size


def _load_frontier(connection: sa.Connection) -> tuple[Frontier, int]:
    """Load what the next entry grows from, and the size that the heads file was seen to cover."""
    row = connection.execute(FRONTIER).first()
    if row is None:
        return Frontier(), 0
    peaks = [row.peaks[i : i + 32] for i in range(0, len(row.peaks), 32)]
    return Frontier(size=row.size, peaks=peaks), row.covered


def heads_after(connection: sa.Connection, size: int) -> list[TreeHead]:
    """List the signed heads still to be written to a heads file that covers `size`.

    Where the file once covered more, it was cut: the gap stays open, for verify to find.
    """
    rows = connection.execute(UNCOVERED, {"covered_size": size})
    return [TreeHead(size=r.size, root=r.root, signature=r.signature) for r in rows]


def is_signed_by_another(connection: sa.Connection, signer: HeadSigner) -> bool:
    """Whether there is a log of another installation.

    Neither its first nor its last head bears this one's signature then.
    """
    ends = sa.select(sa.func.min(heads.c.size)).union(sa.select(sa.func.max(heads.c.size)))
    rows = connection.execute(sa.select(heads).where(heads.c.size.in_(ends))).all()
    found = [TreeHead(size=r.size, root=r.root, signature=r.signature) for r in rows]
    return bool(found) and not any(signer.holds(head) for head in found)


def events(connection: sa.Connection, subjects: Collection[str] = ()) -> list[AuditEvent]:
    """List events of these subjects, or all, in the order of the log."""
    return [
        replace(event_of(entry), number=number) for number, entry in numbered(connection, subjects)
    ]


def events_after(connection: sa.Connection, number: int) -> Iterator[AuditEvent]:
    """Yield the events whose numbers come after this one, in the order of the log.

    Raises: IntegrityError if an entry is not what its hash says.
    """
    while rows := connection.execute(AFTER, {"number": number}).all():
        for row in rows:
            if leaf_hash(row.entry) != row.leaf:
                raise _unproved(row.seq)
            yield replace(event_of(row.entry), number=row.seq)
        number = rows[-1].seq


def proof_of(
    connection: sa.Connection, number: int, signer: HeadSigner, since: int | None = None
) -> AuditProof:
    """Prove that an entry stands in the log, and that the log only appended to a head.

    The head is that of size `since`.

    Raises: InputError if there is no such entry or head, IntegrityError if the log does not bear it
        out.
    """
    size = connection.scalar(sa.select(sa.func.max(heads.c.size))) or 0
    _refuse_outside(number, "entry", size)
    head, leaves = _sound_head(connection, size, signer), _leaves(connection, size)
    entry = connection.scalar(sa.select(entries.c.entry).where(entries.c.seq == number))
    path = inclusion_proof(leaves, number - 1)
    if not isinstance(entry, bytes) or not includes(
        leaf_hash(entry), number - 1, size, path, bytes.fromhex(head.root)
    ):
        raise _unproved(number)
    proof = AuditProof(
        number=number,
        entry=entry.decode(),
        path=tuple(one.hex() for one in path),
        size=size,
        root=head.root,
        signature=head.signature,
        public_key=signer.public_key(),
    )
    if since is None:
        return proof
    _refuse_outside(since, "tree head", size)
    old, shown = _sound_head(connection, since, signer), consistency_proof(leaves, since)
    if not consistent(since, size, shown, bytes.fromhex(old.root), bytes.fromhex(head.root)):
        raise _unproved(since)
    return replace(
        proof, since=since, since_root=old.root, since_path=tuple(one.hex() for one in shown)
    )


def _sound_head(connection: sa.Connection, size: int, signer: HeadSigner) -> TreeHead:
    """Return the head of a size, with this installation's signature.

    Raises: IntegrityError if there is none.
    """
    row = connection.execute(sa.select(heads).where(heads.c.size == size)).first()
    head = (
        None
        if row is None
        else TreeHead(size=row.size, root=str(row.root), signature=str(row.signature))
    )
    if head is None or not signer.holds(head):
        raise _unproved(size)
    return head


def _leaves(connection: sa.Connection, size: int) -> list[bytes]:
    """Read all leaf hashes.

    Raises: IntegrityError if the entries are not those from 1 to `size`.
    """
    rows = connection.execute(
        sa.select(entries.c.seq, entries.c.leaf).order_by(entries.c.seq)
    ).all()
    if [row.seq for row in rows] != list(range(1, size + 1)) or not all(
        isinstance(r.leaf, bytes) for r in rows
    ):
        raise _unproved(size)
    return [row.leaf for row in rows]


def _refuse_outside(number: int, what: str, size: int) -> None:
    if not 1 <= number <= size:
        raise InputError(f"the log has no {what} {number}", remedy=f"name one from 1 to {size}")


def _unproved(number: int) -> IntegrityError:
    return IntegrityError(
        "the log does not bear out its signed tree head",
        remedy="stop, keep the files as they are; `medmm audit verify` names the place",
        entry=str(number),
    )


def numbered(
    connection: sa.Connection, subjects: Collection[str] = ()
) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of the entries of these subjects, or of all, in log order."""
    query = sa.select(entries.c.seq, entries.c.entry).order_by(entries.c.seq)
    if subjects:
        query = query.where(entries.c.subject.in_(subjects))
    for row in connection.execute(query):
        yield row.seq, row.entry
