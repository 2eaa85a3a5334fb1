"""docs/conformance.md, what goes out as DICOM: objects, their codes, and the warnings that validators give."""

from __future__ import annotations

import csv
from importlib.resources import files

from medmm.delivery.dicom import codes as coded
from medmm.domain.vocabulary import finding_terms, measurement_terms
from medmm.evaluation.cards.tables import table

OBJECTS = [
    [
        "`sr`",
        "Comprehensive 3D SR",
        "SR",
        "TID 1500: a group for each finding with a place and for each measurement; the sentences that were signed, word by word; other findings with their presence",
    ],
    [
        "`seg`",
        "Segmentation, BINARY; Label Map Segmentation with `dicom.label_maps`",
        "SEG",
        "one for each label map, and for the outlines of a film, that a signed statement rests on; on the grid of its images",
    ],
    [
        "`key-object`",
        "Key Object Selection, (113000, DCM, Of Interest)",
        "KO",
        "films with a region, the middle slice of each place; where none is cited, the films, and the middle of the stacks, that were read",
    ],
    [
        "`pdf`",
        "Encapsulated PDF",
        "DOC",
        "the page of the report, DejaVu Sans embedded; Latin, Greek, Cyrillic, Hebrew, Arabic",
    ],
    [
        "any, once withdrawn",
        "Key Object Selection, (113037, DCM, Rejected for Patient Safety Reasons)",
        "KO",
        "names every object of every version before (IHE Imaging Object Change Management)",
    ],
]
WARNINGS = [
    [
        "dciodvfy",
        "Device UID is not in the IOD; Standard Extended SOP Class",
        "IHE AI Results asks for Device UID (0018,1002) in Contributing Equipment Sequence; PS3.2 7.3 allows what an IOD does not name",
    ],
    [
        "dciodvfy",
        f"unrecognized defined term {coded.LOCAL}",
        "a local scheme, identified in Coding Scheme Identification Sequence, for what has no code",
    ],
    [
        "DicomSRValidator",
        "Algorithm Name, Version, Manufacturer; Presence of property; Source of Measurement; 95 % interval: not in template",
        "TID 1410, 1411 and 1501 are extensible, and rows of later editions are unknown to the release of 2022",
    ],
    [
        "DicomSRValidator",
        "another code meaning of (121232, DCM)",
        "the meaning is written in capitals by highdicom; the code counts (PS3.3 8.3)",
    ],
    [
        "tid1500reader",
        "concept not known: Algorithm Manufacturer",
        "read as a qualitative evaluation of the group",
    ],
]
CHOICES = (
    (
        "Procedure Reported",
        "from CID 100, which says no more than the kind of imaging: (363679005, SCT) for films, (25056-3, LN) for MR. What exactly was done stands in Performed Procedure Code Sequence, by the table of procedures above",
    ),
    (
        "95 % interval",
        "in words beside the number. TID 310 has numbers for it, which PixelMed's validator of 2022 takes for measurements that the value was inferred from, and refuses",
    ),
    (
        "findings without a place",
        "are Qualitative Evaluations: groups with a place and groups without one in a report make that validator check all by the template of the former",
    ),
    (
        "several segments",
        "a measurement made on several refers to the first as Referenced Segment, for which TID 1411 has one row, and to the others as Source of Measurement with their segment numbers",
    ),
    (
        "presence",
        "Present and Absent of CID 240; possible and not suspected are codes of our own, since Undetermined would say that somebody looked and can't tell",
    ),
)


def dicom_out_md() -> str:
    """The section on DICOM objects."""
    columns = ["form", "object", "modality", "holds"]
    return (
        "## DICOM: reports\n\n`medmm publish CASE --to FOLDER --form sr,seg,key-object,pdf` writes a signed report as DICOM objects of its study.\n\n"
        + table(columns, OBJECTS)
        + "\nPatient and study are those of the images, element by element and as they are written there, values that no standard knows included; text is in UTF-8 (ISO_IR 192). "
        "UIDs are derived (2.25, RFC 9562 version 5) from study, report, version and form, and times are those of the signature by the clock of the images, else of `site_time_zone`, so that "
        "objects made again by the same release are the same to the byte. A study that came as NIfTI has none of them.\n\n"
        "**Who.** The signing reader is the person observer. With the setting `dicom.verifying_organization` the report is VERIFIED by them; without it it is UNVERIFIED, because the attribute may not be empty, and `medmm publish` says so. "
        "Set it before the first report is sent: a report keeps its UIDs whatever the settings say. Names of readers are one component of PN, because nothing says which part is the family's.\n\n"
        "**By which networks.** Each stands in Contributing Equipment Sequence as (109102, DCM, Processing Equipment), in the groups that rest on it, and in the segments that it drew, with the same values (IHE AI Results 1.3, table 6.5.3.1-1): "
        "manufacturer (`medmm` for those that ship, else `not stated`), name, the SHA-256 of its manifest as software version, and a device UID derived from both, which changes with each training. The device observer, of which there is room for one, is the network that read; of several it is medmm, which then stands among the equipment too.\n\n"
        "**Versions.** An amended report has objects of its own; its structured report names the one before in Predecessor Documents Sequence, and what is tracked keeps its tracking UIDs. Objects of a version never change.\n\n"
        '**Not sent.** Label maps and outlines that no signed statement rests on, such as those of a rejected finding; such without a voxel; of images that state no place in the patient. Each is said, as are segments without a voxel (`render(…, format="dicom-outcome")`).\n\n'
        "**Right to left.** Lines of the page are ordered by the part of UAX 9 without explicit marks, and Arabic letters joined by arabic-reshaper, so Hebrew and Arabic are seen right. Text copied out of the PDF comes in the order in which it is seen. "
        "Other scripts (Chinese, Japanese, Korean, Indic) are not in the font: a mark stands in the place of each character, and the page says so; the elements of the object hold the name.\n\n"
        + table(["in the tree", "choice"], [list(row) for row in CHOICES])
        + "\nIn the label map form a segment 0, the background, is described too (Supplement 243): look segments up by number. Outlines of a film may overlap and stay BINARY. Segments, by label:\n\n"
        + table(["label map", "label", "words", "category", "type", "source"], _segments())
        + "\nOther labels have the type of their own name. Findings and measurements in the tree:\n\n"
        + table(["name", "code", "scheme", "meaning"], _codes())
        + f"\n`{coded.LOCAL}` is the local scheme of medmm. dciodvfy, DicomSRValidator, dcmtk and dcmqi find no error in reports of chest, brain, hippocampus and heart, original, amended and withdrawn (`make test-marked`). Their warnings:\n\n"
        + table(["program", "warning", "why it stands"], WARNINGS)
    )


def _segments() -> list[list[str]]:
    text = files("medmm.delivery.dicom").joinpath("data/segments.csv").read_text(encoding="utf-8")
    return [
        [
            f"`{row['label_map']}`",
            f"`{row['label']}`",
            row["words"],
            f"({row['category_code']}, SCT, {row['category_display']})",
            f"({row['type_code']}, SCT, {row['type_display']})",
            row["source"],
        ]
        for row in csv.DictReader(text.splitlines())
    ]


def _codes() -> list[list[str]]:
    found = [(term.words, coded.finding_code(name)) for name, term in finding_terms().items()]
    found += [(t.words, coded.measurement_code(name)) for name, t in measurement_terms().items()]
    return [[words, code.value, code.scheme_designator, code.meaning] for words, code in found]
