"""What a report says, as rows of a result: text, findings, measurements, networks.

A row is known to its receiver by code and sub-ID, so both stay the same from version to version:
sub-IDs are the ids of statements and the names of sections.

Source: HL7 v2.5.1 chapter 7 (OBX); tables 0078 (abnormal flags), 0125 (value types), 0085 (status);
LOINC 59776-5 and 19005-8 as IHE Interactive Multimedia Report names them, 11329-0 as the history of
HL7 Europe Imaging; IHE RAD TF-2 4.7 for the Study Instance UID.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from medmm.connections.hl7_text import LONGEST_LINE, Field, Value, escape, pieces
from medmm.delivery.dicom.codes import (
    INTERVAL,
    SIDES,
    finding_code,
    local,
    measurement_code,
    presence_code,
    unit_code,
)
from medmm.delivery.hl7.values import coded, time_words
from medmm.delivery.observed import SaidOfFinding, measured, observations, said_of_finding
from medmm.delivery.text import printable
from medmm.domain.draft import MeasurementEvidence, Section
from medmm.domain.report import Reader, SignedReport, SignedStatement
from medmm.domain.vocabulary import finding_term, measurement_terms
from medmm.presentation.report_versions import Lineage
from medmm.presentation.value_words import figures

STUDY_UID = Code("113014", "DCM", "DICOM Study")
SECTIONS = {
    Section.CLINICAL_INFORMATION: Code("11329-0", "LN", "History general Narrative - Reported"),
    Section.FINDINGS: Code("59776-5", "LN", "Procedure Findings"),
    Section.IMPRESSION: Code("19005-8", "LN", "Radiology Imaging study [Impression] (narrative)"),
}
CHANGE = local("report-change", "What became of the report")
COMMUNICATION = local("communication", "Communication of critical findings")
NOT_EVALUATED = local("not-evaluated", "Not evaluated by the models")
OWN_WORDS = codes.DCM.Finding
ADDENDUM = codes.DCM.Addendum
LATERALITY = codes.SCT.Laterality
NETWORK, NETWORK_VERSION = codes.DCM.AlgorithmName, codes.DCM.AlgorithmVersion
# A finding of the vocabulary whose presence is nothing abnormal
UNREMARKABLE = ("Support_Devices",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One observation (OBX) without its number and status.

    Attributes:
        kind: its value type, by table 0125.
        value: plain; an empty one is of a row that holds no more.
        lasting: whether it says which study it is, which no version changes.
    """

    kind: str
    code: Code
    sub_id: str
    value: Field
    unit: Value = ""
    flag: str = ""
    time: str = ""
    observer: Reader | None = None
    lasting: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """By what a receiver finds the row that it already has."""
        return self.code.scheme_designator, self.code.value, self.sub_id

    def emptied(self) -> ResultRow:
        """Leave code and sub-ID alone, so that no value can be read off it."""
        return replace(self, value="", unit="", flag="", time="", observer=None)


def result_rows(line: Lineage) -> Iterator[ResultRow]:
    """Yield all rows of a version, the study first and then as a person would read them."""
    report = line.report
    yield ResultRow(kind="ST", code=STUDY_UID, sub_id="", value=report.study.uid, lasting=True)
    yield from _text(CHANGE, "change", [printable(words) for words in line.notices()])
    if report.withdrawn:
        return
    for section, code in SECTIONS.items():
        said = [printable(s.text) for s in report.statements if s.section is section]
        yield from _text(code, section.value.replace(" ", "-"), [words for words in said if words])
    for statement in observations(report):
        yield from _observed(statement, report)
    yield from _text(COMMUNICATION, "communication", _told(report))
    yield from _text(NOT_EVALUATED, "not-evaluated", ["; ".join(report.not_evaluated)])
    for place, model in enumerate(report.models, start=1):
        for code, words in ((NETWORK, model.name), (NETWORK_VERSION, model.manifest_sha256)):
            yield ResultRow(kind="ST", code=code, sub_id=f"network-{place}", value=words)


def retracted_rows(now: Sequence[ResultRow], before: Sequence[ResultRow]) -> list[ResultRow]:
    """List the rows of earlier versions that a version makes no more, without value.

    Each comes once.
    """
    kept = {row.key for row in now}
    gone = {row.key: row for row in before if row.key not in kept}
    return [row.emptied() for row in gone.values()]


def _text(code: Code, sub_id: str, lines: Sequence[str]) -> Iterator[ResultRow]:
    texts = pieces([line for line in lines if line])
    for place, text in enumerate(texts, start=1):
        number = "" if place == 1 else f"-{place}"
        yield ResultRow(kind="FT", code=code, sub_id=f"{sub_id}{number}", value=text)


def _observed(statement: SignedStatement, report: SignedReport) -> Iterator[ResultRow]:
    """Yield the row of a statement, and beside it those that say more of the same thing."""
    quantity = measured(statement)
    if statement.finding is not None:
        row = _finding(statement, statement.finding)
    elif statement.author is None and quantity is not None:
        row = _measurement(statement, quantity)
    else:
        yield from _own_words(statement, report)
        return
    when = report.study.acquired
    time = time_words(when, exact=report.study.exact) if when else ""
    row = replace(row, time=time, observer=statement.author or report.signed_by)
    yield row
    if statement.finding is None and quantity is not None:
        _, low, high = _numbers(quantity)
        yield replace(row, kind="SN", code=INTERVAL, value=("", low, "-", high))
    if statement.side is not None:
        side = coded(SIDES[statement.side])
        yield replace(row, kind="CE", code=LATERALITY, value=side, unit="", flag="")


def _finding(statement: SignedStatement, finding: str) -> ResultRow:
    said = said_of_finding(statement)
    return ResultRow(
        kind="CE",
        code=finding_code(finding),
        sub_id=statement.id,
        value=coded(presence_code(said)),
        flag=_flag(statement, said),
    )


def _flag(statement: SignedStatement, said: SaidOfFinding) -> str:
    """Say how far a finding is from normal; nothing of what nobody looked for."""
    if statement.critical:
        return "AA"
    if said is SaidOfFinding.ABSENT:
        return "N"
    if said is SaidOfFinding.NOT_SUSPECTED or statement.finding in UNREMARKABLE:
        return ""
    return "A"


def _measurement(statement: SignedStatement, quantity: MeasurementEvidence) -> ResultRow:
    return ResultRow(
        kind="NM",
        code=measurement_code(quantity.name),
        sub_id=statement.id,
        value=_numbers(quantity)[0],
        unit=coded(unit_code(quantity.unit)),
        flag="AA" if statement.critical else "",
    )


def _numbers(quantity: MeasurementEvidence) -> tuple[str, ...]:
    """Print value and interval as the sentence that was signed does.

    NM has room for 16 characters.
    """
    term = measurement_terms().get(quantity.name)
    return figures((quantity.value, *quantity.interval), term.decimals if term else 2)


def _own_words(statement: SignedStatement, report: SignedReport) -> Iterator[ResultRow]:
    added = statement.section is Section.ADDENDUM
    when = statement.added_at if added else None
    for row in _text(ADDENDUM if added else OWN_WORDS, statement.id, [printable(statement.text)]):
        yield replace(
            row,
            kind="ST" if len(escape(str(row.value))) <= LONGEST_LINE else "FT",
            flag="AA" if statement.critical else "",
            time=time_words(when) if when else "",
            observer=statement.author or report.signed_by,
        )


def _told(report: SignedReport) -> list[str]:
    return [
        f"{', '.join(finding_term(name).words for name in told.findings)}: {told.reader} told "
        f"{printable(told.to)} ({told.how.value}, {'' if told.read_back else 'not '}read back), "
        f"{told.at.isoformat(timespec='seconds')}."
        for told in report.communications
    ]
