"""The demo: real images of the package pydicom-data, with a synthetic record for one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from importlib.resources import files
from pathlib import Path

import yaml
from rich.console import Console
from rich.padding import Padding

from medmm.assistant import Assistant
from medmm.domain.errors import ConfigError, InputError, IntegrityError
from medmm.domain.study import NotEvaluable, Study
from medmm.doors.draft_page import draft_page
from medmm.presentation.draft_html import draft_html

CHEST, LIMB = "RG1_UNCR.dcm", "RG3_UNCR.dcm"
MARK = "# Written by medmm demo, which replaces everything it made in this folder.\n"
READER = {"id": "reader-1", "name": "Reader 1 (demo)", "role": "reader"}


def films_dir() -> Path:
    """Find where pydicom-data keeps its images.

    Raises: ConfigError if the package is not installed.
    """
    found = importlib.util.find_spec("data_store")
    if found is None or not found.submodule_search_locations:
        raise ConfigError(
            "the demo's images are not installed", remedy="pip install pydicom-data==1.0.0"
        )
    return Path(next(iter(found.submodule_search_locations))) / "data"


def run(folder: Path, console: Console) -> None:
    """Run the demo afresh in `folder`; nothing is signed."""
    start = time.monotonic()
    try:
        config, record = _prepare(folder)
    except OSError as error:
        raise InputError(
            f"the demo's folder can't be used: {type(error).__name__}",
            remedy="name a folder that you may write to",
            path=str(folder),
        ) from error
    with Assistant.from_config(config) as assistant:
        _draft(assistant, record, folder / "draft.html", console)
        _refuse(assistant, console)
        _verify(assistant, console)
    console.print(f"\nDone in {time.monotonic() - start:.0f} s; nothing was signed.")
    console.print(f"Look:     {folder / 'draft.html'}")
    console.print(f"Review:   medmm --config {config} ui     (in a checkout: make ui)")


def _prepare(folder: Path) -> tuple[Path, Path]:
    """Clear away an earlier demo, and write settings and record.

    Raises: InputError if the folder is not the demo's own.
    """
    config, record = folder / "demo.yaml", folder / "record.json"
    folder.mkdir(parents=True, exist_ok=True)
    own = config.is_file() and config.read_bytes().startswith(MARK.encode())
    if not own and any(folder.iterdir()):
        raise InputError(
            "the folder holds files that no demo made",
            remedy="name a new or empty folder",
            path=str(folder),
        )
    for leftover in (folder / "data", folder / "data.heads"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    settings = {"data_dir": str((folder / "data").absolute()), "readers": [READER]}
    config.write_text(MARK + yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    record.write_bytes(files("medmm.doors").joinpath("demo_record.json").read_bytes())
    return config, record


def _draft(assistant: Assistant, record: Path, page: Path, console: Console) -> None:
    console.print(
        f"1. A chest film ({CHEST} of pydicom-data, real, of 1995) and its record.",
        style="bold",
    )
    words = (
        "The record is synthetic: it was written for this film and matches its tags. "
        "No report of the film is known: what the networks suspect stands below, "
        "and beside it what a person sees."
    )
    console.print(Padding(words, (0, 0, 1, 3)))
    study = assistant.admit(films_dir() / CHEST, record=record)
    if not isinstance(study, Study):  # the film is known: it passes the gate
        raise IntegrityError(
            "the demo's film was refused", remedy="install medmm and pydicom-data again", film=CHEST
        )
    case = assistant.open_case(study.uid)
    assistant.draft(case.id)
    file = assistant.case(case.id)
    draft_page(file, console)
    page.write_text(draft_html(file), encoding="utf-8")


def _refuse(assistant: Assistant, console: Console) -> None:
    console.print(
        f"\n2. A limb ({LIMB}): what medmm does not read is refused, not guessed.", style="bold"
    )
    refused = assistant.admit(films_dir() / LIMB)
    if not isinstance(refused, NotEvaluable):
        raise IntegrityError(
            "the demo's limb passed the gate",
            remedy="install medmm and pydicom-data again",
            film=LIMB,
        )
    console.print(Padding(refused.reason, (0, 0, 0, 3)))


def _verify(assistant: Assistant, console: Console) -> None:
    console.print("\n3. The audit log: every step left an entry.", style="bold")
    found = assistant.verify()
    state = "sound" if found.ok else f"BROKEN: {found.problems[0].place}"
    console.print(
        f"   {found.size} entries, {state}; tree heads in "
        f"{os.path.basename(assistant.settings.data_dir)}.heads"
    )
