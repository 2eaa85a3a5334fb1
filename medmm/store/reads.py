"""Reads of one noun inside a transaction, each held against the log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from medmm.audit.log_database import as_bytes
from medmm.domain.codec import from_json
from medmm.domain.draft import Case
from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.printed_report import Printed
from medmm.domain.record import ClinicalContext
from medmm.domain.report import CaseFile, SignedReport
from medmm.domain.study import NotEvaluable, Study
from medmm.store import (
    decoded,
    integrity,
    last_words,
    log_coverage,
    report_versions,
    tables,
    worklist,
)

T = TypeVar("T")


def noun(
    c: sa.Connection, kind: type[T], body: sa.Column[Any], column: sa.Column[Any], value: str
) -> T:
    """Read one noun by a column.

    Raises: InputError if there is none.
    """
    found = c.scalar(sa.select(as_bytes(body)).where(column == value))
    if found is None:
        raise missing(column.table.name, value)
    return cast(T, decoded.noun(cast(Any, kind), found))


def report(connection: sa.Connection, report_id: str) -> SignedReport:
    """Read a signed report.

    Raises: IntegrityError if it is not what was signed.
    """
    integrity.refuse_altered_report(connection, report_id)
    return noun(connection, SignedReport, tables.reports.c.body, tables.reports.c.id, report_id)


def study(connection: sa.Connection, uid: str) -> Study:
    """Read a study.

    Raises: IntegrityError if it is not what the log says.
    """
    bodies = log_coverage.checked_studies(connection, (uid,))
    if uid not in bodies:
        raise missing("study", uid)
    return cast(Study, decoded.noun(Study, bodies[uid]))


def identity(connection: sa.Connection, secret: bytes, patient_key: str) -> PatientIdentity:
    """Read who a patient key is.

    Raises: IntegrityError if the log says otherwise.
    """
    log_coverage.identity_now(connection, secret, patient_key)
    table = tables.identities
    return noun(connection, PatientIdentity, table.c.body, table.c.patient_key, patient_key)


def order(connection: sa.Connection, secret: bytes, study_uid: str) -> StudyOrder:
    """Read what joins a study to its order.

    Raises: IntegrityError as `study`.
    """
    body = log_coverage.checked_order(connection, secret, study_uid)
    return StudyOrder() if body is None else cast(StudyOrder, decoded.noun(StudyOrder, body))


def identities(
    connection: sa.Connection, secret: bytes, patient_keys: Sequence[str]
) -> dict[str, PatientIdentity]:
    """Read who several patient keys are; of whom nothing is kept is left out.

    Raises: as `identity`.
    """
    kind = last_words.IDENTITY
    bodies = log_coverage.checked_bodies(connection, kind, patient_keys, secret)
    return {key: decoded.noun(PatientIdentity, body) for key, body in bodies.items()}


def orders(
    connection: sa.Connection, secret: bytes, study_uids: Sequence[str]
) -> dict[str, StudyOrder]:
    """Read what joins several studies to their orders; those without are left out.

    Raises: as `order`.
    """
    bodies = log_coverage.checked_bodies(connection, last_words.ORDER, study_uids, secret)
    return {uid: decoded.noun(StudyOrder, body) for uid, body in bodies.items()}


def case_file(connection: sa.Connection, case_id: str) -> CaseFile:
    """Read everything of one case.

    Raises: IntegrityError if the log says otherwise.
    """
    found = case_files(connection, (case_id,))
    if case_id not in found:
        raise missing("case", case_id)
    return found[case_id]


def case_files(connection: sa.Connection, case_ids: Sequence[str]) -> dict[str, CaseFile]:
    """Read everything of these cases, in so many questions as of one; others are left out.

    Raises: as `case_file`.
    """
    rows = integrity.checked_cases(connection, worklist.READ, case_ids)
    signed = {case_id for case_id, row in rows.items() if row.report_id}
    versions = report_versions.of_cases(connection, signed)
    found = {}
    for case_id, row in rows.items():
        of_case = versions.get(case_id, ())
        newest = next((one for one in of_case if one.id == row.report_id), None)
        earlier = tuple(one for one in of_case if one is not newest)
        found[case_id] = replace(worklist.decoded_file(row, newest), earlier=earlier)
    return found


def cases_of_studies(
    connection: sa.Connection, study_uids: Collection[str]
) -> dict[str, list[CaseFile]]:
    """Read the cases of these studies, of each study the oldest first.

    Raises: as `case_file`.
    """
    table = tables.cases
    query = sa.select(table.c.id, table.c.study_uid).where(table.c.study_uid.in_(study_uids))
    rows = connection.execute(query.order_by(table.c.opened_at, table.c.id)).all()
    files = case_files(connection, [row.id for row in rows])
    found: dict[str, list[CaseFile]] = {}
    for row in rows:
        found.setdefault(row.study_uid, []).append(files[row.id])
    return found


def studies_of_patient(connection: sa.Connection, patient_key: str) -> tuple[Study, ...]:
    """Read the studies of a patient.

    Raises: IntegrityError as `study`.
    """
    bodies = log_coverage.checked_studies(connection, studies_of(connection, patient_key))
    return tuple(cast(Study, decoded.noun(Study, body)) for body in bodies.values())


def printed(
    connection: sa.Connection, secret: bytes, report_id: str
) -> tuple[Printed, dict[str, str]]:
    """Read a signed report with all that it is printed from, and its images' digests.

    Each digest comes with who names it.
    """
    signed = report(connection, report_id)
    last_words.refuse_put_back(connection, signed.case_id)
    named = integrity.files_of_case(connection, signed.case_id)
    case = noun(connection, Case, tables.cases.c.body, tables.cases.c.id, signed.case_id)
    found = Printed(
        report=signed,
        identity=identity(connection, secret, signed.patient_key),
        study=case.study,
        order=order(connection, secret, signed.study.uid),
        restated_entry=log_coverage.restated_entry(connection, signed.case_id, signed.patient_key),
        versions=report_versions.of_case(connection, signed.case_id),
    )
    return found, named


def files_of(connection: sa.Connection, study_uid: str) -> dict[str, str | None]:
    """Read the files that a study was made of: SOP Instance UID by digest."""
    table = tables.study_files
    query = sa.select(table.c.sha256, table.c.sop_uid).where(table.c.study_uid == study_uid)
    rows = connection.execute(query.order_by(table.c.sha256))
    return {row.sha256: row.sop_uid for row in rows}


def study_of(connection: sa.Connection, case_id: str) -> str:
    """Read the UID of the study of a case.

    Raises: InputError if there is no such case.
    """
    found = connection.scalar(select(tables.cases.c.study_uid, tables.cases.c.id, case_id))
    if found is None:
        raise missing("case", case_id)
    return str(found)


def site_of(connection: sa.Connection, case_id: str) -> str | None:
    """Read the site at which a case was opened; None if none was named then."""
    found = connection.scalar(select(tables.cases.c.site, tables.cases.c.id, case_id))
    return None if found is None else str(found)


def context(connection: sa.Connection, study_uid: str) -> ClinicalContext | None:
    """Read the record that was last joined to a study; None if none is."""
    table = tables.contexts
    body = connection.scalar(select(table.c.body, table.c.study_uid, study_uid))
    return None if body is None else from_json(ClinicalContext, body)


def studies_of(connection: sa.Connection, patient_key: str) -> tuple[str, ...]:
    """Read the UIDs of the studies of a patient."""
    table = tables.studies
    query = select(table.c.uid, table.c.patient_key, patient_key).order_by(table.c.uid)
    return tuple(connection.scalars(query))


def not_evaluable(connection: sa.Connection) -> tuple[NotEvaluable, ...]:
    """Read all refusals and holds, oldest first."""
    table = tables.not_evaluable
    bodies = connection.scalars(sa.select(table.c.body).order_by(table.c.id))
    return tuple(from_json(NotEvaluable, body) for body in bodies)


def released(connection: sa.Connection) -> dict[str, frozenset[str]]:
    """Read the codes of what persons let pass the gate, by the digest of the file."""
    codes: dict[str, frozenset[str]] = {}
    table = tables.releases
    for sha256, code in connection.execute(sa.select(table.c.sha256, table.c.reason_code)):
        codes[sha256] = codes.get(sha256, frozenset()) | {code}
    return codes


def select(body: sa.Column[Any], column: sa.Column[Any], value: str) -> sa.Select[Any]:
    """Build the query of a body by a column."""
    return sa.select(body).where(column == value)


def missing(kind: str, value: str) -> InputError:
    """Build the error of a noun that is not there."""
    return InputError(
        f"no such {kind} in the store", remedy="list the cases with `medmm cases`", **{kind: value}
    )
