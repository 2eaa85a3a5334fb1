"""docs/conformance.md, what goes out as HL7 v2: from the tables that the code itself uses."""

from __future__ import annotations

from medmm.connections.hl7_text import ESCAPES, LENGTHS, LENGTHS_OF_NUMBERS
from medmm.delivery.hl7.mllp import ANSWERS, LONGEST_ANSWER, Sent
from medmm.delivery.hl7.observations import (
    ADDENDUM,
    CHANGE,
    COMMUNICATION,
    INTERVAL,
    LATERALITY,
    NETWORK,
    NETWORK_VERSION,
    NOT_EVALUATED,
    OWN_WORDS,
    SECTIONS,
    STUDY_UID,
)
from medmm.delivery.hl7.options import Retraction
from medmm.delivery.hl7.result_message import PAGE
from medmm.evaluation.cards.tables import table

ELEMENTS = [
    ["MSH-3 to 6", "the settings of `hl7`"],
    ["MSH-7, OBR-22", "time of the signature, with its offset from UTC"],
    [
        "MSH-10",
        "derived from the version of the report, 20 characters: sent again it is the same message",
    ],
    ["MSH-12, MSH-18", "`2.5.1`, `UNICODE UTF-8`"],
    [
        "PID-3",
        "patient ID; assigning authority: the name of its issuer as the image states it (20 characters at most), and the system of "
        "`identifiers` as universal ID of type ISO or URI. Without either none is sent, which is said",
    ],
    [
        "PID-5",
        "family and given name, type L; without a name type U. Names in other scripts are not sent",
    ],
    ["PID-7, PID-8", "date of birth as coarsely as it is known; M, F, O, U"],
    ["ORC-1", "`RE`"],
    [
        "ORC-2, OBR-2",
        "placer's number: of the images, else of the record's request; owner by `identifiers.placer_order`",
    ],
    [
        "ORC-3, OBR-3",
        "filler's number likewise, else the accession number; owner by `identifiers.filler_order` or `identifiers.accession`",
    ],
    ["OBR-4", "procedure by the table above, else 18748-4"],
    [
        "OBR-7",
        "when the images were made, with offset; the date alone where time or zone is not known",
    ],
    ["OBR-18", "accession number"],
    ["OBR-24, OBR-25", "`RAD`; `F` of the first version, `C` of every later one"],
    ["OBR-32, OBR-33", "who signed; a resident who had decided on all of it before"],
    ["OBX-4", "id of the statement, or name of the section, the same in every version"],
    [
        "OBX-8",
        "`AA` of what must be told at once, `A` of what is present or possible, `N` of what a reader denies; nothing of what is not "
        "suspected, and of devices",
    ],
    [
        "OBX-11",
        "`O` of the study, `F` of the first version, `C` of every row of a later one, `hl7.retraction` of what that makes no more",
    ],
    ["OBX-14", "when the images were made; of an addendum, when it was added"],
    ["OBX-16", "who signed, or who wrote the statement"],
]


def _rows() -> list[list[str]]:
    def row(code: object, kind: str, value: str) -> list[str]:
        return [f"`{code.value}^{code.meaning}^{code.scheme_designator}`", kind, value]  # type: ignore[attr-defined]

    return [
        row(STUDY_UID, "ST", "Study Instance UID"),
        row(CHANGE, "FT", "what became of the report, by whom, when and why"),
        *(
            row(code, "FT", f"{section.value}, a sentence a line")
            for section, code in SECTIONS.items()
        ),
        ["code of the finding", "CE", "present, absent, possible, not suspected"],
        ["code of the quantity", "NM", "the digits that were signed; OBX-6 in UCUM"],
        row(INTERVAL, "SN", "`^LOW^-^HIGH`, with the sub-ID of its quantity"),
        row(LATERALITY, "CE", "side, with the sub-ID of its finding or quantity"),
        row(OWN_WORDS, "ST, FT", "a finding in the reader's own words"),
        row(ADDENDUM, "ST, FT", "an addendum"),
        row(COMMUNICATION, "FT", "who was told of critical findings"),
        row(NOT_EVALUATED, "FT", "what the models did not look at"),
        row(NETWORK, "ST", "a network that read, by name"),
        row(NETWORK_VERSION, "ST", "the SHA-256 of its manifest, with the same sub-ID"),
        row(
            PAGE,
            "ED",
            "with `hl7.pdf`: the page of the report, `^application^pdf^Base64^…`, as receivers take it; table 0191 of 2.5.1 has `AP` for it",
        ),
    ]


def hl7_md() -> str:
    """The section on HL7 v2 messages."""
    escapes = [
        [
            "line feed" if one == "\n" else f"`{one.replace('|', chr(92) + '|')}`",
            f"`{escape}`",
        ]
        for one, escape in ESCAPES.items()
    ]
    lengths = ", ".join(
        f"{name}-{number} {most}"
        for (name, number), most in sorted({**LENGTHS, **LENGTHS_OF_NUMBERS}.items())
    )
    retractions = ", ".join(f"`{one.value}`" for one in Retraction)
    return (
        "\n## HL7 v2: reports\n\n`medmm publish CASE --to FOLDER --form oru` writes a version of a signed report as a message of HL7 "
        "v2.5.1, ORU^R01, in UTF-8, with a carriage return after each segment and without the frame of MLLP.\n\n"
        + table(["element", "holds"], ELEMENTS)
        + "\n"
        + table(["OBX-3", "type", "OBX-5"], _rows())
        + "\nFindings and quantities have the codes of the DICOM report, `SCT`, `RADLEX`, `LN`, `DCM` or `99MEDMM`.\n\n"
        "**Versions.** Each version has a message of its own, as it was when it counted, so a receiver that was away gets them in their "
        "order. A later version sends every row again, and once more each row of earlier versions that it makes no more, without a "
        f"value and with the status of `hl7.retraction` ({retractions}). Of a withdrawn report those are all rows. Table 0123 has no such status "
        "for OBR-25, which is `C`.\n\n"
        "**Text** is escaped and read back by our own code: hl7apy's `.value` gives `\\E\\.br\\E\\` for a line break and writes "
        "separators of a value as they are, and python-hl7's escape leaves `≤ 3` unreadable. Other control "
        "characters become `\\X…\\` with the hex digits of their UTF-8 bytes.\n\n"
        + table(["character", "written"], escapes)
        + f"\n**Lengths.** Nothing is cut. A value longer than its field is refused with the name of the field ({lengths}; of order numbers the number "
        "alone counts). Text longer than 65,536 characters goes on in a further OBX. Lengths of components, such as 15 of a patient ID, "
        "are not enforced: identifiers are longer, and receivers take them.\n\n"
        '**Not sent.** PV1 and TQ1; the reason for the exam; the reference range. `render(…, format="hl7-outcome")` says which join a '
        "message lacks. hl7apy parses and validates messages of chest, brain, hippocampus and heart, original, amended and withdrawn; its "
        "strict level measures every OBX-5 as a line of 199 characters, so that the tests shorten text and page for it.\n"
        + mllp_md()
    )


DONE = {
    Sent.ACCEPTED: "it was taken",
    Sent.FAULTY: "the message is at fault: sent again unchanged it fails again",
    Sent.REJECTED: "the receiver can't take it now, or not from here: try again later",
    Sent.UNANSWERED: "it may have arrived: send it again, under the same control id",
    Sent.UNREACHABLE: "nothing was sent",
}


def mllp_md() -> str:
    """The section on how messages are sent."""
    codes = {outcome: [code for code, of in ANSWERS.items() if of is outcome] for outcome in Sent}
    rows = [
        [one.value, ", ".join(f"`{code}`" for code in codes[one]) or "none", DONE[one]]
        for one in Sent
    ]
    return (
        "\n### MLLP\n\n`medmm.delivery.hl7.mllp.send` sends one message on a connection of its own and waits for the acknowledgement whose "
        "MSA-2 is its MSH-10. It reads whole frames, however the network cuts them, passes over acknowledgements of other messages, and "
        f"gives up after a set time or {LONGEST_ANSWER:,} bytes; TLS is the caller's context. `medmm deliver` sends each version so, in order, "
        "to destinations of kind `mllp` ([delivering](delivering.md)).\n\n"
        + table(["outcome", "MSA-1", "what it means"], rows)
    )
