"""Draft every study of a folder: `python -m pipelines.batch FOLDER --out DIR`.

Each study gets one line; what is done is skipped.

Studies are found by Study Instance UID, at any depth and in flat heaps. Done is what has the same
images, record, settings and models, wherever its files lie; what has changed is done again.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from medmm.assistant import Assistant
from medmm.domain.codec import to_json
from medmm.domain.errors import EXIT_CODES, InputError, MedmmError, exit_code, exit_code_of_several
from medmm.domain.images import seen_in_part, with_limits
from medmm.domain.plain_text import clean
from medmm.domain.report import CaseFile, Reader
from medmm.domain.study import NotEvaluable
from medmm.domain.study_inspection import FoundStudy
from medmm.files import write_atomically
from medmm.presentation.suspicion_words import suspected_line

RESULTS, TABLE = "results.jsonl", "results.csv"
COLUMNS = (
    "study", "name", "path", "outcome", "reason_code", "reason", "case", "state", "record",
    "findings", "scores", "statements", "failed_checks", "at", "seconds",
)  # fmt: skip
OUTCOMES = ("done", "skipped", "refused", "held", "failed")
LEFT_OUT = "left out"  # another kind of thing than an image: no study, and no failure
WHOLE = 2_000  # characters: a list is never cut
NONE, UNREAD = "none flagged", "no finding was read"  # nothing looked at is not nothing suspected
# A person may release what is held and mend what failed: both are tried again.
FINISHED = ("done", "refused")
# What a line repeats of the warnings: what became of the study itself, beside what was read in it.
TOLD = (
    "images-",
    "record-",
    "decisions-",
    "files-beside-",
    "film",
    "series-",
    "several-acquisitions",
    "not-covered",
)


def main(arguments: list[str] | None = None) -> int:
    """Parse and run.

    Returns: the exit code of the studies together; see `exit_code_of_several`.
    """
    parser = argparse.ArgumentParser(prog="medmm batch", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="folder with studies, however they lie in it")
    parser.add_argument(
        "--out", type=Path, required=True, help="where results.jsonl and results.csv are kept"
    )
    parser.add_argument(
        "--records",
        type=Path,
        help="folder of FHIR Bundles: found by Study UID, name, or patient ID",
    )
    parser.add_argument("--config", type=Path, help="settings (YAML)")
    parser.add_argument("--by", help="id of the reader who acts; default: the service")
    parser.add_argument(
        "--json", action="store_true", help="print the lines of results.jsonl, nothing else"
    )
    options = parser.parse_args(arguments)
    # A terminal that lacks a character gets its number, not a crash
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with Assistant.from_config(options.config) as assistant:
            by = assistant.reader_named(options.by) if options.by else None
            return run(
                assistant, options.folder, options.out, options.records, by, as_json=options.json
            )
    except MedmmError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return exit_code(error)


def run(
    assistant: Assistant,
    folder: Path,
    out_dir: Path,
    records: Path | None = None,
    by: Reader | None = None,
    *,
    as_json: bool = False,
) -> int:
    """Draft what is not done yet, in order of name, writing each line before the next.

    A line is on disk before the next study begins.

    Returns: the exit code of the studies together, of those of earlier runs too. Raises: InputError
        if a folder can't be used.
    """
    found, known = prepared(assistant, folder, out_dir, records, by)
    counts: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    with (out_dir / RESULTS).open("a", encoding="utf-8") as lines, progress() as bar:
        for one in bar.track(found, description="drafting"):
            before = known.get(one.uid or one.path)
            skipped = before is not None and before.get("input") == one.input_sha256
            if skipped and before is not None:
                line = before
            else:
                line = timed_line_of(assistant, one, before, by)
                lines.write(json.dumps(line) + "\n")
                lines.flush()
                os.fsync(lines.fileno())
            outcome = "skipped" if skipped else str(line["outcome"])
            counts[outcome] += 1
            rows.append(line)
            sys.stdout.write(
                json.dumps({**line, "skipped": skipped}) + "\n" if as_json else told(line, outcome)
            )
            sys.stdout.flush()
    summary = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)
    beside = f", {counts[LEFT_OUT]} files that are no images left out" if counts[LEFT_OUT] else ""
    total = sum(counts[outcome] for outcome in OUTCOMES)
    (sys.stderr if as_json else sys.stdout).write(
        f"{total} studies: {summary}{beside}; {clean(str(out_dir / RESULTS))}\n"
    )
    write_table(out_dir / TABLE, rows)
    return exit_code_of_several(
        line.get("exit_code", 0) for line in rows if line["outcome"] != LEFT_OUT
    )


def progress() -> Progress:
    """Build a bar with count, rate and time left on standard error, quiet off a terminal.

    Lines for people go above it.
    """
    console = Console(stderr=True, quiet=not sys.stderr.isatty())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    return Progress(
        *columns, console=console, redirect_stdout=sys.stdout.isatty(), redirect_stderr=False
    )


class Rate(ProgressColumn):
    """Studies a minute."""

    def render(self, task: Task) -> Text:
        """Show the rate of a task; nothing before its first study."""
        return Text("" if task.speed is None else f"{60 * task.speed:.1f} studies a minute")


def write_table(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write what is found in the folder now as CSV for spreadsheets, whole or not at all.

    There is one row for each study.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", restval="")
    table.writeheader()
    for line in lines:
        scores = "; ".join(
            f"{one['finding']} {one['probability']:.2f}" for one in line.get("suspected", ())
        )
        row = {**line, "findings": "; ".join(line.get("findings", ())), "scores": scores}
        table.writerow({name: _cell(row.get(name)) for name in COLUMNS})
    # Names of files may be any bytes
    write_atomically(path, text.getvalue().encode(errors="backslashreplace"))


def _cell(value: Any) -> Any:
    """Quote a text that a spreadsheet would take for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def timed_line_of(
    assistant: Assistant, found: FoundStudy, before: dict[str, Any] | None, by: Reader | None
) -> dict[str, Any]:
    """Return the line of one study with when it began (UTC) and how long it took."""
    at, start = datetime.now(UTC), time.monotonic()
    line = line_of(assistant, found, before, by)
    return {
        **line,
        "at": at.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - start, 2),
    }


def prepared(
    assistant: Assistant, folder: Path, out_dir: Path, records: Path | None, by: Reader | None
) -> tuple[tuple[FoundStudy, ...], dict[str, dict[str, Any]]]:
    """Find what is in a folder, and by study the lines of what is finished.

    Raises: InputError if the folder can't be used.
    """
    for needed in filter(None, (folder, records)):
        if not needed.is_dir():
            raise InputError("no such folder", remedy="name a folder", path=str(needed))
    found = assistant.studies(folder.resolve(), records=records, by=by)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        known = finished(out_dir / RESULTS, found)
        (out_dir / RESULTS).touch()
    except OSError as error:
        raise InputError(
            f"a folder can't be used: {type(error).__name__}",
            remedy="name folders that you may read and write",
            folder=str(folder),
            out=str(out_dir),
        ) from error
    return found, known


def finished(results: Path, found: tuple[FoundStudy, ...]) -> dict[str, dict[str, Any]]:
    """Read whole lines of what is finished, the last of each study; keep what still holds.

    A line torn by a crash is dropped and its study done again; so is that of a study that has
    changed, and of one in whose place another lies now.
    """
    if not results.is_file():
        return {}
    kept: dict[str, dict[str, Any]] = {}
    for text in results.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and "path" in line and line.get("outcome") in FINISHED:
            kept[str(line.get("study") or line["path"])] = line
    now, taken = {one.uid or one.path: one for one in found}, {one.path for one in found}
    for study in kept.keys() & now.keys():  # it may lie elsewhere now
        kept[study] |= {"path": now[study].path, "name": now[study].name}
    still = [
        line
        for study, line in kept.items()
        if (
            line.get("input") == now[study].input_sha256
            if study in now
            else line["path"] not in taken
        )
    ]
    write_atomically(results, "".join(json.dumps(line) + "\n" for line in still).encode())
    return kept


def told(line: dict[str, Any], outcome: str) -> str:
    """Write the line for people."""
    if line["outcome"] == "done":
        # A line of an earlier release has none
        flagged = line.get("suspected_line") or ", ".join(line["findings"]) or NONE
        words = f"{line['case']} {line['state']}: {flagged}"
    else:
        words = line["reason"]
    notes = "".join(f"\n        {clean(note)}" for note in line.get("notes", ()))
    return f"{outcome:<8}{clean(line['name'])}  {clean(words, WHOLE)}{notes}\n"


def line_of(
    assistant: Assistant, found: FoundStudy, before: dict[str, Any] | None, by: Reader | None
) -> dict[str, Any]:
    """Return the line of one study, or of a file that belongs to none.

    It tells case and suspected findings, the refusal, the error, or why a file belongs to no study.
    """
    line = {
        "path": found.path,
        "name": found.name,
        "study": found.uid,
        "input": found.input_sha256,
        "inputs": dict(found.inputs),
    }
    if found.uid is None:
        reason = {"evaluable": False, "reason_code": "no-study", "reason": found.problem}
        if found.left_out:
            return {**line, "outcome": LEFT_OUT, **reason}
        return {
            **line,
            "outcome": "failed",
            "error": InputError.__name__,
            **reason,
            "exit_code": EXIT_CODES[InputError],
        }
    try:
        return {**line, "files": len(found.files), **drafted(assistant, found, before, by)}
    except MedmmError as error:
        return {
            **line,
            "outcome": "failed",
            "error": type(error).__name__,
            "reason_code": type(error).__name__,
            "reason": error.problem,
            "where": {name: str(place) for name, place in error.where.items()},
            "remedy": error.remedy,
            "exit_code": exit_code(error),
        }


def drafted(
    assistant: Assistant, found: FoundStudy, before: dict[str, Any] | None, by: Reader | None
) -> dict[str, Any]:
    """Return what became of one study.

    A case that a person has decided on keeps its draft: what was decided must not fall away.
    """
    study = assistant.admit(found.files, record=found.record, study_uid=found.uid, by=by)
    note = () if found.record_note is None else (found.record_note,)
    if isinstance(study, NotEvaluable):
        outcome = "held" if study.held else "refused"
        told = [*note, *(warning.text for warning in study.warnings)]
        why = {"reason_code": study.reason_code, "reason": study.reason}
        return {"outcome": outcome, "evaluable": False, **why, "notes": told}
    case = assistant.open_case(study.uid, by=by)
    checked = assistant.draft(case.id, again=False, by=by)
    file = assistant.case(case.id, by=by)
    warnings = dict.fromkeys(
        w.text
        for w in (*file.case.study.warnings, *checked.draft.warnings)
        if w.code.startswith(TOLD)
    )
    return {
        "outcome": "done",
        "evaluable": True,
        "case": case.id,
        "state": file.state.value,
        "study": study.uid,
        "record": case.context is not None,
        "findings": [one.finding for one in file.flagged],
        "suspected": [to_json(one) for one in file.flagged],
        "suspected_line": suspected_line(file.flagged) or _none(file),
        "images_read": [to_json(image) for image in checked.draft.images_read],
        "images_not_read": [to_json(image) for image in checked.draft.images_unread],
        "statements": len(checked.statements),
        "failed_checks": sum(bool(checked.failed(s.id)) for s in checked.statements),
        "notes": [*note, *warnings, *changes(file, found, before)],
    }


def _none(file: CaseFile) -> str:
    """Say that nothing is flagged, and what limits that; or that nothing was read."""
    if not (file.reading and file.reading.findings):
        return UNREAD
    return with_limits(NONE, seen_in_part(file.case.study, file.reading))


def changes(file: CaseFile, found: FoundStudy, before: dict[str, Any] | None) -> list[str]:
    """Say what changed in a study that was done before from something else."""
    known = before.get("inputs") if before else None
    if before is None or not isinstance(known, dict) or before.get("input") == found.input_sha256:
        return []
    changed = [name for name, digest in found.inputs.items() if known.get(name) != digest]
    since = before.get("case", "it was refused")
    words = f"Changed since {since}: {', '.join(changed)}."
    if "settings and models" not in changed or since != file.case.id:
        return [words]
    return [
        words
        + (
            " A person has decided on it, so its draft stays."
            if file.decided
            else " It was drafted again."
        )
    ]


if __name__ == "__main__":
    sys.exit(main())
