"""Draft every study of a folder: `python -m pipelines.batch FOLDER --out DIR`. One line a study; what is done is skipped."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from medmm.assistant import Assistant
from medmm.domain.errors import InputError, MedmmError, exit_code
from medmm.domain.report import Reader
from medmm.domain.study import NotEvaluable

RESULTS = "results.jsonl"


def main(arguments: list[str] | None = None) -> int:
    """Parse and run. Returns: the highest exit code of the studies."""
    parser = argparse.ArgumentParser(prog="medmm batch", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with one file or folder a study")
    parser.add_argument("--out", type=Path, required=True, help="where results.jsonl is kept")
    parser.add_argument("--records", type=Path, help="folder with a FHIR Bundle a study: NAME.json")
    parser.add_argument("--config", type=Path, help="settings (YAML)")
    parser.add_argument("--by", help="id of the reader who acts; default: the service")
    options = parser.parse_args(arguments)
    try:
        with Assistant.from_config(options.config) as assistant:
            by = assistant.reader_named(options.by) if options.by else None
            return run(assistant, options.folder, options.out, options.records, by)
    except MedmmError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return exit_code(error)


def run(
    assistant: Assistant, folder: Path, out_dir: Path, records: Path | None = None, by: Reader | None = None
) -> int:
    """Draft what is not done yet, in order of name; each line is on disk before the next study begins.

    Raises: InputError if a folder can't be used.
    """
    for needed in filter(None, (folder, records)):
        if not needed.is_dir():
            raise InputError("no such folder", remedy="name a folder", path=str(needed))
    results = out_dir / RESULTS
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        done = finished(results)
        paths = sorted(folder.resolve().iterdir())
        results.touch()
    except OSError as error:
        raise InputError(
            f"a folder can't be used: {type(error).__name__}",
            remedy="name folders that you may read and write",
            folder=str(folder),
            out=str(out_dir),
        ) from error
    waiting = [path for path in paths if not path.name.startswith(".") and str(path) not in done]
    console = Console(stderr=True, quiet=not sys.stderr.isatty())
    worst = failed = 0
    with results.open("a", encoding="utf-8") as lines:
        for path in track(waiting, description="drafting", console=console):
            line = {"path": str(path), **drafted(assistant, path, records, by)}
            worst, failed = max(worst, line.get("exit_code", 0)), failed + ("error" in line)
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
    sys.stdout.write(f"{len(waiting) - failed} studies done, {len(done)} skipped, {failed} failed; {results}\n")
    return worst


def finished(results: Path) -> set[str]:
    """Paths with a whole line; a line torn by a crash is dropped and its study done again. A failure is tried again."""
    if not results.is_file():
        return set()
    kept = []
    for text in results.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if "path" in line and "error" not in line:
            kept.append(line)
    temporary = results.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    temporary.replace(results)
    return {line["path"] for line in kept}


def drafted(assistant: Assistant, path: Path, records: Path | None, by: Reader | None) -> dict[str, Any]:
    """The line of one study: its case and suspected findings, its refusal, or its error."""
    record = records / f"{path.stem if path.is_file() else path.name}.json" if records else None
    try:
        study = assistant.admit(path, record=record if record and record.is_file() else None, by=by)
        if isinstance(study, NotEvaluable):
            return {"name": path.name, "evaluable": False, "held": study.held, "reason": study.reason}
        case = assistant.open_case(study.uid, by=by)
        checked = assistant.draft(case.id, by=by)
    except MedmmError as error:
        return {
            "name": path.name,
            "error": type(error).__name__,
            "reason": error.problem,
            "exit_code": exit_code(error),
        }
    findings = sorted(
        {s.finding for s in checked.statements if s.finding and s.assertion.value in ("present", "possible")}
    )
    failed = sum(bool(checked.failed(s.id)) for s in checked.statements)
    return {
        "name": path.name,
        "evaluable": True,
        "case": case.id,
        "study": study.uid,
        "record": record is not None and record.is_file(),
        "findings": findings,
        "statements": len(checked.statements),
        "failed_checks": failed,
    }


if __name__ == "__main__":
    sys.exit(main())
