"""Reports of the shared data: films, manual labels beside them, published figures.

The texts are under CC BY-NC-ND 4.0: they are read where they lie, and none is written into a
result.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.language.report_labeller import LABELS, Labels

Grey = NDArray[np.float32]
Label = Callable[[str, str], Labels]
SPLITS = frozenset({"train", "val", "test"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmReport:
    """One report; `film` is its first frontal film as (shard, file), None if it has none."""

    uid: str
    split: str
    split_source: str
    findings: str
    impression: str
    exam: str
    film: tuple[str, str] | None
    indication: str = ""

    @property
    def view(self) -> View:
        """PA or AP if the exam's title names only one of them; the films carry no tags."""
        named = set(re.findall(r"\b(pa|ap)\b", self.exam.lower()))
        return View.UNKNOWN if len(named) != 1 else View.PA if named == {"pa"} else View.AP

    @property
    def scored(self) -> bool:
        """Whether there is a film to draft from and a findings text to compare with."""
        return self.film is not None and bool(self.findings.strip())


def read_reports(data_dir: Path, splits: Iterable[str]) -> list[FilmReport]:
    """Read the reports of these splits by uid.

    Raises: InputError if the tables are not there or a split is unknown.
    """
    asked = frozenset(splits)
    if unknown := asked - SPLITS:
        raise InputError(f"no split {sorted(unknown)}", remedy=f"use {', '.join(sorted(SPLITS))}")
    films: dict[str, tuple[str, str]] = {}
    with open_table(data_dir, "pairs.csv") as lines:
        for row in csv.DictReader(lines):
            if row["projection"] == "frontal" and row["frontal_rank"] == "0":
                films[row["uid"]] = (row["shard"], row["file"])
    reports = []
    with open_table(data_dir, "reports.jsonl") as lines:
        for row in map(json.loads, lines):
            if row["split"] in asked:
                reports.append(_report(row, films.get(str(row["uid"]))))
    return sorted(reports, key=lambda r: int(r.uid))


def _report(row: dict[str, str], film: tuple[str, str] | None) -> FilmReport:
    words = {name: row[name] or "" for name in ("findings", "impression", "exam", "indication")}
    return FilmReport(
        uid=str(row["uid"]),
        split=row["split"],
        split_source=row["split_source"],
        film=film,
        **words,
    )


def open_table(data_dir: Path, name: str) -> io.TextIOWrapper:
    """Open a table of the reports folder.

    Raises: InputError if it is not there.
    """
    path = data_dir / "reports" / name
    if not path.is_file():
        raise InputError(
            "a table of the reports is not there",
            remedy="name the folder of reports/",
            path=str(path),
        )
    return path.open(encoding="utf-8", newline="")


def film_greys(data_dir: Path, reports: Iterable[FilmReport]) -> Iterator[Grey]:
    """Yield the reports' films one at a time: float32 (256, 256), 0 black to 1 white.

    The original was stretched to a square.

    Raises: InputError if a report has no film or the shard does not hold it.
    """
    with ExitStack() as stack:
        shards: dict[str, zipfile.ZipFile] = {}
        for report in reports:
            if report.film is None:
                raise InputError(
                    "a report without a frontal film",
                    remedy="ask for scored reports",
                    uid=report.uid,
                )
            shard, file = report.film
            try:
                if shard not in shards:
                    shards[shard] = stack.enter_context(
                        zipfile.ZipFile(data_dir / "reports" / shard)
                    )
                data = shards[shard].read(file)
            except (OSError, KeyError, zipfile.BadZipFile) as error:
                raise InputError(
                    "a film is not in its shard", remedy="fetch the data again", film=file
                ) from error
            with Image.open(io.BytesIO(data)) as picture:
                yield np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)


def manual_labels(data_dir: Path, splits: Iterable[str]) -> dict[str, Labels]:
    """Read the manual labels (`m_*`, from MeSH terms) by uid.

    Reports that nobody indexed are left out.
    """
    asked = frozenset(splits)
    with open_table(data_dir, "findings.csv") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] in asked]
    return {
        row["uid"]: {n: int(row[f"m_{n}"]) for n in LABELS}
        for row in rows
        if row["m_No Finding"] != ""
    }


def other_labeller(data_dir: Path) -> Label | None:
    """Load `rule_labels.py` of the data folder from where it lies; None if there is none.

    Raises: InputError if it is there and can't be loaded.
    """
    path = data_dir / "reports" / "rule_labels.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("medmm_data_rule_labels", path)
    if spec is None or spec.loader is None:
        raise InputError(
            "the other labeller can't be loaded", remedy="fetch the data again", file=str(path)
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def label(findings: str, impression: str) -> Labels:
        said = module.label(findings, impression)
        return {name: None if said[name] == "" else int(said[name]) for name in LABELS}

    return label


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """`published.md`: the constant normal report, and rows of figures by column (B1 … C).

    A dash is None.
    """

    constant: str
    rows: tuple[tuple[str, dict[str, float | None]], ...]


def read_published(data_dir: Path) -> Published:
    """Read the published figures and the constant report.

    Raises: InputError if the page holds no such report.
    """
    with open_table(data_dir, "published.md") as lines:
        text = lines.read()
    quoted = re.search(r"(?:^> .*\n?)+", text, re.M)
    if quoted is None:
        raise InputError(
            "published.md quotes no constant report",
            remedy="fetch the data again",
            file="published.md",
        )
    rows: list[tuple[str, dict[str, float | None]]] = []
    columns: list[str] = []
    for line in text.splitlines():
        cells = (
            [cell.strip().strip("*") for cell in line.strip("|").split("|")]
            if line.startswith("|")
            else []
        )
        if len(cells) < 2:
            columns = []
        elif cells[1] == "B1":
            columns = cells[1:]
        elif columns and not set(cells[0]) <= set("-"):
            values = {
                c: float(v) if re.fullmatch(r"[\d.]+", v) else None
                for c, v in zip(columns, cells[1:], strict=True)
            }
            rows.append((cells[0].replace("**", ""), values))
    return Published(constant=" ".join(quoted[0].replace(">", " ").split()), rows=tuple(rows))


def read_drafts(path: Path) -> dict[str, str]:
    """Read drafts by uid from JSON lines of `{"uid": …, "text": …}`.

    Raises: InputError naming the first wrong line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "the drafts can't be read", remedy="give a file of JSON lines", path=str(path)
        ) from error
    drafts: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            uid, text = str(row["uid"]), row["text"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise _wrong_line(path, number, "is not a JSON object with uid and text") from error
        if not isinstance(text, str):
            raise _wrong_line(path, number, "has a text that is not a string")
        if uid in drafts:
            raise _wrong_line(path, number, "names a uid again")
        drafts[uid] = text
    return drafts


def _wrong_line(path: Path, number: int, problem: str) -> InputError:
    return InputError(
        f"a line of the drafts {problem}", remedy="correct it", path=str(path), line=str(number)
    )
