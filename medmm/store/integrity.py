"""Rows held against the log: the entry that kept a part of a case carries its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from medmm.audit.log_database import as_bytes, bytes_of
from medmm.domain.audit_event import AuditProblem
from medmm.domain.errors import IntegrityError
from medmm.domain.report import SIGNED_STATES, CaseState
from medmm.store import last_words, tables
from medmm.store.decoded import LAST
from medmm.store.last_words import PARTS, VERSIONS, LoggedPart, Word

PART_OF_VERSION = {kind: part for part, kind in VERSIONS.items()}

LATER = ("priority", "site", "communications", "preliminary")  # columns of 0010 and after
_CASE, _REPORT = tables.cases.c, tables.reports.c
CASES = sa.select(
    _CASE.id,
    _CASE.state,
    _CASE.report_id,
    as_bytes(_CASE.body).label("case"),
    *(as_bytes(tables.newest(t)).label(t.name) for t in (tables.readings, tables.drafts)),
    *bytes_of(*(_CASE[part] for part in ("decisions", *LATER))),
)
# Of an earlier release, where reading and draft lay in the case's own row.
EARLY_CASES = sa.select(
    _CASE.id,
    _CASE.state,
    _CASE.report_id,
    as_bytes(_CASE.body).label("case"),
    *(as_bytes(sa.literal_column(f'"{part}"')).label(part) for part in VERSIONS),
    *bytes_of(_CASE.decisions),
    *(sa.null().label(part) for part in LATER),
)
VERSIONED = {
    table.name: sa.select(
        *(column for column in table.c if column.name != "body"), *bytes_of(table.c.body)
    )
    for table in (tables.readings, tables.drafts)
}
REPORTS = sa.select(_REPORT.id, _REPORT.case_id, *bytes_of(_REPORT.body))
CASE = CASES.where(_CASE.id.in_(sa.bindparam("case_ids", expanding=True)))
REPORTS_OF_CASES = REPORTS.where(_REPORT.case_id.in_(sa.bindparam("case_ids", expanding=True)))


def digest(value: Any) -> str:
    """Digest a JSON value by SHA-256, in hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_of_draft(row: Mapping[str, Any], body_sha256: str) -> str:
    """Compute the digest of the row of a draft, its body by the digest of that."""
    names = ("case_id", "version", "reading", "parent", "author", "created_at")
    return digest({**{name: row[name] for name in names}, "body": body_sha256})


@dataclass(slots=True, kw_only=True)
class CaseMarks:
    """The log's word on one case: its parts, its state, and every report that was signed.

    For each part and the state that is the last word.
    """

    parts: dict[str, LoggedPart] = field(default_factory=dict)
    versions: dict[str, dict[str, LoggedPart]] = field(
        default_factory=lambda: {part: {} for part in VERSIONS}
    )
    reports: dict[str, LoggedPart] = field(default_factory=dict)
    line: LoggedPart | None = None  # of the worklist; None: entries of an earlier form
    state: tuple[int, str] | None = (
        None  # the last entry that moved it, and where to; None: entries of an earlier form
    )

    def add(self, word: Word) -> None:
        """Take in what an entry about the case says."""
        if word.kind in PARTS:
            self.parts[word.kind] = word.written
        elif word.kind in PART_OF_VERSION:
            version = word.owner.removeprefix(f"{word.about} ")
            self.versions[PART_OF_VERSION[word.kind]][version] = word.written
        elif word.kind == last_words.WORKLIST:
            self.line = word.written
        elif word.kind == last_words.STATE and word.value is not None:
            self.state = word.entry, word.value
        elif word.kind == last_words.REPORT:
            self.reports[word.owner] = word.written


def marks_of(words: Iterable[Word]) -> CaseMarks:
    """Gather what these words, all about one case, say of it."""
    mark = CaseMarks()
    for word in words:
        mark.add(word)
    return mark


def _said_of(connection: sa.Connection, case_id: str) -> CaseMarks:
    return marks_of(last_words.of_cases(connection, (case_id,)))


def refuse_altered_case(connection: sa.Connection, case_id: str) -> None:
    """Refuse a case of which a part is not what the log says.

    Raises: IntegrityError naming the case, or its report, and the entry, if so.
    """
    checked_cases(connection, CASE, (case_id,))


def checked_cases(
    connection: sa.Connection, query: sa.Select[Any], case_ids: Sequence[str]
) -> dict[str, sa.Row[Any]]:
    """Read the rows of cases that are there, each held against the log.

    Args:
        query: of the cases whose ids are bound, with the columns of `CASES` at least.
    Raises: as `refuse_altered_case`.
    """
    of, marks = {"case_ids": case_ids}, dict.fromkeys(case_ids, CaseMarks())
    for case_id, words in last_words.by_case(last_words.of_cases(connection, case_ids)).items():
        marks[case_id] = marks_of(words)
    rows = {row.id: row for row in connection.execute(query, of)}
    for row in rows.values():
        refuse(_case_problems(row, marks[row.id]))
    for report in connection.execute(REPORTS_OF_CASES, of):
        refuse(_report_problems(report, marks[report.case_id]))
    return rows


def refuse_altered_drafts(connection: sa.Connection, case_id: str) -> None:
    """Refuse a case of which any version of the draft is not what the log says.

    Raises: IntegrityError naming case and entry.
    """
    refuse_altered_case(connection, case_id)
    of_case = VERSIONED["draft"].where(tables.drafts.c.case_id == case_id)
    rows = connection.execute(of_case).all()
    refuse(_version_problems("draft", case_id, rows, _said_of(connection, case_id)))


def checked_drafts(
    connection: sa.Connection, case_ids: Sequence[str]
) -> dict[str, list[sa.Row[Any]]]:
    """Read the rows of every version of the drafts of these cases, oldest first.

    Raises: IntegrityError if one is not what the log says, or is missing.
    """
    said = last_words.by_case(last_words.of_cases(connection, case_ids))
    rows: dict[str, list[sa.Row[Any]]] = {case_id: [] for case_id in case_ids}
    of_cases = VERSIONED["draft"].where(tables.drafts.c.case_id.in_(case_ids))
    for row in connection.execute(of_cases.order_by(tables.drafts.c.version)):
        rows[row.case_id].append(row)
    for case_id, kept in rows.items():
        mark = marks_of(said.get(case_id, ()))
        refuse(_version_problems("draft", case_id, kept, mark))
        newest, last = (kept[-1].body if kept else None), mark.parts.get("draft")
        refuse(_compared(f"draft of case {case_id}", digest_of_row(newest), last))
    return rows


def refuse_altered_report(connection: sa.Connection, report_id: str) -> None:
    """Refuse a report that is not what was signed.

    Raises: IntegrityError naming report and entry, if so.
    """
    for row in connection.execute(REPORTS.where(_REPORT.id == report_id)):
        refuse(_report_problems(row, _said_of(connection, row.case_id)))


def files_of_case(connection: sa.Connection, case_id: str) -> dict[str, str]:
    """List the digests of the files of a case's images, each with who says it was kept.

    Raises: IntegrityError naming case and entry, if the case is not what the log says, or is
        missing.
    """
    row = checked_cases(connection, CASE, (case_id,)).get(case_id)
    if row is None:
        written = _said_of(connection, case_id).parts.get("case")
        refuse((_missing(f"case {case_id}", written or LoggedPart(entry=0, sha256=None)),))
        return {}
    return dict.fromkeys(image_files(json.loads(row.case)["study"]), f"case {case_id} names it")


def image_files(study: Mapping[str, Any]) -> tuple[str, ...]:
    """List the digests of the files of a study's volumes, from its JSON value."""
    volumes = study["volumes"]
    return tuple(
        dict.fromkeys(d for v in volumes for d in (v.get("file_sha256s") or [v["sha256"]]))
    )


def problems(connection: sa.Connection, said: Mapping[str, CaseMarks]) -> Iterator[AuditProblem]:
    """Find every case and report that is missing, not what the log says, or unknown to it."""
    cases, reports = set(), set()
    # Not so in a copy of an earlier release.
    in_versions = sa.inspect(connection).has_table("draft")
    query = CASES if in_versions else EARLY_CASES
    for row in connection.execute(query.execution_options(yield_per=100)):
        cases.add(row.id)
        yield from _case_problems(row, said.get(row.id, CaseMarks()))
    for row in connection.execute(REPORTS.execution_options(yield_per=100)):
        reports.add(row.id)
        yield from _report_problems(row, said.get(row.case_id, CaseMarks()))
    if in_versions:
        for part in VERSIONS:
            yield from _problems_of_versions(connection, part, cases, said)
    for case_id, mark in said.items():
        if "case" in mark.parts and case_id not in cases:
            yield _missing(f"case {case_id}", mark.parts["case"])
        for report_id, signed in mark.reports.items():
            if report_id not in reports:
                yield _missing(f"report {report_id}", signed)


def _case_problems(row: Any, said: CaseMarks) -> Iterator[AuditProblem]:
    for part in PARTS:
        written = said.parts.get(part)
        name = "" if part == "case" else f"{part} of "
        yield from _compared(f"{name}case {row.id}", digest_of_row(getattr(row, part)), written)
    last = max(said.reports.items(), key=lambda item: item[1].entry, default=None)
    if (last[0] if last else None) != row.report_id or not _state_as_said(row.state, said):
        entry = f"entry {last[1].entry} signed report {last[0]}" if last else "no entry signed it"
        moved = f", entry {said.state[0]} says that it is {said.state[1]}" if said.state else ""
        text = f"{entry}{moved}; the case is {row.state} with report {row.report_id}"
        yield AuditProblem(kind="state altered", place=f"case {row.id}", text=text)


def _problems_of_versions(
    connection: sa.Connection, part: str, cases: Iterable[str], said: Mapping[str, CaseMarks]
) -> Iterator[AuditProblem]:
    """Find what is wrong with any version of the reading or draft of any case.

    Of a missing case nothing but that is told.
    """
    rows: dict[str, list[Any]] = {case_id: [] for case_id in cases}
    for row in connection.execute(VERSIONED[part].order_by("case_id", "version")):
        rows.setdefault(row.case_id, []).append(row)
    for case_id, kept in rows.items():
        mark = said.get(case_id, CaseMarks())
        if case_id in cases or "case" not in mark.parts:
            yield from _version_problems(part, case_id, kept, mark)


def _version_problems(
    part: str, case_id: str, rows: Iterable[Any], said: CaseMarks
) -> Iterator[AuditProblem]:
    """Find every version that is not what the log says.

    Of the newest one the case itself tells, but for what is beside its body.
    """
    logged, last, seen = said.versions[part], said.parts.get(part), set()
    newest = max(logged, key=lambda version: logged[version].entry, default="")
    for row in rows:
        place, version = f"{part} {row.version} of case {case_id}", str(row.version)
        seen.add(version)
        written, body = logged.get(version), digest_of_row(row.body) or ""
        if written is None:
            yield AuditProblem(
                kind="not in the log", place=place, text="no entry says that it was kept"
            )
        elif version == newest and last is not None and last.sha256 not in (None, body):
            continue
        elif written.sha256 not in (None, body, _row_digest(part, row, body)):
            yield from _compared(place, None, written)
    for version, written in logged.items():
        if version not in seen | {newest}:
            yield _missing(f"{part} {version} of case {case_id}", written)


def _row_digest(part: str, row: Any, body: str) -> str:
    return body if part == "reading" else digest_of_draft(row._mapping, body)


def _state_as_said(state: str, said: CaseMarks) -> bool:
    """Tell whether a case stands where its last entry says, and has a report if it must."""
    if said.state is not None and state != said.state[1]:
        return False
    if (
        said.state is None and said.reports
    ):  # the release that named no state knew no other one of a report
        return state == CaseState.SIGNED.value
    return (state in {signed.value for signed in SIGNED_STATES}) == bool(said.reports)


def _report_problems(row: Any, said: CaseMarks) -> Iterator[AuditProblem]:
    yield from _compared(f"report {row.id}", digest_of_row(row.body), said.reports.get(row.id))


def _compared(place: str, found: str | None, written: LoggedPart | None) -> Iterator[AuditProblem]:
    if written is None and found is not None:
        yield AuditProblem(
            kind="not in the log", place=place, text="no entry says that it was kept"
        )
    elif written is not None and written.sha256 not in (None, found):
        yield AuditProblem(
            kind="altered", place=place, text=f"entry {written.entry} kept something else"
        )


def _missing(place: str, written: LoggedPart) -> AuditProblem:
    return AuditProblem(kind="missing", place=place, text=f"entry {written.entry} kept it")


def digest_of_row(body: bytes | None) -> str | None:
    """Compute the digest of a kept value; return None if nothing is kept.

    Of what is not JSON it is one that no value has.
    """
    return None if body is None else _digest_of_json(body)


@lru_cache(maxsize=LAST)  # a case is held against the log at every step of its reader
def _digest_of_json(body: bytes) -> str:
    try:
        return digest(json.loads(body))
    except (ValueError, RecursionError):
        return "no JSON"


def refuse(found: Iterable[AuditProblem]) -> None:
    """Refuse if there is a problem.

    Raises: IntegrityError naming the first of these problems, if there is one.
    """
    for problem in found:
        raise IntegrityError(
            f"{problem.place} is not what the audit log says: {problem.text}",
            remedy="stop; restore the data folder from a copy; `medmm audit verify` names all that "
            "differs",
            kind=problem.kind,
        )
