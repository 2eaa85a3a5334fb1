"""The vocabulary of findings and measurements, as data with their sources.

It holds names, words, codes, units and sides.

The data are `data/findings.csv` and `data/measurements.csv`.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medmm.domain.errors import InputError
from medmm.domain.reading import Finding
from medmm.domain.record import Coding

RADLEX = "http://radlex.org"
SNOMED_CT = "http://snomed.info/sct"
DICOM_DCM = "http://dicom.nema.org/resources/ontology/DCM"
LOINC = "http://loinc.org"
# Coding scheme designators, DICOM PS3.16 chapter 8
_SYSTEMS = {"LN": LOINC, "SCT": SNOMED_CT, "DCM": DICOM_DCM}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingTerm:
    """One row of the vocabulary. A code without a source is absent, never invented.

    `sided` says whether a patient side can be named; `critical` whether a reader must be told at
    once; `broader` are the codes that mean more than the finding: they travel with their own
    display, the finding's words beside them.
    """

    name: str
    words: str
    modality: str
    body_part: str
    sided: bool
    critical: bool
    codings: tuple[Coding, ...]
    broader: tuple[str, ...] = ()

    @property
    def code(self) -> str | None:
        """The RadLex code, else the SNOMED CT code, else None."""
        return self.codings[0].code if self.codings else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementTerm:
    """One measured quantity. A code without a source is absent, never invented.

    Attributes:
        unit: the UCUM unit in which it is stated, and in no other.
        decimals: how many decimals are stated at least.
        sided: whether it is measured of a side of the patient.
        of_finding: the finding whose labelled voxels it measures; it is stated only if that is
            suspected.
        codings: at most one; `broader` says that it means more than the quantity.
        site: the structure that was measured.
    """

    name: str
    words: str
    modality: str
    body_part: str
    unit: str
    decimals: int
    sided: bool
    of_finding: str | None
    codings: tuple[Coding, ...]
    broader: bool
    site: Coding | None


@cache
def finding_terms() -> dict[str, FindingTerm]:
    """Read all terms by name, as in the training tables ("Pleural_Thickening")."""
    text = files("medmm.domain").joinpath("data/findings.csv").read_text(encoding="utf-8")
    return {row["name"]: _term(row) for row in csv.DictReader(text.splitlines())}


def finding_term(name: str) -> FindingTerm:
    """Return the term of this name.

    Raises: InputError if the vocabulary has none.
    """
    try:
        return finding_terms()[name]
    except KeyError:
        raise InputError(
            f"no finding {name!r} in the vocabulary", remedy="add a row to findings.csv"
        ) from None


def finding_called(words: str) -> FindingTerm:
    """Return the term of this name or these words, in any case.

    Raises: InputError naming the nearest if there is none.
    """
    wanted = " ".join(words.replace("_", " ").split()).casefold()
    known = {form: term for term in finding_terms().values() for form in _forms(term)}
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    raise InputError(
        f"no finding {words!r} in the vocabulary",
        remedy=f"write {' or '.join(near)}, or add it as free text"
        if near
        else "add it as free text",
    )


def _forms(term: FindingTerm) -> tuple[str, str]:
    return term.name.replace("_", " ").casefold(), term.words.casefold()


@cache
def measurement_terms() -> dict[str, MeasurementTerm]:
    """Read all measured quantities by name."""
    text = files("medmm.domain").joinpath("data/measurements.csv").read_text(encoding="utf-8")
    return {row["name"]: _measurement_term(row) for row in csv.DictReader(text.splitlines())}


def most_urgent_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Order findings as a reader should meet them: critical ones, then by probability."""
    return tuple(
        sorted(findings, key=lambda f: (not finding_term(f.name).critical, -f.probability, f.name))
    )


def _term(row: dict[str, str]) -> FindingTerm:
    codings = []
    if row["radlex"] and row["radlex_match"] == "exact":
        codings.append(Coding(system=RADLEX, code=row["radlex"], display=row["radlex_label"]))
    if row["snomed_ct"]:
        codings.append(Coding(system=SNOMED_CT, code=row["snomed_ct"], display=row["snomed_label"]))
    if row["radlex"] and row["radlex_match"] != "exact":
        codings.append(Coding(system=RADLEX, code=row["radlex"], display=row["radlex_label"]))
    return FindingTerm(
        name=row["name"],
        words=row["words"],
        modality=row["modality"],
        body_part=row["body_part"],
        sided=row["sided"] == "yes",
        critical=row["critical"] == "yes",
        codings=tuple(codings),
        broader=tuple(
            row[s]
            for s, match in (("radlex", "radlex_match"), ("snomed_ct", "snomed_match"))
            if row[match] == "broader"
        ),
    )


def _measurement_term(row: dict[str, str]) -> MeasurementTerm:
    code = (
        Coding(system=_SYSTEMS[row["system"]], code=row["code"], display=row["display"])
        if row["code"]
        else None
    )
    site = row["site_code"] and Coding(
        system=SNOMED_CT, code=row["site_code"], display=row["site_display"]
    )
    return MeasurementTerm(
        name=row["name"],
        words=row["words"],
        modality=row["modality"],
        body_part=row["body_part"],
        unit=row["unit"],
        decimals=int(row["decimals"]),
        sided=row["sided"] == "yes",
        of_finding=row["of_finding"] or None,
        codings=(code,) if code else (),
        broader=row["match"] == "broader",
        site=site or None,
    )
