"""docs/conformance.md, what goes out: the FHIR Bundle of a report, from the tables that the code itself uses."""

from __future__ import annotations

from medmm.delivery.fhir.communications import MEDIA
from medmm.delivery.fhir.readers import INDEPENDENT, PRELIMINARY
from medmm.delivery.fhir.versions import OPERATION, STATUS
from medmm.domain.critical_result import Route
from medmm.domain.procedures import procedures
from medmm.evaluation.cards.tables import table

SYSTEMS = [
    ["`identifiers.mrn`", "Patient: identifier, and search before it is created", "MR"],
    ["`identifiers.accession`", "ImagingStudy and DiagnosticReport: identifier", "ACSN"],
    [
        "`identifiers.placer_order`, `identifiers.filler_order`",
        "basedOn: identifier of the request",
        "PLAC, FILL",
    ],
]
CODE_COLUMNS = ["modality", "body part", "views", "portable", "contrast", "LOINC", "name", "source"]


def fhir_out_md() -> str:
    """The section on reports."""
    rows = [
        [r.modality, r.body_part, r.views, r.portable, r.contrast, r.code, r.display, r.source]
        for r in procedures()
    ]
    return (
        "## FHIR R4: reports\n\nA signed report leaves as a transaction Bundle in which every resource with an identifier is a "
        "conditional create: sent again it makes no second patient, study or report. Its `fullUrl` is no identifier of anything: "
        "Medplum puts the place of a resource wherever its `fullUrl` stands, in identifiers too, and would find none of them again. "
        "What sends it to a server, and what each answer means, stands in [receivers](delivering-receivers.md#a-fhir-r4-server). "
        "Patient and order are found by identifiers "
        "under the systems of the settings ([configuration](configuration.md)):\n\n"
        + table(["setting", "where", "type (HL7 table 0203)"], SYSTEMS)
        + "\nThe patient is searched for by the patient ID under the issuer that the image names, where that is a URI; under "
        "`identifiers.mrn` where it names none, or one of `identifiers.mrn_issuers`. With another issuer the number may be another "
        "hospital's, and no search is made. Without a setting a number is sent without a system, and none is invented; "
        "`medmm publish` says so beside the Bundle, and `--format outcome` gives it as an OperationOutcome.\n\n"
        "`basedOn` names the ServiceRequest for which the record's own ImagingStudy of this Study Instance UID was made; else the one "
        "that bears the accession, placer or filler number of the images in `identifier` or `requisition` (a typed identifier is "
        "compared with its own number alone). Requests entered in error or of another patient don't count. Where none or several fit, "
        "or the images contradict each other, none is named, and that is said. Its `reference` is the id in the record, unless the "
        "record gives it a `urn:` address; its `identifier` is the request's own. A server that keeps references whole takes the "
        "Bundle only if it holds that request: publish to the server that the record came from.\n\n"
        "The code of the report, and of the study's procedure, follows from what the study holds. `other` are views that repeat or "
        "are not known; portable where a description says portable, bedside or mobile; contrast where every (all), no (none) or some "
        "image states an agent. A study without a row has the general code 18748-4.\n\n"
        + table(CODE_COLUMNS, rows)
        + "\nLOINC codes and names are copyright of Regenstrief Institute, Inc. and used under the licence at loinc.org/license.\n"
        + people_md()
        + versions_md()
    )


def people_md() -> str:
    """The section on who read, signed and was told."""
    routes = [
        [route.value, f"`{MEDIA[route].code}`" if route in MEDIA else "words alone"]
        for route in Route
    ]
    return (
        "\n### Who read, signed and was told\n\n`performer` is who signed; `resultsInterpreter` that reader first, and then a resident "
        "who had decided on all of it before. The Provenance has the signer as verifier, the resident as author in the role "
        f'"{PRELIMINARY}", and the two of a double reading as informants in the role "{INDEPENDENT}": they answer for nothing that '
        "is said. R4 has no element for them in the report itself; its text names them.\n\n"
        "Each time that somebody was told of critical findings is a Communication: `payload` what was told, `recipient` the name or "
        "duty as it was typed, `sender` the reader, `sent` when, `about` report and observations, `priority` by category (1 `stat`, 2 "
        "`asap`, 3 `urgent`). `received` stands there only where it was read back. A version holds what had been told when it was "
        "signed; what was told later leaves with the next version.\n\n"
        + table(["told by", "`medium` (v3-ParticipationMode)"], routes)
    )


def versions_md() -> str:
    """The section on the later versions of a report."""
    rows = [[kind.value, f"`{STATUS[kind]}`", f"`{OPERATION[kind]}`"] for kind in OPERATION]
    return (
        "\n### Later versions\n\nAll versions of a report are one DiagnosticReport, under an identifier that comes from the id of the "
        "first, and an Observation a statement. A later version updates them where they are (conditional update, "
        "`PUT DiagnosticReport?identifier=…`); patient, study, readers and software stay conditional creates. Its identifier `report-…` "
        "is that of the version, and says its number (`type.text`).\n\n"
        + table(["the version is", "status of the report", "activity of its Provenance"], rows)
        + "\nThe status is the uppermost of this order that any version since the first has: "
        + ", ".join(f"`{status}`" for status in STATUS.values())
        + ". An Observation whose statement was changed is `amended` or `corrected`; one that is not made any more is sent as "
        "`entered-in-error`, with its code and without a value. The Provenance names the version before as its entity (`revision`), by "
        "its id, and the reason. `conclusion` begins with what was changed, by whom and why, and so does the text of the report.\n\n"
        "The Bundle of an earlier version is that of the newest, so that no file puts a server back; "
        "`--format outcome` says so. A server that takes no conditional update refuses a later version as a whole.\n"
    )
