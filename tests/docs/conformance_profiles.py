"""docs/conformance.md, the FHIR Bundle beside guides of others: AI Transparency, IHE IMR, HL7 Europe, US Core."""

from __future__ import annotations

from medmm.delivery.fhir.bundle import CATEGORIES
from medmm.delivery.fhir.transparency import (
    ASSERTED,
    CONFIDENCE,
    GUIDE,
    INLINE_LABEL,
    LABELLED_INSIDE,
    NETWORK,
)
from medmm.evaluation.cards.tables import table

TRANSPARENCY = [
    [
        "Observation of a statement that a network drafted, edited or not",
        f"`meta.security` `{ASSERTED.code}` (`{ASSERTED.system}`)",
    ],
    [
        "the same, with a calibrated probability",
        f"`{CONFIDENCE}`, `valueDecimal`: how likely what is recorded is right, so of a denial one minus the probability",
    ],
    [
        "DiagnosticReport whose conclusion holds such a statement",
        f"`meta.security` `{LABELLED_INSIDE.code}` (`{LABELLED_INSIDE.system}`), and `{ASSERTED.code}` by `{INLINE_LABEL}` on "
        "`conclusion` and on each code of `conclusionCode` that a network said first",
    ],
    [
        "each network",
        f"Device of type `{NETWORK.code}` (`{NETWORK.system}`): name, SHA-256 of its manifest as version, and as identifier the Device UID "
        "of its DICOM objects; one for all reports",
    ],
    [
        "all of them",
        f"a second Provenance: targets are the report and the labelled Observations, `reason` `{ASSERTED.code}`, agents the networks as "
        f"author in the role `{NETWORK.code}` and who signed as verifier",
    ],
]
UNKNOWN = [
    "`meta.profile`: no profile is claimed, because the guide is a ballot and its canonical URLs may change",
    "AIKind of a Device: nothing that a network's folder states says which kind it is",
    "model card and input prompt as DocumentReference: cards stay in the model's folder",
    "`medmm` itself, which words drafts by rules where no language model does, is a Device without the type",
]
HEAD = ["element", "IHE IMR 1.1", "HL7 Europe Imaging 1.0.0-ballot", "US Core 9", "medmm"]
PROFILES = [
    [
        "Bundle",
        "transaction, POST, `meta.profile`, no contained resources",
        "document; none for minimal metadata",
        "",
        "transaction, nothing contained, no profile claimed; a later version is a PUT",
    ],
    [
        "identifier",
        "",
        "1..*, common to the versions",
        "",
        "one that all versions share, the accession number, that of the version",
    ],
    [
        "basedOn",
        "ServiceRequest with an identifier ACSN",
        "order, or the accession number alone",
        "",
        "the record's request where one fits, else none; a ServiceRequest is not made",
    ],
    [
        "category",
        "",
        "LOINC 85430-7 and Medical-Imaging, 1..1 each",
        "1..*",
        ", ".join(f"`{one.code}`" for one in CATEGORIES) + "; not the slice of US Core",
    ],
    ["code", "", "preferred value set", "extensible value set", "LOINC of the procedure"],
    ["subject", "1..1 Patient", "1..1", "1..1", "yes"],
    ["effective", "", "", "must support", "when the images were made"],
    ["issued", "1..1, sign-off", "when it was issued", "must support", "time of the signature"],
    [
        "performer",
        "an Organization, 1..*",
        "an Organization, 0..*",
        "must support",
        "who signed; no Organization, of which medmm knows none",
    ],
    ["resultsInterpreter", "1..*", "0..*", "must support", "who signed, and a resident before"],
    [
        "result",
        "Observation based on the request, category 59776-5 or 19005-8",
        "Observation",
        "must support",
        "Observation a statement, category `imaging`",
    ],
    [
        "imagingStudy",
        "1..*, `urn:dicom:uid`, with started, modality and an endpoint",
        "resource, or `urn:dicom:uid` alone",
        "",
        "resource under `urn:dicom:uid`, with started and modality; no endpoint, of which medmm knows none",
    ],
    ["conclusionCode", "", "", "", "findings that are stated as present; a possible one has none"],
    [
        "presentedForm",
        "`text/html` 1..* with size and hash, PDF optional",
        "",
        "must support",
        "text, `text/html` without pictures, PDF; size in bytes and SHA-1 of each",
    ],
    [
        "comparison",
        "extension",
        "extension",
        "",
        "none: what is said of earlier studies stands in the text",
    ],
    [
        "composition",
        "",
        "1..1, with attesters; none for minimal metadata",
        "",
        "none; the Provenance names who attested",
    ],
    [
        "versions",
        "",
        "succession by the Composition",
        "",
        "`amended`, `corrected`, `appended`, `entered-in-error` in place",
    ],
]


def profiles_md() -> str:
    """The sections on networks and on guides of others."""
    unknown = "".join(f"- {line}.\n" for line in UNKNOWN)
    return (
        "### What networks asserted\n\nBy HL7 AI Transparency on FHIR (R4, STU 1 ballot; its canonical is "
        f"`{GUIDE}`):\n\n"
        + table(["where", "what"], TRANSPARENCY)
        + "\nThe label says nothing of review: every statement was accepted or edited by who signed, which the Provenance says. What a reader "
        "added has no label. Not done, or not known:\n\n"
        + unknown
        + "\n### Beside guides of others\n\nDiagnosticReport and its Bundle, as far as the sources of IHE Interactive Multimedia Report, HL7 "
        "Europe Imaging (the minimal-metadata report) and US Core say; an empty cell: nothing beyond R4 is asked, or nothing is known here. "
        "None of them is claimed: each wants something that medmm has no source for.\n\n"
        + table(HEAD, PROFILES)
    )
