"""Reads of one noun inside a transaction, each held against the log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa

from medmm.domain.codec import from_json
from medmm.domain.draft import Case
from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.printed_report import Printed
from medmm.domain.report import CaseFile, SignedReport
from medmm.domain.study import Study
from medmm.store import (
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
    """Read one noun by a column. Raises: InputError if there is none."""
    found = c.scalar(select(body, column, value))
    if found is None:
        raise missing(column.table.name, value)
    return from_json(kind, found)


def report(connection: sa.Connection, report_id: str) -> SignedReport:
    """Read a signed report. Raises: IntegrityError if it is not what was signed."""
    integrity.refuse_altered_report(connection, report_id)
    return noun(connection, SignedReport, tables.reports.c.body, tables.reports.c.id, report_id)


def study(connection: sa.Connection, uid: str) -> Study:
    """Read a study. Raises: IntegrityError if it is not what the log says."""
    log_coverage.refuse_altered_study(connection, uid)
    return noun(connection, Study, tables.studies.c.body, tables.studies.c.uid, uid)


def identity(connection: sa.Connection, secret: bytes, patient_key: str) -> PatientIdentity:
    """Read who a patient key is. Raises: IntegrityError if the log says otherwise."""
    log_coverage.identity_now(connection, secret, patient_key)
    table = tables.identities
    return noun(connection, PatientIdentity, table.c.body, table.c.patient_key, patient_key)


def order(connection: sa.Connection, secret: bytes, study_uid: str) -> StudyOrder:
    """Read what joins a study to its order. Raises: IntegrityError as `study`."""
    log_coverage.refuse_altered_order(connection, secret, study_uid)
    body = connection.scalar(select(tables.orders.c.body, tables.orders.c.study_uid, study_uid))
    return StudyOrder() if body is None else from_json(StudyOrder, body)


def case_file(connection: sa.Connection, case_id: str) -> CaseFile:
    """Read everything of one case. Raises: IntegrityError if the log says otherwise."""
    integrity.refuse_altered_case(connection, case_id)
    row = connection.execute(sa.select(*worklist.READ).where(tables.cases.c.id == case_id)).first()
    if row is None:
        raise missing("case", case_id)
    versions = report_versions.of_case(connection, case_id) if row.report_id else ()
    newest = next((one for one in versions if one.id == row.report_id), None)
    earlier = tuple(one for one in versions if one is not newest)
    return replace(worklist.decoded_file(row, newest), earlier=earlier)


def printed(
    connection: sa.Connection, secret: bytes, report_id: str
) -> tuple[Printed, dict[str, str]]:
    """A signed report with all that it is printed from; digests of its images, each with who names them."""
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


def select(body: sa.Column[Any], column: sa.Column[Any], value: str) -> sa.Select[Any]:
    """Build the query of a body by a column."""
    return sa.select(body).where(column == value)


def missing(kind: str, value: str) -> InputError:
    """Build the error of a noun that is not there."""
    return InputError(
        f"no such {kind} in the store", remedy="list the cases with `medmm cases`", **{kind: value}
    )
