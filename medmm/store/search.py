"""What cases are searched by: parts of names, patient IDs, numbers of orders, Study UIDs.

The terms are derived: the step that keeps an identity or an order writes them anew. Names are
folded; they stand in the same database as the identities, under the same guard. Numbers are found
whole, by a digest with the key of this installation.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

import sqlalchemy as sa

from medmm.audit.log_database import as_bytes
from medmm.domain.audit_event import AuditProblem
from medmm.domain.codec import from_json
from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.name_search import names_of, number, numbers_of, searched_parts
from medmm.store import tables

TERMS, LINES = tables.search_terms, tables.worklist
NAME, PATIENT, ORDER = "name", "patient id", "order number"
DOMAIN = b"medmm search v1\n"  # keeps these apart from all else that is made with the same key
LAST_LETTER = "\U0010ffff"  # no folded name holds it, and it sorts after all of them
Terms = set[tuple[str, str]]  # kind and term
T = TypeVar("T")


def write_identity(
    connection: sa.Connection, secret: bytes, patient_key: str, identity: PatientIdentity
) -> None:
    """Derive anew what a patient is found by."""
    _write(connection, patient_key, _of_identity(secret, identity))


def write_order(
    connection: sa.Connection, secret: bytes, study_uid: str, order: StudyOrder
) -> None:
    """Derive anew which numbers of its order a study is found by."""
    _write(connection, study_uid, _of_order(secret, order))


def fill(connection: sa.Connection, secret: bytes) -> None:
    """Derive the terms of what an earlier release kept."""
    for owner, terms in list(_derived(connection, secret)):
        _write(connection, owner, terms)


def found(secret: bytes, text: str) -> sa.ColumnElement[bool]:
    """Make the condition that a line of the worklist is what is searched for.

    Its Study UID, a number of its order or the patient ID is the text, or each part of the text
    begins a part of the patient's names.

    Raises: InputError if nothing is left of the text.
    """
    parts, digest = searched_parts(text), _digest(secret, text)
    by_name = [LINES.c.patient_key.in_(_beginning(part)) for part in parts]
    return sa.or_(
        LINES.c.study_uid == text.strip(),
        LINES.c.study_uid.in_(_owners(ORDER, TERMS.c.term == digest)),
        LINES.c.patient_key.in_(_owners(PATIENT, TERMS.c.term == digest)),
        sa.and_(*by_name) if by_name else sa.false(),
    )


def problems(
    connection: sa.Connection, secret: bytes | None, altered: Collection[str]
) -> Iterator[AuditProblem]:
    """Find every owner whose terms are not those of its identity or its order.

    Args:
        altered: the owners whose own rows are altered, of which that alone is told.
    """
    if secret is None or not sa.inspect(connection).has_table(TERMS.name):
        return
    kept: dict[str, Terms] = {}
    for row in connection.execute(sa.select(TERMS).execution_options(yield_per=1000)):
        kept.setdefault(str(row.owner), set()).add((str(row.kind), str(row.term)))
    for owner, terms in _derived(connection, secret):
        if kept.pop(owner, set()) != terms and owner not in altered:
            yield _problem("altered", owner, "its identity or order gives others")
    for owner in kept.keys() - set(altered):
        yield _problem("not in the log", owner, "nothing is kept of it")


def _problem(kind: str, owner: str, text: str) -> AuditProblem:
    return AuditProblem(kind=kind, place=f"search terms of {owner}", text=text)


def _derived(connection: sa.Connection, secret: bytes) -> Iterator[tuple[str, Terms]]:
    """Derive the terms of every identity and order; what can't be read is found by nothing."""
    identities, orders = tables.identities.c, tables.orders.c
    for owner, body in connection.execute(
        sa.select(identities.patient_key, as_bytes(identities.body))
    ):
        if (identity := _noun(PatientIdentity, body)) is not None:
            yield owner, _of_identity(secret, identity)
    for owner, body in connection.execute(sa.select(orders.study_uid, as_bytes(orders.body))):
        if (order := _noun(StudyOrder, body)) is not None:
            yield owner, _of_order(secret, order)


def _of_identity(secret: bytes, identity: PatientIdentity) -> Terms:
    ids = {(PATIENT, _digest(secret, one)) for one in numbers_of(identity)}
    return ids | {(NAME, part) for part in names_of(identity)}


def _of_order(secret: bytes, order: StudyOrder) -> Terms:
    requested = order.request.identifiers if order.request else ()
    numbers = (order.accession, order.placer_order, order.filler_order)
    every = [*filter(None, numbers), *(one.value for one in requested)]
    return {(ORDER, _digest(secret, one)) for one in every if number(one)}


def _write(connection: sa.Connection, owner: str, terms: Iterable[tuple[str, str]]) -> None:
    connection.execute(TERMS.delete().where(TERMS.c.owner == owner))
    rows = [{"owner": owner, "kind": kind, "term": term} for kind, term in sorted(terms)]
    if rows:
        connection.execute(TERMS.insert(), rows)


def _beginning(part: str) -> sa.Select[tuple[str]]:
    return _owners(NAME, TERMS.c.term >= part, TERMS.c.term < part + LAST_LETTER)


def _owners(kind: str, *conditions: sa.ColumnElement[bool]) -> sa.Select[tuple[str]]:
    return sa.select(TERMS.c.owner).where(TERMS.c.kind == kind, *conditions)


def _digest(secret: bytes, text: str) -> str:
    return hmac.new(
        secret, DOMAIN + number(text).encode(errors="surrogatepass"), hashlib.sha256
    ).hexdigest()


def _noun(kind: type[T], body: bytes) -> T | None:
    try:
        return from_json(kind, json.loads(body))
    except (InputError, ValueError, RecursionError):  # the check of the rows names it
        return None
