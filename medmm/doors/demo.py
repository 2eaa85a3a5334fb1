"""The demo: real images of the package pydicom-data, and a synthetic record written for one of them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from importlib.resources import files
from pathlib import Path

import yaml
from rich.console import Console

from medmm.assistant import Assistant
from medmm.domain.errors import ConfigError
from medmm.domain.study import NotEvaluable, Study
from medmm.doors.draft_html import draft_html
from medmm.doors.draft_page import draft_page

CHEST, LIMB = "RG1_UNCR.dcm", "RG3_UNCR.dcm"
READER = {"id": "reader-1", "name": "Reader 1 (demo)", "role": "reader"}


def films_dir() -> Path:
    """Where pydicom-data keeps its images. Raises: ConfigError if the package is not installed."""
    found = importlib.util.find_spec("data_store")
    if found is None or not found.submodule_search_locations:
        raise ConfigError("the demo's images are not installed", remedy="pip install pydicom-data==1.0.0")
    return Path(next(iter(found.submodule_search_locations))) / "data"


def run(folder: Path, console: Console) -> None:
    """Run the demo afresh in `folder`; nothing is signed."""
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in ("data", "data.heads"):  # of an earlier run; a demo starts from nothing
        path = folder / leftover
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    config = folder / "demo.yaml"
    settings = {"data_dir": str((folder / "data").absolute()), "readers": [READER]}
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    record = folder / "record.json"
    record.write_text(files("medmm.doors").joinpath("demo_record.json").read_text(encoding="utf-8"), encoding="utf-8")
    with Assistant.from_config(config) as assistant:
        _draft(assistant, record, folder / "draft.html", console)
        _refuse(assistant, console)
        _verify(assistant, console)
    console.print(f"\nDone in {time.monotonic() - start:.0f} s; nothing was signed.")
    console.print(f"Look:     {folder / 'draft.html'}", markup=False)
    console.print(f"Review:   medmm --config {config} ui     (in a checkout: make ui)", markup=False)


def _draft(assistant: Assistant, record: Path, page: Path, console: Console) -> None:
    console.print(f"[bold]1. A chest radiograph[/] ({CHEST} of pydicom-data, a real film of 1995) and its record.")
    console.print("   The record is synthetic: it was written for this film and matches its tags.\n")
    study = assistant.admit(films_dir() / CHEST, record=record)
    assert isinstance(study, Study)  # the film is known: it passes the gate
    case = assistant.open_case(study.uid)
    assistant.draft(case.id)
    file = assistant.case(case.id)
    draft_page(file, console)
    page.write_text(draft_html(file), encoding="utf-8")


def _refuse(assistant: Assistant, console: Console) -> None:
    console.print(f"\n[bold]2. A limb[/] ({LIMB}): what medmm does not read is refused, not guessed.")
    refused = assistant.admit(films_dir() / LIMB)
    assert isinstance(refused, NotEvaluable)
    console.print(f"   {refused.reason}", markup=False)


def _verify(assistant: Assistant, console: Console) -> None:
    console.print("\n[bold]3. The audit log[/]: every step left an entry.")
    found = assistant.verify()
    state = "sound" if found.ok else f"BROKEN: {found.problems[0].place}"
    console.print(
        f"   {found.size} entries, {state}; tree heads in {os.path.basename(assistant.settings.data_dir)}.heads"
    )
