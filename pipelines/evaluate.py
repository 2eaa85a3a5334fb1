"""Measure weights (`python -m pipelines.evaluate TASK --data DIR`) or drafted reports.

A task is as `chest-findings`; add [--json] [--write]. Drafted report text is measured by `python -m
pipelines.evaluate reports --data DIR [--drafts FILE.jsonl] [--out DIR]`, the checks of drafts on
planted errors by `python -m pipelines.evaluate checks --data DIR [--write]`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medmm.config import configs_dir
from medmm.domain.codec import to_json
from medmm.domain.errors import InputError, MedmmError, exit_code
from medmm.evaluation.acceptance import FILMS, packaged_acceptance
from medmm.evaluation.cards import anatomy, findings, report, volume_networks
from medmm.evaluation.cards import film_kind as cards_film_kind
from medmm.evaluation.film import chest_anatomy, chest_findings, film_kind
from medmm.evaluation.mr import volume_networks as mr_volume_networks
from medmm.evaluation.plots import failure_pictures, ratio_pictures, reliability_page
from medmm.evaluation.reports import (
    checked_statements,
    checked_summary,
    chest_report,
    report_text,
    summary,
)
from medmm.evaluation.reports import page as reports_page
from medmm.files import sha256_of
from medmm.models import language_model
from medmm.models.film.reading_model import ChestReader
from medmm.models.weights.catalogue import ACCEPTANCE, packaged_weights, row_named
from medmm.models.weights.model_folder import json_mapping
from medmm.training.weights_export import MANIFEST, write_json, write_manifest

REPORTS, CHECKS = "reports", "checks"
CHECK_FIGURES = Path("docs/checks-evaluation.json")
FAILURES, EXTREMES = "failures.png", "extremes.png"
VOLUME_TASKS = ("hippocampus", "brain-lesion", "cardiac")
CARDS = {
    "chest-findings": findings.findings_card,
    "chest-anatomy": anatomy.anatomy_card,
    "film-kind": cards_film_kind.kind_card,
    "chest-report": report.report_card,
    **dict.fromkeys(VOLUME_TASKS, volume_networks.volumes_card),
}
INPUTS = {
    "chest-findings": (
        "cxr/labels.csv",
        "cxr_more/labels.csv",
        "init/resnet18_to_layer3_in1.safetensors",
    ),
    "chest-anatomy": (
        "cxr/masks/masks.csv",
        "cxr_more/masks/masks.csv",
        "cxr/labels.csv",
        "cxr_more/labels.csv",
    ),
    "film-kind": (
        "cxr/labels.csv",
        "cxr/outofscope.csv",
        "cxr_more/labels.csv",
        "cxr_more/other.csv",
        "reports/pairs.csv",
        "reports/vqa_rad/images.csv",
        "mri/subjects.csv",
        "init/resnet18_to_layer3_in1.safetensors",
    ),
    "chest-report": (
        "reports/reports.jsonl",
        "reports/pairs.csv",
        "cxr/labels.csv",
        "cxr_more/labels.csv",
    ),
    REPORTS: ("reports/reports.jsonl", "reports/pairs.csv"),
    CHECKS: ("reports/reports.jsonl", "reports/pairs.csv"),
    "hippocampus": ("mri/subjects.csv", "mri/hippocampus.zip"),
    "brain-lesion": ("mri/subjects.csv", "mri/lgg.zip"),
    "cardiac": ("mri/subjects.csv", "mri/acdc.zip"),
}


def main(arguments: list[str] | None = None) -> int:
    """Parse, measure, print. Returns: the exit code."""
    parser = argparse.ArgumentParser(prog="pipelines.evaluate", description=__doc__)
    parser.add_argument("task", choices=(*CARDS, REPORTS, CHECKS))
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="the shared data: cxr/, cxr_more/, reports/, mri/, init/",
    )
    parser.add_argument(
        "--weights", type=Path, help="a weights folder (default: the one that ships)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the card")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write evaluation.json, card.md and manifest.json there; of checks, "
        f"{CHECK_FIGURES.as_posix()} of the checkout",
    )
    parser.add_argument(
        "--keep-baselines",
        action="store_true",
        help="take the baselines from the folder's evaluation.json",
    )
    parser.add_argument(
        "--keep-figures",
        action="store_true",
        help="measure nothing: write acceptance.json, card.md and manifest.json from the folder's "
        "evaluation.json",
    )
    parser.add_argument(
        "--unmeasured",
        choices=("looks", "readings"),
        help="MR: only count anew how often numbers are left out, by the look of the images "
        "alone (a minute) or by whole readings; the other figures are the folder's "
        "evaluation.json",
    )
    parser.add_argument(
        "--at-most",
        type=int,
        help="MR: of how many subjects a row of that count is made (default: all)",
    )
    parser.add_argument(
        "--drafts",
        type=Path,
        help="reports: JSON lines of uid and text (default: the writers that ship)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="where pages are written, and of reports the results (default: out/TASK)",
    )
    options = parser.parse_args(arguments)
    options.out = options.out or Path("out") / options.task
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.task == REPORTS:
        return reports(options)
    if options.task == CHECKS:
        return checks(options)
    folder = options.weights or packaged_weights() / options.task
    try:
        _there(options.task, options.data)
        if options.task in (*PAGES, *VOLUME_TASKS, "chest-anatomy"):
            _writable(options.out)
        if options.keep_figures:
            measures = kept_figures(folder)
        elif options.task in VOLUME_TASKS:
            measures = volumes_measured(options, folder)
        else:
            measures = measured(
                options.task, folder, options.data, keep_baselines=options.keep_baselines
            )
    except MedmmError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)
    # In the order in which evaluation.json keeps it
    found = json.loads(json.dumps(measures, sort_keys=True))
    text = CARDS[options.task](found)
    if options.task in VOLUME_TASKS and not (options.unmeasured or options.keep_figures):
        pictures_of_failures(
            options.task, folder, options.data, found, options.out, beside_card=options.write
        )
    if options.task == "chest-anatomy" and not options.keep_figures:
        for place in (options.out, *((folder,) if options.write else ())):
            ratio_pictures.write(place / EXTREMES, folder, options.data, found["nih"]["extremes"])
    if options.write:
        digest = write(options.task, folder, options.data, found, text)
        sys.stderr.write(f"manifest_sha256 for medmm/models/weights/catalogue.csv: {digest}\n")
    pages = PAGES[options.task](found) if options.task in PAGES else {}
    for name, page in pages.items():
        (options.out / name).write_text(page, encoding="utf-8")
        sys.stderr.write(f"written: {options.out / name}\n")
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if options.json else text)
    return 0


def kept_figures(folder: Path) -> dict[str, Any]:
    """Read the figures that a folder keeps.

    Raises: InputError if it has none.
    """
    return json_mapping(folder / "evaluation.json")


def volumes_measured(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Compute the figures of an MR network: all, or only the count of numbers left out."""
    quiet, task, data = not sys.stderr.isatty(), options.task, options.data
    if not options.unmeasured:
        return mr_volume_networks.evaluate(task, folder, data, at_most=options.at_most, quiet=quiet)
    looks = options.unmeasured == "looks"
    return mr_volume_networks.with_unmeasured(
        task, folder, data, looks_alone=looks, at_most=options.at_most, quiet=quiet
    )


def pictures_of_failures(
    task: str, folder: Path, data_dir: Path, found: dict[str, Any], out: Path, *, beside_card: bool
) -> None:
    """Draw the worst test subjects into `out`, and beside the card.

    There they stand without images that may not go on.
    """
    failures, labels = mr_volume_networks.failures(
        task, folder, data_dir, [row["subject"] for row in found["worst"]]
    )
    failure_pictures.write(out / FAILURES, failures, labels, pixels=True)
    sys.stderr.write(f"written: {out / FAILURES}\n")
    if beside_card:
        failure_pictures.write(
            folder / FAILURES, failures, labels, pixels=task in volume_networks.MAY_BE_SHOWN
        )


def pages_of_findings(found: dict[str, Any]) -> dict[str, str]:
    """Write the pages of chest-findings, by file name."""
    return {"reliability.html": reliability_page.html("chest-findings", found["labels"])}


def pages_of_report(found: dict[str, Any]) -> dict[str, str]:
    """Write the pages of chest-report, by file name."""
    return {
        "report.html": reports_page.html(found["text"]),
        "reliability.html": reliability_page.html("chest-report", found["heads"]["findings"]),
    }


PAGES = {"chest-findings": pages_of_findings, "chest-report": pages_of_report}


def reports(options: argparse.Namespace) -> int:
    """Score drafted report text, and write evaluation.json and report.html to `--out`.

    If the text was drafted here, drafts.jsonl goes there too.
    """
    quiet = not sys.stderr.isatty()
    try:
        _there(REPORTS, options.data)
        _writable(options.out)
        if options.drafts:
            drafts = report_text.drafts_of_file(options.data, options.drafts)
        else:
            reader, model = ChestReader.open(None, device="cpu"), language_model(None, device="cpu")
            drafts = report_text.drafts_of_the_writers(options.data, reader, model, quiet=quiet)
            rows = (
                {"uid": r.uid, "text": t} for r, t in zip(drafts.reports, drafts.texts, strict=True)
            )
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (options.out / "drafts.jsonl").write_text(lines, encoding="utf-8")
        found = report_text.evaluate(options.data, drafts, quiet=quiet)
    except MedmmError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)
    write_json(options.out / "evaluation.json", found)
    (options.out / "report.html").write_text(reports_page.html(found), encoding="utf-8")
    sys.stdout.write(
        json.dumps(found, indent=1) + "\n" if options.json else summary.terminal(found)
    )
    sys.stderr.write(f"written: {options.out / 'evaluation.json'}, {options.out / 'report.html'}\n")
    return 0


def checks(options: argparse.Namespace) -> int:
    """Measure the checks on planted errors and true statements; `--write` keeps it."""
    try:
        _there(CHECKS, options.data)
        if options.write:
            _writable(CHECK_FIGURES.parent)
        found = checked_statements.evaluate(options.data)
    except MedmmError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)
    if options.write:
        write_json(CHECK_FIGURES, found)
        sys.stderr.write(f"written: {CHECK_FIGURES}\n")
    text = json.dumps(found, indent=1) + "\n" if options.json else checked_summary.summary(found)
    sys.stdout.write(text)
    return 0


def _there(task: str, data_dir: Path) -> None:
    """Check that all shared data of a task is there, before anything is loaded.

    Raises: InputError naming what is not there.
    """
    # Stand in its place
    others = (
        (name for other in VOLUME_TASKS for name in INPUTS[other]) if task in VOLUME_TASKS else ()
    )
    needed = dict.fromkeys((*INPUTS[task], *others))
    missing = [name for name in needed if not (data_dir / name).is_file()]
    if missing:
        raise InputError(
            f"{task} is measured on sets that are not here: {', '.join(missing)}",
            remedy="give --data the folder of the shared data; a network can be added without, see "
            "docs/training-data.md",
            data=str(data_dir),
        )


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "the results can't be written", remedy="name another folder", out=str(folder)
        ) from error


def measured(
    task: str, folder: Path, data_dir: Path, *, keep_baselines: bool = False
) -> dict[str, Any]:
    """Compute the figures of one task."""
    quiet = not sys.stderr.isatty()
    if task == "film-kind":
        return film_kind.evaluate(folder, data_dir, quiet=quiet)
    if task == "chest-report":
        return chest_report.evaluate(folder, data_dir, quiet=quiet)
    if task == "chest-anatomy":
        return chest_anatomy.evaluate(folder, data_dir, quiet=quiet)
    config = configs_dir() / "train" / "chest_findings.yaml"
    return chest_findings.evaluate(
        folder, data_dir, config, quiet=quiet, keep_baselines=keep_baselines
    )


def write_acceptance(task: str, folder: Path, data_dir: Path, found: dict[str, Any]) -> None:
    """Write what a reading network was measured to do beside its figures."""
    measured = packaged_acceptance(
        task,
        found,
        table_sha256=sha256_of(data_dir / INPUTS[task][0]),
        at=datetime.now(UTC).replace(microsecond=0),
    )
    write_json(folder / ACCEPTANCE, to_json(measured))


def write(task: str, folder: Path, data_dir: Path, found: dict[str, Any], text: str) -> str:
    """Keep the figures, the card and the manifest beside the weights.

    Returns: the manifest's digest.
    """
    write_json(folder / "evaluation.json", found)
    if task in FILMS:
        write_acceptance(task, folder, data_dir, found)
    (folder / "card.md").write_text(text, encoding="utf-8")
    inputs = {name: data_dir / name for name in INPUTS[task]}
    inputs["config"] = configs_dir() / "train" / f"{task.replace('-', '_')}.yaml"
    row, manifest = row_named(task), folder / MANIFEST
    terms = (
        json.loads(manifest.read_text(encoding="utf-8"))["licence"]
        if manifest.is_file()
        else row.licence
    )
    return write_manifest(
        folder, name=task, licence=terms, research_only=row.research_only, inputs=inputs
    )


if __name__ == "__main__":
    sys.exit(main())
