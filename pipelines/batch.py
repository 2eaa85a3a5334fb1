"""Draft every study of a folder: `python -m pipelines.batch FOLDER --out DIR`. One line a study; what is done is skipped."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from medmm.assistant import Assistant
from medmm.domain.codec import to_json
from medmm.domain.display import suspected_line
from medmm.domain.errors import InputError, MedmmError, exit_code
from medmm.domain.report import Reader
from medmm.domain.study import NotEvaluable
from medmm.domain.wording import clean

RESULTS = "results.jsonl"
OUTCOMES = ("done", "skipped", "refused", "held", "failed")
WHOLE = 2_000  # characters: a list is never cut
NONE, UNREAD = "none flagged", "no finding was read"  # nothing looked at is not nothing suspected
# A person may release what is held and mend what failed: both are tried again.
FINISHED = ("done", "refused")


def main(arguments: list[str] | None = None) -> int:
    """Parse and run. Returns: the highest exit code of the studies."""
    parser = argparse.ArgumentParser(prog="medmm batch", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with one file or folder a study")
    parser.add_argument("--out", type=Path, required=True, help="where results.jsonl is kept")
    parser.add_argument("--records", type=Path, help="folder with a FHIR Bundle a study: NAME.json")
    parser.add_argument("--config", type=Path, help="settings (YAML)")
    parser.add_argument("--by", help="id of the reader who acts; default: the service")
    parser.add_argument("--json", action="store_true", help="print the lines of results.jsonl, nothing else")
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a character gets its number, not a crash
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with Assistant.from_config(options.config) as assistant:
            by = assistant.reader_named(options.by) if options.by else None
            return run(assistant, options.folder, options.out, options.records, by, as_json=options.json)
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
    """Draft what is not done yet, in order of name; each line is on disk before the next study begins.

    Returns: the highest exit code of the studies. Raises: InputError if a folder can't be used.
    """
    paths, known = prepared(folder, out_dir, records)
    counts: Counter[str] = Counter()
    worst = 0
    # where the lines go to a terminal they are the progress
    quiet = not sys.stderr.isatty() or sys.stdout.isatty()
    bar = Progress(console=Console(stderr=True, quiet=quiet), redirect_stdout=False, redirect_stderr=False)
    with (out_dir / RESULTS).open("a", encoding="utf-8") as lines, bar:
        for path in bar.track(paths, description="drafting"):
            line = known.get(str(path))
            skipped = line is not None
            if line is None:
                line = {"path": str(path), **drafted(assistant, path, records, by)}
                lines.write(json.dumps(line) + "\n")
                lines.flush()
                os.fsync(lines.fileno())
            outcome = "skipped" if skipped else str(line["outcome"])
            counts[outcome] += 1
            worst = max(worst, line.get("exit_code", 0))
            sys.stdout.write(json.dumps({**line, "skipped": skipped}) + "\n" if as_json else told(line, outcome))
            sys.stdout.flush()
    summary = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)
    (sys.stderr if as_json else sys.stdout).write(f"{len(paths)} studies: {summary}; {clean(str(out_dir / RESULTS))}\n")
    return worst


def prepared(folder: Path, out_dir: Path, records: Path | None) -> tuple[list[Path], dict[str, dict[str, Any]]]:
    """The studies of a folder, and the lines of those that are finished by their path. Raises: InputError."""
    for needed in filter(None, (folder, records)):
        if not needed.is_dir():
            raise InputError("no such folder", remedy="name a folder", path=str(needed))
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        known = finished(out_dir / RESULTS)
        paths = [path for path in sorted(folder.resolve().iterdir()) if not path.name.startswith(".")]
        (out_dir / RESULTS).touch()
    except OSError as error:
        raise InputError(
            f"a folder can't be used: {type(error).__name__}",
            remedy="name folders that you may read and write",
            folder=str(folder),
            out=str(out_dir),
        ) from error
    return paths, known


def finished(results: Path) -> dict[str, dict[str, Any]]:
    """Whole lines of what is finished, by path; a line torn by a crash is dropped and its study done again."""
    if not results.is_file():
        return {}
    kept: dict[str, dict[str, Any]] = {}
    for text in results.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and "path" in line and line.get("outcome") in FINISHED:
            kept[line["path"]] = line
    temporary = results.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(line) + "\n" for line in kept.values()), encoding="utf-8")
    temporary.replace(results)
    return kept


def told(line: dict[str, Any], outcome: str) -> str:
    """The line for people."""
    if line["outcome"] == "done":
        flagged = (
            line.get("suspected_line") or ", ".join(line["findings"]) or NONE
        )  # a line of an earlier release has none
        words = f"{line['case']} {line['state']}: {flagged}"
    else:
        words = line["reason"]
    return f"{outcome:<8}{clean(line['name'])}  {clean(words, WHOLE)}\n"


def drafted(assistant: Assistant, path: Path, records: Path | None, by: Reader | None) -> dict[str, Any]:
    """The line of one study: its case and suspected findings, its refusal, or its error.

    A case that has a draft keeps it: what a person decided on it must not fall away.
    """
    record = records / f"{path.stem if path.is_file() else path.name}.json" if records else None
    try:
        study = assistant.admit(path, record=record if record and record.is_file() else None, by=by)
        if isinstance(study, NotEvaluable):
            outcome = "held" if study.held else "refused"
            return {"name": path.name, "outcome": outcome, "evaluable": False, "reason": study.reason}
        case = assistant.open_case(study.uid, by=by)
        if assistant.case(case.id, by=by).draft is None:
            assistant.draft(case.id, by=by)
        file = assistant.case(case.id, by=by)
    except MedmmError as error:
        return {
            "name": path.name,
            "outcome": "failed",
            "error": type(error).__name__,
            "reason": error.problem,
            "exit_code": exit_code(error),
        }
    checked = file.draft
    assert checked is not None  # drafted above
    return {
        "name": path.name,
        "outcome": "done",
        "evaluable": True,
        "case": case.id,
        "state": file.state.value,
        "study": study.uid,
        "record": case.context is not None,
        "findings": [one.finding for one in file.flagged],
        "suspected": [to_json(one) for one in file.flagged],
        "suspected_line": suspected_line(file.flagged) or (NONE if file.reading and file.reading.findings else UNREAD),
        "statements": len(checked.statements),
        "failed_checks": sum(bool(checked.failed(s.id)) for s in checked.statements),
    }


if __name__ == "__main__":
    sys.exit(main())
