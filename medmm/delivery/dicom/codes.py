"""Coded concepts of DICOM objects: the vocabulary's, context groups', our own.

Source: DICOM PS3.16, context groups by their CID; section 8 (coding schemes: one that begins with
99 is local). What the vocabulary has no code for travels under `LOCAL` with its name as code.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from medmm.delivery.observed import SaidOfFinding
from medmm.domain.reading import Side
from medmm.domain.record import Coding
from medmm.domain.study import Modality
from medmm.domain.vocabulary import (
    DICOM_DCM,
    LOINC,
    RADLEX,
    SNOMED_CT,
    finding_term,
    measurement_terms,
)
from medmm.presentation.value_words import unit_words

LOCAL = "99MEDMM"
SCHEMES = {SNOMED_CT: "SCT", RADLEX: "RADLEX", LOINC: "LN", DICOM_DCM: "DCM"}
LONGEST_MEANING = 64  # Code Meaning (0008,0104) is LO
SIDES = {
    Side.LEFT: codes.cid244.Left,
    Side.RIGHT: codes.cid244.Right,
    Side.BILATERAL: codes.cid244.Bilateral,
}
# What the study is of; CID 4031 and the structures of the vocabulary
BODY_PARTS = {
    "CHEST": codes.SCT.Chest,
    "BRAIN": codes.SCT.Brain,
    "HIPPOCAMPUS": codes.SCT.Hippocampus,
    "HEART": codes.SCT.Heart,
}
# CID 100, from which TID 1500 takes Procedure Reported. It had nothing for films before 2024, and
# validators of then refuse what it has now; Performed Procedure Code Sequence is exact.
PROCEDURES = {
    Modality.RADIOGRAPH: codes.cid100.ImagingProcedure,
    Modality.MR: codes.cid100.MRIUnspecifiedBodyRegion,
}
INTERVAL = Code("interval-95", LOCAL, "95 % interval")
PRESENCE = codes.DCM.PresenceOfProperty
UNITS = {"1": Code("1", "UCUM", "no units"), "%": Code("%", "UCUM", "Percent")}
VOLUME_UNITS = ("ml", "mL")
# CID 7474
BY_VOXELS = codes.DCM.SumOfSegmentedVoxelMethodForVolume
UNKNOWN_STRUCTURE = codes.cid7150.SpatialAndRelationalConcept


def local(name: str, meaning: str) -> Code:
    """Make a code of the project's own scheme."""
    return Code(name, LOCAL, meaning[:LONGEST_MEANING])


def code_of(coding: Coding) -> Code | None:
    """Give a coding of the record or vocabulary as DICOM writes it; None of another system."""
    scheme = SCHEMES.get(coding.system)
    meaning = coding.display or coding.code
    return Code(coding.code, scheme, meaning[:LONGEST_MEANING]) if scheme else None


def finding_code(name: str) -> Code:
    """Code a finding of the vocabulary: exactly, else broader, else by its own name.

    A broader code travels with its own display; the sentence says what was meant.
    """
    term = finding_term(name)
    ordered = sorted(term.codings, key=lambda c: (c.code in term.broader, c.system != SNOMED_CT))
    found = (code_of(coding) for coding in ordered)
    return next((code for code in found if code), local(term.name, term.words))


def measurement_code(name: str) -> Code:
    """Code a measured quantity, by its own name where the vocabulary has no code."""
    term = measurement_terms().get(name)
    found = (code_of(coding) for coding in (term.codings if term else ()))
    return next(
        (code for code in found if code),
        local(name, term.words if term else name.replace("_", " ")),
    )


def measurement_site(name: str) -> Code | None:
    """Code the structure that a quantity is measured of; None if none is known."""
    term = measurement_terms().get(name)
    return code_of(term.site) if term is not None and term.site is not None else None


def unit_code(ucum: str) -> Code:
    """Code a UCUM unit."""
    return UNITS.get(ucum) or Code(ucum, "UCUM", unit_words(ucum) or ucum)


def presence_code(said: SaidOfFinding) -> Code:
    """Code what is said of a finding, by CID 240 where that knows it.

    Undetermined of CID 240 means that one looked and can't tell: nothing here says so.
    """
    known = {
        SaidOfFinding.PRESENT: codes.cid240.Present,
        SaidOfFinding.ABSENT: codes.cid240.Absent,
    }
    return known.get(said) or local(said.value, said.value.capitalize())


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTerm:
    """What a label of a label map is, as a segment (PS3.3 C.8.20.4)."""

    words: str
    category: Code
    kind: Code


def segment_term(label_map: str, label: str) -> SegmentTerm:
    """Return what a segment is; of a label that the table does not know, its own name."""
    known = _segments().get((label_map, label))
    if known is not None:
        return known
    words = label.replace("_", " ").replace("-", " ")
    return SegmentTerm(
        words=words, category=UNKNOWN_STRUCTURE, kind=local(f"{label_map}/{label}", words)
    )


@cache
def _segments() -> dict[tuple[str, str], SegmentTerm]:
    table = files("medmm.delivery.dicom").joinpath("data/segments.csv")
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {
        (row["label_map"], row["label"]): SegmentTerm(
            words=row["words"],
            category=Code(row["category_code"], "SCT", row["category_display"]),
            kind=Code(row["type_code"], "SCT", row["type_display"]),
        )
        for row in rows
    }


def scheme_identification() -> list[Dataset]:
    """Make Coding Scheme Identification Sequence (0008,0110): whose the local codes are."""
    item = Dataset()
    item.CodingSchemeDesignator = LOCAL
    item.CodingSchemeName = "medmm vocabulary"
    item.CodingSchemeResponsibleOrganization = "medmm"
    return [item]
