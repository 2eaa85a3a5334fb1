"""What networks asserted, and who attested it: labels, devices, provenance, confidence.

What a network said first carries the label AIAST, whether or not a reader changed its words; what a
reader added carries none. The label says nothing of review: the Provenance names who verified.

Source: HL7 AI Transparency on FHIR (hl7.fhir.uv.aitransparency, R4, STU 1 ballot), profiles
AI-Device and AI-Provenance, extension AIconfidence; v3-ObservationValue (AIAST), v3-ActCode
(PROCESSINLINELABEL); inline label of FHIR Data Segmentation for Privacy, as that guide uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medmm.delivery.dicom.uids import uid_of
from medmm.delivery.fhir.elements import TERMINOLOGY, Json, concept, ref
from medmm.delivery.fhir.readers import signer_ref
from medmm.delivery.observed import SaidOfFinding, said_of_finding
from medmm.domain.draft import ScoreEvidence
from medmm.domain.reading import ModelIdentity
from medmm.domain.record import Coding
from medmm.domain.report import SignedReport, SignedStatement
from medmm.presentation.report_versions import Lineage

GUIDE = "http://hl7.org/fhir/uv/aitransparency"
CONFIDENCE = f"{GUIDE}/StructureDefinition/AIconfidence"
INLINE_LABEL = (
    "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
)
ASSERTED = Coding(
    system=f"{TERMINOLOGY}/v3-ObservationValue",
    code="AIAST",
    display="Artificial Intelligence asserted",
)
LABELLED_INSIDE = Coding(
    system=f"{TERMINOLOGY}/v3-ActCode",
    code="PROCESSINLINELABEL",
    display="process inline security label",
)
NETWORK = Coding(
    system=f"{GUIDE}/CodeSystem/AIdeviceTypeCS",
    code="Artificial-Intelligence",
    display="All kinds of Artificial Intelligence",
)
DICOM_UID = "urn:dicom:uid"


def asserted(report: SignedReport, statement: SignedStatement) -> bool:
    """Tell whether a network said it first."""
    return bool(report.models) and statement.author is None


def labelled_observation(report: SignedReport, statement: SignedStatement) -> Json:
    """Give the elements that mark an Observation as asserted by a network; {} of any other."""
    if not asserted(report, statement):
        return {}
    marked: Json = {"meta": _security(ASSERTED)}
    if (confidence := _confidence(statement)) is not None:
        marked["extension"] = [{"url": CONFIDENCE, "valueDecimal": confidence}]
    return marked


def labelled_conclusion(report: SignedReport, stated: Sequence[SignedStatement]) -> Json:
    """Give the elements that mark a report whose conclusion holds what a network asserted.

    Args:
        stated: the statements of the conclusion.
    """
    if not any(asserted(report, statement) for statement in stated):
        return {}
    return {"meta": _security(LABELLED_INSIDE), "_conclusion": {"extension": [_inline()]}}


def labelled_code(report: SignedReport, statement: SignedStatement, code: Json) -> Json:
    """Mark a code of the conclusion, if a network asserted it."""
    return {"extension": [_inline()], **code} if asserted(report, statement) else code


def network_devices(report: SignedReport) -> Iterator[tuple[str, Json, str]]:
    """Yield a Device a network with the name of its entry and its identifier's value.

    The identifier is the Device UID of its DICOM objects, which changes with each training.
    """
    for model in dict.fromkeys(report.models):
        uid = f"urn:oid:{uid_of('model', model.name, model.manifest_sha256)}"
        device = {
            "identifier": [{"system": DICOM_UID, "value": uid}],
            "deviceName": [{"name": model.name, "type": "model-name"}],
            "version": [{"value": model.manifest_sha256}],
            "type": concept(NETWORK),
        }
        yield _entry_name(model), device, uid


def network_provenance(line: Lineage, observed: Sequence[SignedStatement]) -> Json | None:
    """Say which networks asserted what, and who attested it; None if no network did."""
    report = line.report
    said = [statement for statement in observed if asserted(report, statement)]
    if not said:
        return None
    role = [concept(NETWORK)]
    networks = [
        {**_agent("author"), "role": role, "who": ref(report, _entry_name(model))}
        for model in dict.fromkeys(report.models)
    ]
    return {
        "target": [ref(report, "report"), *(ref(report, statement.id) for statement in said)],
        "recorded": report.signed_at.isoformat(),
        "reason": [concept(ASSERTED)],
        "agent": [*networks, {**_agent("verifier"), "who": signer_ref(line)}],
    }


def _agent(kind: str) -> Json:
    system = f"{TERMINOLOGY}/provenance-participant-type"
    return {"type": concept(Coding(system=system, code=kind))}


def _entry_name(model: ModelIdentity) -> str:
    return f"network {model.name} {model.manifest_sha256}"


def _security(label: Coding) -> Json:
    return {"security": concept(label)["coding"]}


def _inline() -> Json:
    return {"url": INLINE_LABEL, "valueCoding": concept(ASSERTED)["coding"][0]}


def _confidence(statement: SignedStatement) -> float | None:
    """How likely what is recorded is right, by the calibrated score; None without one.

    What denies a finding is as likely as the finding is not.
    """
    scores = (e for e in statement.evidence if isinstance(e, ScoreEvidence))
    score = next((one for one in scores if one.finding == statement.finding), None)
    if score is None:
        return None
    claimed = said_of_finding(statement) in (SaidOfFinding.PRESENT, SaidOfFinding.POSSIBLE)
    return round(score.probability if claimed else 1 - score.probability, 4)
