"""A signed report as a FHIR R4 transaction Bundle.

Built with the R4B classes of fhir.resources, of which only elements are used that R4 (4.0.1) has as
well. Every fullUrl and identifier comes from the id of the report's first version, so that
publishing twice gives the same bytes, and a later version finds what an earlier one made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from medmm.delivery.fhir.communications import communications
from medmm.delivery.fhir.conclusion import conclusion
from medmm.delivery.fhir.elements import (
    TERMINOLOGY,
    URI,
    Json,
    concept,
    date_time,
    own_identifier,
    ref,
    search,
    url,
)
from medmm.delivery.fhir.joins import Joins, identifier
from medmm.delivery.fhir.presented_forms import presented_forms
from medmm.delivery.fhir.readers import (
    interpreters,
    practitioner,
    provenance,
    reader_ref,
    readers_of,
    signer_ref,
)
from medmm.delivery.fhir.transparency import (
    labelled_observation,
    network_devices,
    network_provenance,
)
from medmm.delivery.fhir.versions import (
    no_longer_stated,
    observation_status,
    report_status,
    retracted,
    version_identifier,
)
from medmm.delivery.observed import SaidOfFinding, measured, observations, said_of_finding
from medmm.delivery.text import printable
from medmm.domain.draft import MeasurementEvidence, Section
from medmm.domain.errors import needed
from medmm.domain.identity import PatientIdentity
from medmm.domain.images import ImageReference
from medmm.domain.plain_text import clean
from medmm.domain.reading import Side
from medmm.domain.record import Coding
from medmm.domain.report import SignedReport, SignedStatement
from medmm.domain.version import __version__
from medmm.domain.vocabulary import SNOMED_CT, finding_term, measurement_terms
from medmm.presentation.report_versions import Lineage
from medmm.presentation.value_words import unit_words

UPDATED = ("Observation", "DiagnosticReport")  # what a later version of a report changes
DICOM_UID = "urn:dicom:uid"
UCUM = "http://unitsofmeasure.org"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
# FHIR R4 example
IMAGING_STUDY = Coding(
    system="http://loinc.org", code="18748-4", display="Diagnostic imaging study"
)
# HL7 table 0074, as R4 has it; the other two as HL7 Europe Imaging (R4) wants them
CATEGORIES = (
    Coding(system=f"{TERMINOLOGY}/v2-0074", code="RAD", display="Radiology"),
    Coding(system="http://loinc.org", code="85430-7", display="Diagnostic imaging report"),
    Coding(
        system="http://hl7.eu/fhir/health-data-api/CodeSystem/eehrxf-document-priority-category-cs",
        code="Medical-Imaging",
    ),
)
# DICOM PS3.16 CID 240 (Present-Absent) and CID 244 (Laterality)
PRESENT = Coding(system=SNOMED_CT, code="52101004", display="Present")
ABSENT = Coding(system=SNOMED_CT, code="272519000", display="Absent")
# HL7 v3 ObservationInterpretation (FHIR R4 value set observation-interpretation): outside a limit
# that asks for action.
CRITICAL = Coding(
    system=f"{TERMINOLOGY}/v3-ObservationInterpretation", code="AA", display="Critical abnormal"
)
SIDES = {
    Side.LEFT: Coding(system=SNOMED_CT, code="7771000", display="Left"),
    Side.RIGHT: Coding(system=SNOMED_CT, code="24028007", display="Right"),
    Side.BILATERAL: Coding(system=SNOMED_CT, code="51440002", display="Right and left"),
}


def report_bundle(
    report: SignedReport,
    identity: PatientIdentity | None,
    joins: Joins | None = None,
    versions: Sequence[SignedReport] = (),
) -> Json:
    """Build the transaction Bundle: patient, readers, study, observations, report.

    With them go its provenance, and who was told of critical findings. Sent again it creates no
    second patient, study or report: each is a conditional create. A later version of a report
    updates report and observations, and says of those that it makes no more that they were entered
    in error.

    Args:
        report: the version that counts.
        joins: what finds the hospital's patient and order on the server, and names the procedure;
            without it neither is.
        versions: all of the report, oldest first.
    """
    from fhir.resources.R4B.bundle import Bundle

    joins, line = joins or Joins(), Lineage.of(report, versions)
    observed = observations(report)
    before = [s for version in line.versions[:-1] for s in observations(version)]
    entries = [
        _entry(
            report,
            "Patient",
            "patient",
            _patient(report, identity, joins),
            _patient_search(identity, joins),
        ),
        *(
            _entry(report, "Practitioner", name, practitioner(reader))
            for name, reader in readers_of(line).items()
        ),
        _entry(report, "Device", "software", _device(report)),
        *(
            _entry(report, "Device", name, device, search(DICOM_UID, uid))
            for name, device, uid in network_devices(report)
        ),
        _entry(
            report,
            "ImagingStudy",
            "study",
            _imaging_study(report, joins),
            search(DICOM_UID, f"urn:oid:{report.study.uid}"),
        ),
        *(_entry(report, "Observation", s.id, _observation(line, s)) for s in observed),
        *(
            _entry(
                report,
                "Observation",
                s.id,
                retracted(_observation(line, s), signer_ref(line), report),
            )
            for s in no_longer_stated(observed, before)
        ),
        _entry(
            report,
            "DiagnosticReport",
            "report",
            _diagnostic_report(line, identity, observed, joins),
        ),
        *(
            _entry(report, "Communication", name, resource)
            for name, resource in communications(line, observed)
        ),
        _entry(report, "Provenance", "provenance", provenance(line)),
    ]
    if asserted := network_provenance(line, observed):
        entries.append(_entry(report, "Provenance", "provenance of networks", asserted))
    bundle = Bundle(type="transaction", timestamp=report.signed_at.isoformat(), entry=entries)
    return json.loads(bundle.model_dump_json(exclude_none=True))


def _entry(
    report: SignedReport, kind: str, name: str, resource: Json, if_none_exist: str | None = None
) -> Json:
    """Make an entry that creates its resource only if a search finds none.

    The search is one of its own, else by an identifier that comes from the report's first id.

    What a later version says of report and observations is a conditional update by the same search.
    """
    request = {"method": "POST", "url": kind}
    if if_none_exist is None and kind != "Provenance":  # which has no identifier
        own = {"system": URI, "value": own_identifier(report, name)}
        resource = {**resource, "identifier": [*resource.get("identifier", []), own]}
        if_none_exist = search(URI, own["value"])
    if report.version > 1 and kind in UPDATED:
        request = {"method": "PUT", "url": f"{kind}?{if_none_exist}"}
    elif if_none_exist:
        request["ifNoneExist"] = if_none_exist
    return {
        "fullUrl": url(report, name),
        "resource": {"resourceType": kind, **resource},
        "request": request,
    }


def _patient(report: SignedReport, identity: PatientIdentity | None, joins: Joins) -> Json:
    if identity is None:
        return {"gender": "unknown"}
    patient: Json = {}
    if number := clean(identity.patient_id or ""):
        patient["identifier"] = [identifier(number, joins.patient_system(identity), None)]
    name: Json = {}
    if family := clean(identity.family_name or ""):
        name["family"] = family
    if given := clean(identity.given_name or "").split():
        name["given"] = given
    if name:
        patient["name"] = [name]
    if identity.birth_date:
        patient["birthDate"] = identity.birth_date.isoformat()
    patient["gender"] = {"M": "male", "F": "female", "O": "other", None: "unknown"}[identity.sex]
    return patient


def _patient_search(identity: PatientIdentity | None, joins: Joins) -> str | None:
    """Search by an identifier with a system alone: a bare number may be another hospital's."""
    system = joins.patient_system(identity)
    return search(system, clean(identity.patient_id or "")) if identity and system else None


def _device(report: SignedReport) -> Json:
    versions = [{"value": f"medmm {__version__}"}]
    versions += [{"value": f"{m.name} {m.manifest_sha256}"} for m in report.models]
    return {"deviceName": [{"name": "medmm", "type": "manufacturer-name"}], "version": versions}


def _imaging_study(report: SignedReport, joins: Joins) -> Json:
    study: Json = {
        "identifier": [
            {"system": DICOM_UID, "value": f"urn:oid:{report.study.uid}"},
            *joins.accession(),
        ],
        "status": "available",
        "subject": ref(report, "patient"),
        "modality": [{"system": DCM, "code": report.study.modality}],
        "numberOfSeries": len(report.study.series),
        "numberOfInstances": sum(len(s.sop_uids) for s in report.study.series),
        "series": [
            {
                "uid": series.uid,
                "modality": {"system": DCM, "code": series.modality},
                "numberOfInstances": len(series.sop_uids),
                **(
                    {"started": date_time(series.acquired, exact=series.exact)}
                    if series.acquired
                    else {}
                ),
                "instance": [
                    {
                        "uid": uid,
                        "sopClass": {"system": URI, "code": f"urn:oid:{series.sop_class_uid}"},
                    }
                    for uid in series.sop_uids
                ],
            }
            for series in report.study.series
        ],
    }
    dated = [series for series in report.study.series if series.acquired]
    first = min(dated, key=lambda series: series.acquired or datetime.max, default=report.study)
    if first.acquired:
        study["started"] = date_time(first.acquired, exact=first.exact)
    if joins.procedure is not None:
        study["procedureCode"] = [concept(joins.procedure)]
    return study | _ordered(joins)


def _ordered(joins: Joins) -> Json:
    based_on = joins.based_on()
    return {"basedOn": based_on} if based_on else {}


def _images_read(report: SignedReport) -> list[Json]:
    """List the images that were read: one by its SOP Instance UID, a stack by its series.

    R4 maps Media.identifier to the SOP Instance UID.
    """
    return [_image(image) for image in report.images_read]


def _image(image: ImageReference) -> Json:
    single = len(image.sop_uids) == 1
    uid = image.sop_uids[0] if single else image.series_uid
    reference = {
        "identifier": {"system": DICOM_UID, "value": f"urn:oid:{uid}"},
        "display": clean(image.what),
    }
    return {"type": "Media", **reference} if single else reference


def _observation(line: Lineage, statement: SignedStatement) -> Json:
    report = line.report
    observation: Json = {
        "status": observation_status(statement.id, line.versions),
        "category": [
            concept(
                Coding(
                    system=f"{TERMINOLOGY}/observation-category", code="imaging", display="Imaging"
                )
            )
        ],
        "subject": ref(report, "patient"),
        "performer": [reader_ref(line, (statement.author or report.signed_by).id)],
        "issued": report.signed_at.isoformat(),
        **labelled_observation(report, statement),
    }
    if statement.author is None:
        observation["device"] = ref(report, "software")  # what a reader added, no software saw
    if statement.critical:
        observation["interpretation"] = [concept(CRITICAL, text="critical")]
    if words := printable(statement.text):
        observation["note"] = [{"text": words}]
    if report.study.acquired:
        observation["effectiveDateTime"] = date_time(
            report.study.acquired, exact=report.study.exact
        )
    if report.images_read:
        observation["derivedFrom"] = [ref(report, "study"), *_images_read(report)]
    if statement.finding is None and statement.author is not None:
        value = {"valueString": words} if words else {}
        addendum = statement.section is Section.ADDENDUM
        what = "addendum" if addendum else "finding in the reader's own words"
        return observation | {"code": concept(text=what)} | value
    if statement.finding is None:
        of = needed(measured(statement), "the measurement of a statement", statement=statement.id)
        return observation | _measurement(of, statement.side)
    term = finding_term(statement.finding)
    observation["code"] = concept(*term.codings, text=term.words)
    observation["valueCodeableConcept"] = _verdict(statement)
    if statement.side is not None or statement.place:
        where = (
            f"{statement.side.value} side of the {term.body_part.lower()}" if statement.side else ""
        )
        sides = [SIDES[statement.side]] if statement.side else []
        observation["bodySite"] = concept(
            *sides, text=", ".join(filter(None, (where, printable(statement.place))))
        )
    return observation


def _measurement(measured: MeasurementEvidence, side: Side | None) -> Json:
    """Code a measured quantity's value and interval, and its structure and side if known."""
    term = measurement_terms().get(measured.name)
    found: Json = {
        "code": concept(
            *(term.codings if term else ()), text=term.words if term else measured.name
        ),
        "valueQuantity": _quantity(measured.value, measured.unit),
        "component": [
            {
                "code": concept(text=f"{end} limit of the 95 % interval"),
                "valueQuantity": _quantity(limit, measured.unit),
            }
            for end, limit in zip(("lower", "upper"), measured.interval, strict=True)
        ],
    }
    if term is not None and term.site is not None:
        words = (term.site.display or "").lower()
        found["bodySite"] = concept(term.site, text=f"{side.value} {words}" if side else words)
    return found


def _quantity(value: float, unit: str) -> Json:
    return {"value": value, "unit": unit_words(unit) or "1", "system": UCUM, "code": unit}


def _verdict(statement: SignedStatement) -> Json:
    """Say what is said of a finding; Present and Absent alone have a code."""
    said = said_of_finding(statement)
    coding = {SaidOfFinding.PRESENT: [PRESENT], SaidOfFinding.ABSENT: [ABSENT]}.get(said, [])
    return concept(*coding, text=said.value)


def _diagnostic_report(
    line: Lineage,
    identity: PatientIdentity | None,
    observed: list[SignedStatement],
    joins: Joins,
) -> Json:
    report = line.report
    body: Json = {
        "status": report_status(line.versions),
        "category": [concept(category) for category in CATEGORIES],
        "code": concept(joins.procedure or IMAGING_STUDY),
        "subject": ref(report, "patient"),
        "issued": report.signed_at.isoformat(),
        "performer": [signer_ref(line)],
        "resultsInterpreter": [reader_ref(line, reader.id) for reader in interpreters(report)],
        "imagingStudy": [ref(report, "study")],
        "presentedForm": presented_forms(report, identity, joins.restated_entry, line.versions),
    }
    body |= conclusion(line, observed)
    if accession := joins.accession():
        body["identifier"] = accession
    if report.replaces is not None:
        body["identifier"] = [*body.get("identifier", []), version_identifier(report)]
    if observed:
        body["result"] = [ref(report, s.id) for s in observed]
    if report.study.acquired:
        body["effectiveDateTime"] = date_time(report.study.acquired, exact=report.study.exact)
    return body | _ordered(joins)
