"""The log's last word on everything that is kept, one short row each.

So opening a case need not read its whole history.

A row is derived: it says which entry spoke last of what, and the digest (or the state) that it
named. The step that appends an entry writes the rows anew; whoever reads one looks at that entry
too, and `problems` derives all of them again from the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from medmm.audit import log
from medmm.audit.log_database import bytes_of
from medmm.domain.audit_event import AuditEvent, AuditProblem
from medmm.domain.errors import IntegrityError
from medmm.store import tables

PARTS = (
    "case",
    "reading",
    "draft",
    "decisions",
    "priority",
    "site",
    "communications",
    "preliminary",
)
LINE = "worklist_sha256"  # the detail with the digest of the line of the worklist
# Entries of an earlier form name no digest: what they kept can't be compared.
WRITERS = {
    "open_case": ("case", "decisions"),
    "draft": ("reading", "draft", "decisions"),
    "decide": ("decisions",),
}
STATE, WORKLIST, REPORT, DRAFTED_FROM, OF_CASE = (
    "state",
    "worklist",
    "report",
    "drafted from",
    "identity as of",
)
# Parts that are kept in versions; an entry that names none speaks of the first, which is all that
# was kept then.
VERSIONS = {"reading": "reading version", "draft": "draft version"}
FIRST = "1"
# What only an entry about the case itself speaks of
OF_A_CASE = (*PARTS, *VERSIONS.values(), STATE, REPORT, WORKLIST)
WORDS = tables.last_words
RAW = sa.select(*bytes_of(*WORDS.c)).execution_options(yield_per=1000)
# Each row beside the entry that it names
SAID = sa.select(*WORDS.c, log.entries.c.entry.label("said")).select_from(
    WORDS.outerjoin(log.entries, log.entries.c.seq == WORDS.c.entry)
)
SAID_OF_CASES = SAID.where(WORDS.c.about.in_(sa.bindparam("case_ids", expanding=True)))
SAID_OF = SAID.where(
    WORDS.c.kind.in_(sa.bindparam("kinds", expanding=True)),
    WORDS.c.owner.in_(sa.bindparam("owners", expanding=True)),
)
SAID_OF_KIND = SAID.where(WORDS.c.kind.in_(sa.bindparam("kinds", expanding=True)))
REWRITE = WORDS.update().where(
    WORDS.c.kind == sa.bindparam("of_kind"), WORDS.c.owner == sa.bindparam("of_owner")
)
LAST = 1024  # entries: those of some cases


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPart:
    """The last entry that wrote a part, and the digest that it names.

    None marks an entry of an earlier form.
    """

    entry: int
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowKind:
    """One kind of row that the log covers: its table and the details of an entry that name it.

    One detail names the row, another has its digest.
    """

    table: str
    column: str
    words: str
    owner: str
    detail: str


IDENTITY = RowKind(
    table="identity",
    column="patient_key",
    words="identity of patient",
    owner="patient",
    detail="identity_hmac",
)
STUDY = RowKind(table="study", column="uid", words="study", owner="study", detail="study_sha256")
RECORD = RowKind(
    table="context",
    column="study_uid",
    words="record of study",
    owner="study",
    detail="context_sha256",
)
ORDER = RowKind(
    table="study_order",
    column="study_uid",
    words="order of study",
    owner="study",
    detail="order_hmac",
)
SHADOW = RowKind(
    table="shadow_reading",
    column="id",
    words="shadow reading",
    owner="shadow",
    detail="shadow_sha256",
)
STANDING = RowKind(
    table="model_standing",
    column="manifest_sha256",
    words="standing of model",
    owner="standing",
    detail="standing_sha256",
)
REVIEWED = RowKind(
    table="reviewed_case",
    column="case_id",
    words="review of case",
    owner="reviewed",
    detail="reviewed_sha256",
)
FIRST_READ = RowKind(
    table="first_read",
    column="id",
    words="first read",
    owner="first_read",
    detail="first_read_sha256",
)
DOUBLE_READING = RowKind(
    table="double_reading",
    column="case_id",
    words="double reading of case",
    owner="double_reading",
    detail="double_reading_sha256",
)
WAITING_ORDER = RowKind(
    table="waiting_order",
    column="key",
    words="waiting order",
    owner="waiting_order",
    detail="waiting_order_hmac",
)
KINDS = (
    IDENTITY,
    STUDY,
    RECORD,
    ORDER,
    SHADOW,
    STANDING,
    REVIEWED,
    FIRST_READ,
    DOUBLE_READING,
    WAITING_ORDER,
)
KEYED = (IDENTITY, ORDER, WAITING_ORDER)  # whose digests need the installation's key


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """The word of an entry on one thing.

    Attributes:
        kind, owner: of what: a part of a case, a report, an identity, a study.
        about: the subject of the entry.
        value: a digest or a state; None of an entry of an earlier form, which never takes the place
            of a digest.
    """

    kind: str
    owner: str
    about: str
    entry: int
    value: str | None

    @property
    def written(self) -> LoggedPart:
        """The entry and its digest."""
        return LoggedPart(entry=self.entry, sha256=self.value)


Words = dict[tuple[str, str], Word]  # by kind and owner


def words_of(
    entry: int, verb: str, outcome: str, about: str, details: Mapping[str, Any]
) -> list[Word]:
    """Parse what one entry says.

    One that was not done says nothing, nor does one whose digests are not text.
    """
    if outcome != "done":
        return []
    said: dict[tuple[str, str], Any] = {}
    named = [part for part in PARTS if f"{part}_sha256" in details]
    said |= {(part, about): details[f"{part}_sha256"] for part in named}
    said |= {(part, about): None for part in (() if named else WRITERS.get(verb, ()))}
    for part in VERSIONS.keys() & {part for part, _ in said}:
        version = details.get(f"{part}_version", FIRST)
        row = details.get(f"{part}_row_sha256", said[part, about])
        said[VERSIONS[part], f"{about} {version}"] = row
    if LINE in details:
        said[WORKLIST, about] = details[LINE]
    if "state" in details:
        said[STATE, about] = details["state"]
    if "report" in details and "sha256" in details:
        said[REPORT, details["report"]] = details["sha256"]
    if verb == "draft" and "unchanged" not in details:
        said[DRAFTED_FROM, about] = details.get("drafted_from")
    for kind in KINDS:
        if kind.detail in details and kind.owner in details:
            said[kind.table, details[kind.owner]] = details[kind.detail]
    if IDENTITY.detail in details and IDENTITY.owner in details:
        said[f"{OF_CASE} {about}", details[IDENTITY.owner]] = details[IDENTITY.detail]
    if not all(
        isinstance(text, str)
        for (kind, owner), value in said.items()
        for text in (owner, value or "")
    ):
        return []
    return [Word(kind=k, owner=o, about=about, entry=entry, value=v) for (k, o), v in said.items()]


def take(connection: sa.Connection, entry: int, event: AuditEvent) -> None:
    """Write the rows anew of what an entry says that this transaction appended."""
    words = words_of(entry, event.verb, event.outcome, event.subject, event.details)
    if not words:
        return
    key = (WORDS.c.kind, WORDS.c.owner)
    named = sa.select(*key).where(sa.tuple_(*key).in_([(w.kind, w.owner) for w in words]))
    there = {(row.kind, row.owner) for row in connection.execute(named)}
    rewritten, new = [], []
    for word in words:
        values = {"about": word.about, "entry": word.entry, "value": word.value}
        if (word.kind, word.owner) not in there:
            new.append({"kind": word.kind, "owner": word.owner, **values})
        elif not _early(word):
            rewritten.append({"of_kind": word.kind, "of_owner": word.owner, **values})
    if rewritten:
        connection.execute(REWRITE, rewritten)
    if new:
        connection.execute(WORDS.insert(), new)


def _early(word: Word) -> bool:
    """Tell whether a word is of an entry that names no digest, which takes the place of none."""
    return word.value is None and word.kind != DRAFTED_FROM


def said(connection: sa.Connection) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Read every entry of the log with its number, parsed once.

    One that can't be read says nothing: checking the log finds it.
    """
    for number, entry in log.numbered(connection):
        yield number, _event(entry)


def add(words: Words, entry: int, event: Mapping[str, Any]) -> None:
    """Take in what the next entry of the log says, in the order of the log."""
    _take_in(words, _words_of(entry, event))


def _take_in(words: Words, said: Iterable[Word]) -> None:
    for word in said:
        if not _early(word) or (word.kind, word.owner) not in words:
            words[word.kind, word.owner] = word


def collected(connection: sa.Connection) -> Words:
    """Derive the last words from the whole log."""
    found: Words = {}
    for number, event in said(connection):
        add(found, number, event)
    return found


def fill(connection: sa.Connection) -> None:
    """Derive the rows that a database of an earlier release lacks; others stay for the check."""
    there = {
        (row.kind, row.owner) for row in connection.execute(sa.select(WORDS.c.kind, WORDS.c.owner))
    }
    rows = [
        {"kind": w.kind, "owner": w.owner, "about": w.about, "entry": w.entry, "value": w.value}
        for key, w in collected(connection).items()
        if key not in there
    ]
    if rows:
        connection.execute(WORDS.insert(), rows)


def of_cases(connection: sa.Connection, case_ids: Sequence[str]) -> list[Word]:
    """Read the last words of the entries about these cases.

    Raises: IntegrityError if one is not what its entry says.
    """
    return _checked(connection, SAID_OF_CASES, case_ids=case_ids)


def refuse_put_back(connection: sa.Connection, case_id: str) -> None:
    """Refuse a case whose earlier state was put back.

    It reads every entry about the case, as what binds does; a look asks the rows alone.

    Raises: IntegrityError if an entry about a case is later than the rows of its last words.
    """
    last: Words = {}
    for number, entry in log.numbered(connection, (case_id,)):
        _take_in(last, _words_in(number, entry))
    rows = {(word.kind, word.owner): word for word in of_cases(connection, (case_id,))}
    for key, word in last.items():
        if word.kind in OF_A_CASE and rows.get(key) != word:
            raise IntegrityError(
                f"the row of the last digest of {_place(word)} is not what entry {word.entry} says",
                remedy="stop; restore the data folder from a copy; `medmm audit verify` names all "
                "that differs",
                kind="put back",
            )


def ever_said(connection: sa.Connection, about: str, detail: str, value: str) -> bool:
    """Tell whether an entry about something that was done ever named this value."""
    for _, entry in log.numbered(connection, (about,)):
        event = _event(entry)
        details = event.get("details")
        named = details.get(detail) if isinstance(details, dict) else None
        if event.get("outcome") == "done" and named == value:
            return True
    return False


def of(connection: sa.Connection, kind: str, owner: str) -> Word | None:
    """Read the last word on one thing; None if no entry speaks of it.

    Raises: IntegrityError as `of_cases`.
    """
    return of_all(connection, (kind,), (owner,)).get((kind, owner))


def of_all(connection: sa.Connection, kinds: Sequence[str], owners: Sequence[str]) -> Words:
    """Read the last words of these kinds on all these owners.

    Raises: IntegrityError as `of_cases`.
    """
    found = _checked(connection, SAID_OF, kinds=kinds, owners=owners)
    return {(word.kind, word.owner): word for word in found}


def of_kind(connection: sa.Connection, kind: str) -> Words:
    """Read the last words of one kind, whatever they are about.

    Raises: IntegrityError as `of_cases`.
    """
    found = _checked(connection, SAID_OF_KIND, kinds=(kind,))
    return {(word.kind, word.owner): word for word in found}


def _checked(connection: sa.Connection, query: sa.Select[Any], **of: Sequence[str]) -> list[Word]:
    found = []
    for *columns, entry in connection.execute(query, of):
        word = Word(**dict(zip(WORDS.c.keys(), columns, strict=True)))
        found.append(word)
        if entry is None or word not in _words_in(word.entry, entry):
            raise IntegrityError(
                f"the row of the last digest of {_place(word)} is not what entry {word.entry} says",
                remedy="stop; restore the data folder from a copy; `medmm audit verify` names all "
                "that differs",
                kind="altered",
            )
    return found


def problems(connection: sa.Connection, said: Words) -> Iterator[AuditProblem]:
    """Find every row that is missing, not the log's last word, or unknown to the log."""
    if not sa.inspect(connection).has_table(WORDS.name):  # a read-only copy of an earlier release
        return
    rows = {(_text(row.kind), _text(row.owner)): row for row in connection.execute(RAW)}
    for key, word in said.items():
        row = rows.pop(key, None)
        if row is None:
            yield _problem("missing", word, f"entry {word.entry} says it")
        elif (row.about, row.entry, row.value) != tuple(
            map(_bytes, (word.about, str(word.entry), word.value))
        ):
            yield _problem("altered", word, f"entry {word.entry} says something else")
    for kind, owner in rows:
        place = f"row of the last digest of {kind} {owner}"
        yield AuditProblem(kind="not in the log", place=place, text="no entry says it")


def _problem(kind: str, word: Word, text: str) -> AuditProblem:
    return AuditProblem(kind=kind, place=f"row of the last digest of {_place(word)}", text=text)


def _place(word: Word) -> str:
    return f"{word.kind} {word.owner}"


def _event(entry: bytes) -> Mapping[str, Any]:
    """Parse what an entry holds; {} if it can't be read."""
    try:
        event = json.loads(entry)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _words_of(number: int, event: Mapping[str, Any]) -> list[Word]:
    try:
        return words_of(number, event["verb"], event["outcome"], event["subject"], event["details"])
    except (KeyError, TypeError, AttributeError):
        return []


@lru_cache(maxsize=LAST)  # a step reads again all that the log says of its case
def _words_in(number: int, entry: bytes) -> tuple[Word, ...]:
    """Parse what these very bytes say."""
    return tuple(_words_of(number, _event(entry)))


def by_case(words: Iterable[Word]) -> dict[str, list[Word]]:
    """Group words by what their entries are about."""
    found: dict[str, list[Word]] = {}
    for word in words:
        found.setdefault(word.about, []).append(word)
    return found


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", errors="replace")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
