"""What becomes of each record of the shared FHIR corpus, beside what its manifest expects: rows for test and docs."""

from __future__ import annotations

import csv
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.identity_match import compare_identities, joined
from medmm.domain.record import FactKind, Quantity
from medmm.records import RecordDocument, read_record

ARCHIVES = ("examples", "synthea", "synthea_bulk", "awkward")
ACCEPT, WARN, REFUSE = "accept", "accept_with_warning", "refuse"
# The DICOM side of the identity rows, as the corpus names it; the sex is not stated there.
IMAGE = PatientIdentity(
    patient_id="ZZFAKE-1",
    family_name="ZZFAKE",
    given_name="Alpha",
    birth_date=date(1950, 1, 1),
    sex="F",
)
SWAPPED = "awkward/identity/same_name_other_birthdate.json"  # stands against 1950-01-10
# Only a join asks for exactly one patient; these rows are about that.
JOINED = re.compile(
    r"awkward/identity/|awkward/version/stu3_patient|awkward/structure/empty_bundle|awkward/good/"
)
# What is said of a sound record too: it doubts nothing and hides nothing that was to be a fact.
QUIET = (
    re.compile(r"date known to the (year|month)"),
    re.compile(r"must not be done or given"),  # the meaning of doNotPerform itself
    re.compile(r"no whole birth date: the age is not stated"),
)
# What only says which part of a record is not read; no fact is doubted and none that is in scope is hidden.
SCOPE = re.compile(
    r"[A-Z][A-Za-z]+ is not read|the (narrative|note) of \d+ resources is not read"
    r"|\d+ references lead out of the record: not followed|a prior report: context, never a finding"
)
# File -> (verdict, why it differs). Accept and accept with warning count as one; where the manifest says accept and
# something is said, `argument` gives the words.
KNOWN: dict[str, tuple[str, str]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordVerdict:
    """What became of one record: the verdict and what a reader is told."""

    verdict: str
    said: tuple[str, ...]


def verdict(name: str, data: bytes) -> RecordVerdict:
    """Read a record, and join it to its image where its row is about that."""
    try:
        document = read_record(data)
        said = (
            *_marks(document),
            *(o.reason for o in document.left_out),
            *document.incomplete,
            *_join(name, document),
        )
    except InputError as error:
        return RecordVerdict(verdict=REFUSE, said=(error.problem,))
    said = tuple(dict.fromkeys(said))
    loud = [words for words in said if not any(quiet.fullmatch(words) for quiet in QUIET)]
    return RecordVerdict(verdict=WARN if loud else ACCEPT, said=said)


def argument(row: dict[str, str], found: RecordVerdict) -> str | None:
    """Why a verdict differs from its row of the manifest; None where it does not."""
    if found.verdict == row["expect"]:
        return None
    if row["file"] in KNOWN:
        known, why = KNOWN[row["file"]]
        return why if known == found.verdict else None
    if (row["expect"], found.verdict) == (ACCEPT, WARN):
        doubts = [words for words in found.said if not SCOPE.fullmatch(words)]
        return (
            f"read, and said: {'; '.join(doubts)}"
            if doubts
            else "read; said which part of it is not read"
        )
    return None


def _marks(document: RecordDocument) -> Iterator[str]:
    """What stands at the facts and tells a reader to look twice."""
    for fact in document.facts:
        yield from fact.marks
        if isinstance(fact.value, Quantity) and fact.value.comparator:
            yield f"the value says {fact.value.comparator}"
        if fact.kind is FactKind.PRIOR_REPORT:
            yield "a prior report: context, never a finding"


def _join(name: str, document: RecordDocument) -> Iterator[str]:
    if not JOINED.match(name):
        return
    image = replace(IMAGE, birth_date=date(1950, 1, 10)) if name == SWAPPED else IMAGE
    notice = joined(compare_identities(image, document.the_patient()))
    if notice is not None:
        yield notice.text


def corpus_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name as in the manifest and bytes of every record in the folder `fhir` of the shared data."""
    for archive in ARCHIVES:
        with tarfile.open(folder / f"{archive}.tar.xz") as packed:
            for member in packed:
                file = packed.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield (
                        f"{archive.removesuffix('_bulk')}/{member.name.removeprefix('./')}",
                        file.read(),
                    )


def manifest(folder: Path) -> list[dict[str, str]]:
    """The rows of the manifest."""
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
