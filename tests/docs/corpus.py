"""docs/corpus.md: what medmm does with the files of the shared data, and with pictures alone.

`python -m tests.docs.corpus --data DIR` (the shared data; some minutes) writes the page with its
totals and differences, and beside the contract tests the rows they were counted from. The part by
pixels alone comes from `evaluation.json` beside the weights and is checked without the data.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.domain.study import NotEvaluable
from medmm.evaluation.cards.tables import table
from medmm.imaging import Intake, read_studies
from medmm.imaging.dicom.files import open_dicom
from medmm.imaging.dicom.pixels import check_grid, stored_values
from medmm.models import picture_kinds
from tests.contract import records_verdicts as fhir
from tests.contract import test_imaging_corpus as images
from tests.contract.second_reader import LOSSY_LEVELS, ONLY_GDCM, ONLY_OURS
from tests.docs.pictures import by_pixels_md

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "corpus.md"
ROWS = ROOT / "tests" / "contract" / "corpus_rows.md"
MADE = "<!-- made by `python -m tests.docs.corpus --data DIR`; do not edit -->\n\n"
SHARDS = ("chest", "mr", "objects", "otherxray", "syntax", "wrong")
VERDICTS = ("accept", "hold", "refuse", "error")
# What is expected of reading the pixels, and what may come of it.
READS = {
    "ok": ("decoded",),
    "ok_forced": ("decoded",),
    "no_pixels": ("no pixels",),
    "error": ("error",),
    "ok_or_clean_error": ("decoded", "no pixels", "error"),
}
_COLOUR = "a colour picture: the gate refuses it by its header, so its pixels are never asked for"
_FLOAT = "a map of floating-point values, no picture to look at: refused by its modality"
READ_KNOWN = {
    "objects/us_ybr422.dcm": _COLOUR,
    "objects/parametric_map_double.dcm": _FLOAT,
    "objects/parametric_map_float.dcm": _FLOAT,
}
NOT_ARGUED = "not argued"
READ_WORDS = ("decoded", "no pixels", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One file or folder: what was expected, what came, and why."""

    name: str
    about: str
    expected: str
    found: str
    why: str


def corpus_md(data: Path) -> tuple[str, str]:
    """Write the page and its rows; `data` is the shared data folder."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder)
        for shard in SHARDS:
            images.unpacked(data, shard, corpus)
        rows = images.rows(data)
        reads = [_read(corpus, row) for row in rows]
        gate = list(_gate(corpus, rows))
    records = list(_records(data))
    page = (
        "# Corpus\n\nWhat medmm does with real and wrong files whose treatment someone else listed "
        "beforehand, and with pictures whose tags all lie. The files are not part of this "
        "repository; `expect_read`, `expect_gate` and `expect` are their collector's judgement for "
        "a reader of adult chest radiographs and brain MR; medmm also lets MR of the heart in. "
        "Which rules decide stands in [conformance](conformance.md); what becomes of each file, "
        "in [the rows](../tests/contract/corpus_rows.md) beside the tests that check them.\n",
        _totals(gate, reads, records),
        _differences(gate, reads, records),
        by_pixels_md(),
        one_reader_md(),
    )
    return MADE + "\n".join(page), MADE + _lists(gate, reads, records)


def _gate(corpus: Path, rows: list[dict[str, str]]) -> Iterator[Line]:
    kinds, seen = picture_kinds(), set()
    for row in rows:
        unit = next((f for f in images.FOLDERS if row["file"].startswith(f + "/")), row["file"])
        if unit in seen:
            continue
        seen.add(unit)
        intakes = list(read_studies(corpus / unit, patient_secret=b"x", kinds=kinds))
        why = "; ".join(dict.fromkeys(_why(intake) for intake in intakes))
        expected = row["expect_gate"].split("_")[0]
        yield Line(
            name=unit, about=row["tests"], expected=expected, found=images.verdict(intakes), why=why
        )


def _why(intake: Intake) -> str:
    if isinstance(intake.outcome, InputError):
        return intake.outcome.problem
    if isinstance(intake.outcome, NotEvaluable):
        return intake.outcome.reason_code
    return (
        ", ".join(dict.fromkeys(notice.code for notice in intake.outcome.warnings)) or "no warning"
    )


def _read(corpus: Path, row: dict[str, str]) -> Line:
    """Whether the file opens and its pixels decode, whatever the gate says of it."""
    path, why = corpus / row["file"], ""
    try:
        file = open_dicom(path)
        if file.pixel_bytes is None:
            found = "no pixels"
        else:
            check_grid(file)
            stored_values(path)
            found = "decoded"
    except InputError as error:
        found, why = "error", error.problem
    return Line(
        name=row["file"], about=row["tests"], expected=row["expect_read"], found=found, why=why
    )


def _records(data: Path) -> Iterator[Line]:
    held = dict(fhir.corpus_files(data / "fhir"))
    for row in fhir.manifest(data / "fhir"):
        found = fhir.verdict(row["file"], held[row["file"]])
        about = row["tests"] if row["file"].startswith("awkward/") else row["resourceType"]
        why = "; ".join(found.said)
        yield Line(
            name=row["file"], about=about, expected=row["expect"], found=found.verdict, why=why
        )


def _matrix(
    lines: list[Line], expected: tuple[str, ...], found: tuple[str, ...], corner: str
) -> str:
    counts = Counter((line.expected, line.found) for line in lines)
    rows = [
        [
            f"**{want}**",
            *(str(counts[want, came] or "") for came in found),
            str(sum(counts[want, c] for c in found)),
        ]
        for want in expected
    ]
    return table([corner, *found, "all"], rows)


def _totals(gate: list[Line], reads: list[Line], records: list[Line]) -> str:
    short = [
        Line(name=r.name, about="", expected=r.expected[:6], found=r.found[:6], why="")
        for r in records
    ]
    return (
        f"## By files: totals\n\nThe gate, {len(reads)} files as {len(gate)} files and folders (accept and accept with warning "
        "are one; an error is a refusal before the gate):\n\n"
        + _matrix(gate, ("accept", "hold", "refuse"), VERDICTS, "expected \\ medmm")
        + f"\nReading the pixels, {len(reads)} files, whatever the gate says of them:\n\n"
        + _matrix(reads, tuple(READS), READ_WORDS, "expected \\ medmm")
        + f"\nFHIR R4 records, {len(records)} files, resource by resource (exactly one Patient is asked for only where a record "
        "is to be joined to a study):\n\n"
        + _matrix(short, ("accept", "refuse"), ("accept", "refuse"), "expected \\ medmm")
        + f"\n{_bad(gate, 'accept', ('refuse', 'error'))} files that should be accepted are refused, "
        f"{_bad(gate, 'refuse', ('accept',))} that should be refused are accepted; of the records {_bad(short, 'accept', ('refuse',))} "
        f"and {_bad(short, 'refuse', ('accept',))}.\n"
    )


def _bad(lines: list[Line], expected: str, found: tuple[str, ...]) -> int:
    return sum(line.expected == expected and line.found in found for line in lines)


def _read_argument(line: Line) -> str:
    if line.why == "not a grey picture":
        return _COLOUR
    return READ_KNOWN.get(line.name, f"{NOT_ARGUED}: {_cell(line.why)}")


def _differences(gate: list[Line], reads: list[Line], records: list[Line]) -> str:
    agrees = {("refuse", "error"), *((word, word) for word in VERDICTS)}
    rows = [
        [
            f"`{line.name}`",
            line.expected,
            line.found,
            images.KNOWN.get(line.name, ("", NOT_ARGUED))[1],
        ]
        for line in gate
        if (line.expected, line.found) not in agrees
    ]
    pixels = [
        [f"`{r.name}`", r.expected, r.found, _read_argument(r)]
        for r in reads
        if r.found not in READS[r.expected]
    ]  # fmt: skip
    wrong = [
        [f"`{r.name}`", r.expected, r.found, fhir.KNOWN.get(r.name, ("", NOT_ARGUED))[1]]
        for r in records
        if ("refuse" in (r.expected, r.found)) and r.expected != r.found
    ]
    header = ["file", "expected", "medmm", "why"]
    return (
        "## Differences\n\nThe gate:\n\n"
        + (table(header, rows) if rows else "None.\n")
        + "\nReading the pixels:\n\n"
        + (table(header, pixels) if pixels else "None.\n")
        + "\nRecords:\n\n"
        + (table(header, wrong) if wrong else "None.\n")
    )


def one_reader_md() -> str:
    """What one of two independent readers alone decodes; held to the files by tests/contract/test_imaging_second_reader.py."""
    alone = [
        *([f"`{file}`", "medmm", why] for file, why in ONLY_OURS.items()),
        *([f"`{file}`", "GDCM", why] for file, why in ONLY_GDCM.items()),
    ]
    return (
        "## What only one reader decodes\n\nEvery grey file that the manifest calls readable is decoded by medmm and by GDCM's own "
        f"reader (lossless: equal values; lossy JPEG: within {LOSSY_LEVELS} grey level). All agree but these, which one alone "
        "decodes:\n\n" + table(["file", "decoded by", "why"], alone)
    )


def _lists(gate: list[Line], reads: list[Line], records: list[Line]) -> str:
    read = {line.name: line for line in reads}
    dicom = [
        [f"`{g.name}`", read[g.name].expected if g.name in read else "", read[g.name].found if g.name in read else "folder",
         g.expected, g.found, _cell(g.why)]
        for g in gate
    ]  # fmt: skip
    awkward = [
        [f"`{r.name.removeprefix('awkward/')}`", _cell(r.about), r.expected, r.found, _cell(r.why)]
        for r in records
        if r.name.startswith("awkward/")
    ]
    by_type: dict[tuple[str, str], Counter[str]] = {}
    for record in records:
        if not record.name.startswith("awkward/"):
            source = "official examples" if record.name.startswith("examples/") else "Synthea"
            by_type.setdefault((source, record.about), Counter()).update([record.found])
    words = ("accept", "accept_with_warning", "refuse")
    counts = [
        [s, t, str(c.total()), *(str(c[w] or "") for w in words)]
        for (s, t), c in sorted(by_type.items())
    ]
    return (
        "# Corpus, file by file\n\nTotals and differences stand in "
        "[docs/corpus.md](../../docs/corpus.md).\n\n"
        "## DICOM, file by file\n\n`read` is whether the pixels decode; the last column holds the code of the refusal, the error, "
        "or the warnings that travel.\n\n"
        + table(["file", "expected read", "read", "expected gate", "gate", "why"], dicom)
        + "\n## FHIR R4, by resource type\n\nThe 375 official examples and 53 Synthea records; a warning is anything that was said: "
        "a resource type that is not read, a narrative, a mark.\n\n"
        + table(["source", "resource type", "files", *(w.replace("_", " ") for w in words)], counts)
        + "\n## FHIR R4, awkward records file by file\n\n"
        + table(["file", "what it is", "expected", "medmm", "what was said"], awkward)
    )


def _cell(text: str) -> str:
    """Text that stays in its cell."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the shared data folder")
    for path, text in zip((PAGE, ROWS), corpus_md(parser.parse_args().data), strict=True):
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
