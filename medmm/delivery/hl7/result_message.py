"""A version of a signed report as one message, ORU^R01 of HL7 v2.5.1.

Each version has a message of its own, as it was when it counted: whoever was away gets them in
their order. A later one sends every observation again, and says of those that it makes no more that
they hold no more.

Source: HL7 v2.5.1 chapters 2 (MSH), 3 (PID), 4 (ORC, OBR) and 7 (OBX, ORU^R01); tables 0085, 0119,
0123, 0191, 0211.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Sequence

from medmm.connections.hl7_text import Field, Value, message, segment
from medmm.delivery.dicom.codes import local
from medmm.delivery.fhir.joins import Joins
from medmm.delivery.hl7.observations import ResultRow, result_rows, retracted_rows
from medmm.delivery.hl7.options import Hl7Options
from medmm.delivery.hl7.orders import order_numbers
from medmm.delivery.hl7.values import (
    SEXES,
    UNKNOWN_NAME,
    birth_date,
    coded,
    interpreter,
    observer,
    patient_id,
    patient_name,
    time_words,
)
from medmm.domain.identity import PatientIdentity
from medmm.domain.record import Coding
from medmm.domain.report import SignedReport
from medmm.presentation.report_versions import Lineage

VERSION = "2.5.1"
CHARACTER_SET = "UNICODE UTF-8"  # table 0211
TYPE = ("ORU", "R01", "ORU_R01")
SEPARATORS = "MSH|^~\\&"  # MSH-1 and MSH-2, which nothing escapes
RADIOLOGY = "RAD"  # table 0074
FINAL, CORRECTED, DETAIL = "F", "C", "O"  # tables 0085 and 0123; O: order detail
GENERAL_PROCEDURE = Coding(
    system="http://loinc.org", code="18748-4", display="Diagnostic imaging study"
)
PAGE = local("report-page", "Page of the report")
CONTROL_ID_LENGTH = 20


def result_message(
    report: SignedReport,
    identity: PatientIdentity | None,
    joins: Joins | None = None,
    versions: Sequence[SignedReport] = (),
    options: Hl7Options | None = None,
) -> bytes:
    """Write the message of a version of a report, in UTF-8, without the frame of MLLP.

    Args:
        joins: patient's and orders' systems, the order's numbers, the procedure.
        versions: all of the report, oldest first; what came after `report` changes nothing.

    Raises: InputError if a value is longer than its field may be.
    """
    joins, options = joins or Joins(), options or Hl7Options()
    known = [version for version in versions if version.version < report.version]
    line = Lineage.of(report, [*known, report])
    return message(
        [
            _header(report, options),
            _patient(identity, joins),
            *_order(report, joins),
            *_observations(line, identity, joins, options),
        ]
    )


def control_id(report: SignedReport) -> str:
    """Derive MSH-10 from the version of the report: sent again it is the same message."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"medmm/oru/{report.id}").hex[:CONTROL_ID_LENGTH].upper()


def _header(report: SignedReport, options: Hl7Options) -> str:
    fields: dict[int, Field] = {
        3: options.sending_application,
        4: options.sending_facility,
        5: options.receiving_application,
        6: options.receiving_facility,
        7: time_words(report.signed_at),
        9: TYPE,
        10: control_id(report),
        11: "P",  # production
        12: VERSION,
        18: CHARACTER_SET,
    }
    # MSH-1 is the separator itself
    written = segment("MSH", {1: "", 2: "", **fields})
    return SEPARATORS + written.removeprefix("MSH||")


def _patient(identity: PatientIdentity | None, joins: Joins) -> str:
    if identity is None:
        return segment("PID", {1: "1", 5: UNKNOWN_NAME, 8: SEXES[None]})
    return segment(
        "PID",
        {
            1: "1",
            3: patient_id(identity, joins),
            5: patient_name(identity),
            7: birth_date(identity),
            8: SEXES[identity.sex],
        },
    )


def _order(report: SignedReport, joins: Joins) -> tuple[str, str]:
    numbers = order_numbers(joins)
    procedure = joins.procedure or GENERAL_PROCEDURE
    acquired = report.study.acquired
    later = report.version > 1
    result: dict[int, Field] = {
        1: "1",
        2: numbers.placer,
        3: numbers.filler,
        4: (procedure.code, procedure.display or "", "LN"),
        7: time_words(acquired, exact=report.study.exact) if acquired else "",
        18: numbers.accession,
        22: time_words(report.signed_at),
        24: RADIOLOGY,
        25: CORRECTED if later else FINAL,
        32: interpreter(report.signed_by),
        33: _assistants(report),
    }
    common = {1: "RE", 2: numbers.placer, 3: numbers.filler}
    return segment("ORC", common), segment("OBR", result)


def _assistants(report: SignedReport) -> list[Value]:
    """List who had read it before, where another signs."""
    before = report.preliminary
    if before is None or before.by.id == report.signed_by.id:
        return [""]
    return [interpreter(before.by)]


def _observations(
    line: Lineage, identity: PatientIdentity | None, joins: Joins, options: Hl7Options
) -> Iterator[str]:
    rows = [*result_rows(line), *_page(line, identity, joins, options)]
    before = [
        row
        for place, version in enumerate(line.versions[:-1], start=1)
        for row in result_rows(Lineage.of(version, line.versions[:place]))
    ]
    status = CORRECTED if line.report.version > 1 else FINAL
    held = [(row, DETAIL if row.lasting else status) for row in rows]
    gone = [(row, options.retraction.value) for row in retracted_rows(rows, before)]
    for number, (row, said) in enumerate([*held, *gone], start=1):
        yield _observation(number, row, said)


def _observation(number: int, row: ResultRow, status: str) -> str:
    return segment(
        "OBX",
        {
            1: str(number),
            2: row.kind,
            3: coded(row.code),
            4: row.sub_id,
            5: row.value,
            6: row.unit,
            8: row.flag,
            11: status,
            14: row.time,
            16: observer(row.observer) if row.observer else "",
        },
    )


def _page(
    line: Lineage, identity: PatientIdentity | None, joins: Joins, options: Hl7Options
) -> Iterator[ResultRow]:
    if not options.pdf:
        return
    from medmm.delivery.pdf.page import report_pdf  # reportlab

    made = report_pdf(line.report, identity, joins.restated_entry, line.versions)
    value = ("", "application", "pdf", "Base64", base64.b64encode(made).decode("ascii"))
    yield ResultRow(kind="ED", code=PAGE, sub_id="page", value=value)
