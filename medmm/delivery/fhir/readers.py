"""Who had a part in a signed report, and which.

Several may have read before one signs. R4 has `resultsInterpreter` for who answers for the
conclusions: who signed, and a resident who had decided on all of it before. Two who read the images
independently, so that a third could decide, answer for nothing that is said; they are informants of
the Provenance.

Source: FHIR R4 DiagnosticReport, Provenance, provenance-participant-type.
"""

from __future__ import annotations

from collections.abc import Iterator

from medmm.delivery.fhir.elements import TERMINOLOGY, Json, concept, ref
from medmm.delivery.fhir.versions import provenance_of_change
from medmm.domain.plain_text import clean
from medmm.domain.record import Coding
from medmm.domain.report import Reader, SignedReport
from medmm.presentation.report_versions import Lineage

PRELIMINARY, INDEPENDENT = "preliminary read", "independent read of a double reading"


def readers_of(line: Lineage) -> dict[str, Reader]:
    """List whom the Bundle names, each once, by the name of their entry: who signed first."""
    found: dict[str, Reader] = {}
    for reader in _named(line.report):
        found.setdefault(_name(line, reader.id), reader)
    return found


def _named(report: SignedReport) -> Iterator[Reader]:
    yield from interpreters(report)
    yield from (s.author for s in report.statements if s.author is not None)
    yield from (read.by for read in report.independent_reads)
    # Of who told somebody id and name are kept
    yield from (Reader(id=one.by, name=one.reader, role="") for one in report.communications)


def interpreters(report: SignedReport) -> tuple[Reader, ...]:
    """List who answers for the conclusions: who signed, and who had read it for the signature."""
    before = report.preliminary
    if before is None or before.by.id == report.signed_by.id:
        return (report.signed_by,)
    return report.signed_by, before.by


def reader_ref(line: Lineage, reader_id: str) -> Json:
    """Refer to a reader."""
    return ref(line.report, _name(line, reader_id))


def signer_ref(line: Lineage) -> Json:
    """Refer to who signed this version."""
    return reader_ref(line, line.report.signed_by.id)


def _name(line: Lineage, reader_id: str) -> str:
    """Name a reader's entry, the same in every version: "reader" is who signed the first."""
    first = line.versions[0].signed_by
    return "reader" if reader_id == first.id else f"reader {reader_id}"


def practitioner(reader: Reader) -> Json:
    """Make the Practitioner of a reader."""
    name = {"name": [{"text": clean(reader.name)}]} if reader.name.strip() else {}
    return {"identifier": [{"value": reader.id}], **name}


def provenance(line: Lineage) -> Json:
    """Say who did what for this version: wrote, read before, read independently, signed."""
    report = line.report
    authors = {s.author.id: s.author for s in report.statements if s.author is not None}
    return {
        "target": [ref(report, "report")],
        "recorded": report.signed_at.isoformat(),
        "agent": [
            _agent("author", ref(report, "software")),
            *(_agent("author", reader_ref(line, author)) for author in authors),
            *(
                _agent("author", reader_ref(line, before.id), PRELIMINARY)
                for before in interpreters(report)[1:]
            ),
            *(
                _agent("informant", reader_ref(line, read.by.id), INDEPENDENT)
                for read in report.independent_reads
            ),
            _agent("verifier", signer_ref(line)),
        ],
        **provenance_of_change(report),
    }


def _agent(kind: str, who: Json, role: str = "") -> Json:
    coding = Coding(system=f"{TERMINOLOGY}/provenance-participant-type", code=kind)
    said = {"role": [concept(text=role)]} if role else {}
    return {"type": concept(coding), **said, "who": who}
