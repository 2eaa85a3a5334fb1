"""Who the patients are, the studies and the stored files, held against the log.

The entry that kept them names their digests.

Names and numbers of patients are compared by keyed digests (`medmm.audit.identity_digest`). Entries
of before these digests say nothing of them: what they kept is neither sound nor altered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from medmm.audit.identity_digest import identity_hmac
from medmm.audit.log_database import as_bytes, bytes_of
from medmm.domain.audit_event import AuditProblem
from medmm.store import integrity, last_words, tables
from medmm.store.last_words import (
    IDENTITY,
    KEYED,
    KINDS,
    ORDER,
    RECORD,
    REVIEWED,
    STUDY,
    LoggedPart,
    RowKind,
    Words,
)
from medmm.store.object_store import ObjectStore, is_digest

Digest = Callable[[str, bytes], str]  # whose row, its body
# Of what a done entry of this release names at least one; an entry without is of an earlier form.
NAMED = {
    "admit": {"identity_hmac", "study_sha256", "context_sha256", "objects"},
    "open_case": {"case_sha256", "study_sha256"},
    "sign": {"identity_hmac"},
}


def _body_of(kind: RowKind) -> sa.Select[Any]:
    table = tables.metadata.tables[kind.table]
    owner = table.c[kind.column]
    return sa.select(owner, as_bytes(table.c.body)).where(
        owner.in_(sa.bindparam("owners", expanding=True))
    )


BODIES = {kind: _body_of(kind) for kind in KINDS}
GONE = "none"  # the digest of a row that was taken away


@dataclass(slots=True, kw_only=True)
class LoggedRows:
    """The rows that entries name beside their last words.

    That is, by digest, the first entry that kept a file, and the entries that cover nothing.
    """

    objects: dict[str, int] = field(default_factory=dict)
    early: set[str] = field(default_factory=set)  # subjects of entries of an earlier form
    last_early: int = 0
    first_covering: int | None = None
    size: int = 0

    def add(self, entry: int, event: Mapping[str, Any]) -> None:
        """Take in the next entry of the log.

        Of one that was not done, or can't be read, only its number counts.
        """
        self.size = entry
        details = event.get("details")
        if event.get("outcome") != "done" or not isinstance(details, dict) or "verb" not in event:
            return
        for sha256 in str(details.get("objects", "")).split():
            self.objects.setdefault(sha256, entry)
        if IDENTITY.detail in details and self.first_covering is None:
            self.first_covering = entry
        named = NAMED.get(str(event["verb"]))
        if named is not None and named.isdisjoint(details):
            self.early.add(str(event.get("subject")))
            self.last_early = entry

    @property
    def not_covered_before(self) -> int | None:
        """The first entry from which on every one covers what it keeps.

        None if no entry is of an earlier form.
        """
        if not self.last_early:
            return None
        return max(self.first_covering or self.size + 1, self.last_early + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCoverage:
    """The findings of a check of the rows, and the stored files still to be looked at.

    By the digest of each file it holds who names it.
    """

    problems: tuple[AuditProblem, ...]
    not_covered_before: int | None
    identities_not_covered: tuple[str, ...]
    studies_not_covered: tuple[str, ...]
    objects: dict[str, str]


def digests(secret: bytes | None) -> dict[RowKind, Digest]:
    """Say how the digest of each kind of row is made.

    Without the installation's key no identity has one.
    """

    def keyed(owner: str, body: bytes) -> str:
        value = _value(body)
        return (
            "no key"
            if secret is None
            else identity_hmac(secret, owner, value[0])
            if value
            else "no JSON"
        )

    def plain(owner: str, body: bytes) -> str:
        return integrity.digest_of_row(body) or "no JSON"

    return {kind: keyed if kind in KEYED else plain for kind in KINDS}


def check(
    connection: sa.Connection, secret: bytes | None, words: Words, said: LoggedRows
) -> LogCoverage:
    """Compare every row with the last entry that kept it.

    Args:
        words: the last words of the whole log.
        said: what else its entries say.
    """
    made, present = digests(secret), _tables(connection)
    last = {key: word.written for key, word in words.items()}
    problems: list[AuditProblem] = []
    bare: dict[RowKind, list[str]] = {kind: [] for kind in KINDS}
    any_row = False
    for kind in (kind for kind in KINDS if kind.table in present):
        seen: set[str] = set()
        for owner, body in _rows(connection, kind):
            seen.add(owner)
            written = last.get((kind.table, owner))
            if written is not None:
                problems += _compared(kind, owner, made[kind](owner, body), written)
            elif _may_be_early(connection, kind, owner, said):
                bare[kind].append(owner)
            else:
                text = "no entry says that it was kept"
                problems.append(
                    AuditProblem(kind="not in the log", place=_place(kind, owner), text=text)
                )
        any_row = any_row or bool(seen)
        for (table, owner), written in last.items():
            if table == kind.table and owner not in seen and written.sha256 != GONE:
                text = f"entry {written.entry} kept it"
                problems.append(AuditProblem(kind="missing", place=_place(kind, owner), text=text))
    return LogCoverage(
        problems=tuple(problems),
        not_covered_before=said.not_covered_before if any_row else None,
        identities_not_covered=tuple(bare[IDENTITY]),
        studies_not_covered=tuple(bare[STUDY]),
        objects={**_of_early_studies(connection, bare[STUDY], said), **_named(said)},
    )


def identity_now(connection: sa.Connection, secret: bytes, patient_key: str) -> str | None:
    """Digest an identity that is kept, held against the log; None if none is.

    Raises: IntegrityError naming patient key and entry, if it is not what the last entry says, or
        is missing.
    """
    written = _last(connection, IDENTITY, patient_key)
    body = _body(connection, IDENTITY, patient_key)
    if body is None:
        integrity.refuse(_missing(IDENTITY, patient_key, written) if written else ())
        return None
    found = digests(secret)[IDENTITY](patient_key, body)
    integrity.refuse(_compared(IDENTITY, patient_key, found, written) if written else ())
    return found


def restated_entry(connection: sa.Connection, case_id: str, patient_key: str) -> int | None:
    """Find the entry that stated an identity otherwise than when the report was signed.

    None if none did.
    """
    signed = last_words.of(connection, f"{last_words.OF_CASE} {case_id}", patient_key)
    now = _last(connection, IDENTITY, patient_key)
    return now.entry if signed and now and now.sha256 != signed.value else None


def refuse_altered_study(connection: sa.Connection, uid: str) -> None:
    """Refuse a study if it or its record is not what the last entry says.

    Raises: IntegrityError naming study and entry, if so.
    """
    checked_studies(connection, (uid,))


def checked_studies(connection: sa.Connection, uids: Sequence[str]) -> dict[str, bytes]:
    """Read the bodies of studies; those that are not kept are left out.

    Raises: as `refuse_altered_study`.
    """
    words = last_words.of_all(connection, (STUDY.table, RECORD.table), uids)
    found = {kind: _bodies(connection, kind, uids) for kind in (STUDY, RECORD)}
    for uid in uids:
        for kind, bodies in found.items():
            word = words.get((kind.table, uid))
            _refuse_altered(kind, uid, bodies.get(uid), word.written if word else None, None)
    return found[STUDY]


def checked_rows(
    connection: sa.Connection, kind: RowKind, owners: Sequence[str]
) -> dict[str, bytes]:
    """Read the bodies of rows of a kind that needs no key, each of which must be there.

    Raises: IntegrityError naming row and entry, if one is missing, not what the last entry says, or
        unknown to the log.
    """
    words = last_words.of_all(connection, (kind.table,), owners)
    bodies = _bodies(connection, kind, owners)
    return {owner: _sound(kind, owner, bodies, words) for owner in owners}


def checked_known(
    connection: sa.Connection, kind: RowKind, owners: Sequence[str]
) -> dict[str, bytes]:
    """Read the bodies of those of these rows that the log names, or that lie there.

    Raises: as `checked_rows`.
    """
    words = last_words.of_all(connection, (kind.table,), owners)
    lying = _bodies(connection, kind, owners)
    known = [owner for owner in owners if owner in lying or (kind.table, owner) in words]
    return {owner: _sound(kind, owner, lying, words) for owner in known}


def checked_kind(connection: sa.Connection, kind: RowKind) -> dict[str, bytes]:
    """Read the bodies of all rows of a kind: of those that the log names, and that lie there.

    Raises: as `checked_rows`.
    """
    words = last_words.of_kind(connection, kind.table)
    table = tables.metadata.tables[kind.table]
    lying = connection.scalars(sa.select(table.c[kind.column])).all()
    owners = tuple(dict.fromkeys((*(owner for _, owner in words), *lying)))
    bodies = _bodies(connection, kind, owners)
    return {owner: _sound(kind, owner, bodies, words) for owner in owners}


def _sound(kind: RowKind, owner: str, bodies: Mapping[str, bytes], words: Words) -> bytes:
    word, body = words.get((kind.table, owner)), bodies.get(owner)
    if word is None or body is None:
        text = "no entry says that it was kept" if word is None else f"entry {word.entry} kept it"
        how = "not in the log" if word is None else "missing"
        integrity.refuse((AuditProblem(kind=how, place=_place(kind, owner), text=text),))
    _refuse_altered(kind, owner, body, word.written if word else None, None)
    return body or b""


def checked_bodies(
    connection: sa.Connection, kind: RowKind, owners: Sequence[str], secret: bytes | None
) -> dict[str, bytes]:
    """Read the bodies of rows of one kind; those that are not kept are left out.

    Raises: IntegrityError naming row and entry, if one is missing or not what the last entry says.
    """
    words = last_words.of_all(connection, (kind.table,), owners)
    found = _bodies(connection, kind, owners)
    for owner in owners:
        word = words.get((kind.table, owner))
        _refuse_altered(kind, owner, found.get(owner), word.written if word else None, secret)
    return found


def checked_order(connection: sa.Connection, secret: bytes, uid: str) -> bytes | None:
    """Read the body of a study's order; None if it has none.

    Raises: IntegrityError naming study and entry, if it is missing or not what the last entry says.
    """
    body = _body(connection, ORDER, uid)
    _refuse_altered(ORDER, uid, body, _last(connection, ORDER, uid), secret)
    return body


def _refuse_altered(
    kind: RowKind, uid: str, body: bytes | None, written: LoggedPart | None, secret: bytes | None
) -> None:
    if written is None:
        return
    if body is not None:
        integrity.refuse(_compared(kind, uid, digests(secret)[kind](uid, body), written))
    elif written.sha256 != GONE:
        integrity.refuse(_missing(kind, uid, written))


def object_problems(objects: ObjectStore, named: Mapping[str, str]) -> Iterator[AuditProblem]:
    """Find every stored file whose bytes are not its digest's, and every named one missing.

    Args:
        named: by digest, who says that the file was kept.
    """
    for sha256, who in named.items():
        if problem := _object_problem(objects, sha256, who):
            yield problem
    for sha256 in objects.digests():
        if sha256 not in named and (
            problem := _object_problem(objects, sha256, "no entry names it")
        ):
            yield problem


def refuse_altered_objects(objects: ObjectStore, named: Mapping[str, str]) -> None:
    """Refuse stored files of which one is altered or missing.

    Raises: IntegrityError naming the first such file, and who says that it was kept.
    """
    for sha256, who in named.items():
        problem = _object_problem(objects, sha256, who)
        integrity.refuse((problem,) if problem else ())


def _object_problem(objects: ObjectStore, sha256: str, who: str) -> AuditProblem | None:
    fault = objects.fault(sha256)
    if fault is None:
        return None
    text = f"{fault.text}; {who}" if fault.text else who
    return AuditProblem(kind=fault.kind, place=f"object {sha256}", text=text)


def _last(connection: sa.Connection, kind: RowKind, owner: str) -> LoggedPart | None:
    """Find the last word on one row, whatever study or case its entry is about."""
    word = last_words.of(connection, kind.table, owner)
    return None if word is None else word.written


def _tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def _body(connection: sa.Connection, kind: RowKind, owner: str) -> bytes | None:
    """Read the bytes of a row's body; None if there is no such row."""
    return _bodies(connection, kind, (owner,)).get(owner)


def _bodies(connection: sa.Connection, kind: RowKind, owners: Sequence[str]) -> dict[str, bytes]:
    return dict(connection.execute(BODIES[kind], {"owners": owners}).all())


def _rows(connection: sa.Connection, kind: RowKind) -> Iterator[tuple[str, bytes]]:
    """Read owner and body of every row, whatever type a tampering hand gave them.

    They come as text and bytes.
    """
    table = tables.metadata.tables[kind.table]
    query = sa.select(as_bytes(table.c[kind.column]).label("owner"), *bytes_of(table.c.body))
    for row in connection.execute(query.execution_options(yield_per=100)):
        yield (row.owner or b"").decode("utf-8", errors="replace"), row.body or b""


def _may_be_early(connection: sa.Connection, kind: RowKind, owner: str, said: LoggedRows) -> bool:
    """Tell whether an entry of an earlier form may have kept a row.

    Such an entry names the study or the case, never the patient: of an identity it can't be told
    which one kept it.
    """
    if kind is IDENTITY:
        return bool(said.early)
    if kind is REVIEWED:  # no release kept one without naming it
        return False
    table = tables.cases
    cases = connection.scalars(sa.select(table.c.id).where(table.c.study_uid == owner))
    return owner in said.early or not said.early.isdisjoint(cases)


def _of_early_studies(
    connection: sa.Connection, uids: Iterable[str], said: LoggedRows
) -> dict[str, str]:
    """List the files that studies of earlier entries name; what can't be read names none."""
    named: dict[str, str] = {}
    for uid in (uid for uid in uids if uid in said.early):
        body = _body(connection, STUDY, uid)
        value = _value(body) if body is not None else None
        try:
            named |= dict.fromkeys(
                integrity.image_files(value[0]) if value else (),
                f"study {uid} of an earlier release names it",
            )
        except (KeyError, TypeError, AttributeError):
            continue
    return {sha256: who for sha256, who in named.items() if is_digest(sha256)}


def _named(said: LoggedRows) -> dict[str, str]:
    return {d: f"entry {entry} kept it" for d, entry in said.objects.items() if is_digest(d)}


def _value(body: bytes) -> tuple[Any] | None:
    """Parse a kept value, as a tuple of it alone; None if it is not JSON."""
    try:
        return (json.loads(body),)
    except (ValueError, RecursionError):
        return None


def _place(kind: RowKind, owner: str) -> str:
    return f"{kind.words} {owner}"


def _compared(kind: RowKind, owner: str, found: str, written: LoggedPart) -> Iterator[AuditProblem]:
    if found != written.sha256:
        text = f"entry {written.entry} kept something else"
        yield AuditProblem(kind="altered", place=_place(kind, owner), text=text)


def _missing(kind: RowKind, owner: str, written: LoggedPart) -> Iterator[AuditProblem]:
    yield AuditProblem(
        kind="missing", place=_place(kind, owner), text=f"entry {written.entry} kept it"
    )
