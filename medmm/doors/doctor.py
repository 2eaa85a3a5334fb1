"""What `medmm doctor` looks at."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medmm.domain.version import __version__

if TYPE_CHECKING:
    from medmm.assistant import Assistant
    from medmm.config import Settings
    from medmm.domain.study_inspection import Capabilities

LEAST_FREE_GB = 2.0
OUTSIDE_REMEDY = "read docs/writers.md, or set `writer: rules`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: `state` is ok, note (works, with a limit) or problem.

    `remedy` says what would help.
    """

    name: str
    state: str
    found: str
    remedy: str = ""


def machine(database: str = "") -> Iterator[Check]:
    """Check what needs no installation: release, memory, dashboard library, network.

    Args:
        database: the place of the one that the settings name; "" if it is a file.
    """
    release = f"{__version__} on Python {platform.python_version()}, {platform.machine()}"
    yield Check(name="medmm", state="ok", found=release)
    yield _memory()
    yield _dashboard()
    reached = (
        f"no connection but to {database}; nothing else" if database else "no connection; nothing"
    )
    yield Check(name="network", state="ok", found=f"medmm opens {reached} needs to be reached")


def examine(assistant: Assistant) -> Iterator[Check]:
    """Check what the settings lead to: data folder, readers, compute, weights, syntaxes.

    Raises: ConfigError if the configured device is not there.
    """
    yield _disk(assistant)
    yield _readers(assistant)
    can = assistant.capabilities()
    yield Check(name="database", state="ok", found=f"{can.database}; it answers")
    yield _compute(can, assistant.settings.threads)
    yield _runtimes(can, assistant.settings.film_backend)
    yield _writer(can, assistant.settings.writer)
    yield from _models(can)
    yield from _syntaxes(can)


def opened_models(assistant: Assistant) -> Iterator[Check]:
    """Open the networks and the language model that the settings name.

    Raises: ConfigError if the device is not there.
    """
    can = assistant.capabilities()
    yield _writer(can, assistant.settings.writer)
    yield from _models(can)


def _compute(can: Capabilities, threads: int | None) -> Check:
    used = f"{threads} threads" if threads else "torch's own number of threads"
    found = f"torch {can.torch_version} on {can.device}, {os.cpu_count()} cores, {used}"
    return Check(name="compute", state="ok", found=found)


def _runtimes(can: Capabilities, wanted: str) -> Check:
    found = f"{can.film_backend} runs the networks for films (film_backend: {wanted})"
    rest = "" if can.film_backend.startswith("torch ") else ", torch all others"
    return Check(name="runtime", state="ok", found=f"{found}{rest}, in fp32")


def _writer(can: Capabilities, wanted: str) -> Check:
    if can.writer_problem:
        outside = wanted in ("hugging-face", "openai-compatible")
        named = "outside model" if outside else "language model"
        found = f"the {named} of the settings can't word drafts: {can.writer_problem}"
        return Check(
            name="writer",
            state="problem",
            found=found,
            remedy=OUTSIDE_REMEDY if outside else "name another under `language_model`",
        )
    if wanted == "rules" or can.writer != "rule-writer":
        return Check(
            name="writer", state="ok", found=f"{can.writer} words the drafts; it was opened"
        )
    found = f"no language model is ready: {can.writer} words the drafts"
    return Check(
        name="writer",
        state="note",
        found=found,
        remedy="install chest-report, or set `writer: rules`",
    )


def named_folders(settings: Settings) -> Iterator[Check]:
    """Check that the folders that the settings name are there and can be used.

    One that can be made will do; none is made.
    """
    if settings.weights_dir is not None:
        there = settings.weights_dir.is_dir() and os.access(settings.weights_dir, os.R_OK | os.X_OK)
        found = (
            f"{settings.weights_dir} {'can be read' if there else 'is no folder that can be read'}"
        )
        remedy = "" if there else "correct weights_dir, or leave it out for the networks that ship"
        yield Check(
            name="weights_dir", state="ok" if there else "problem", found=found, remedy=remedy
        )
    folders = {"data_dir": settings.data_dir}
    if settings.heads_path is not None:
        folders["heads_path"] = settings.heads_path.parent
    for name, folder in folders.items():
        yield _usable(name, folder)


def _usable(name: str, folder: Path) -> Check:
    """Check that a folder can be written to, or can be made."""
    there = next((f for f in (folder, *folder.parents) if os.path.lexists(f)), folder)
    fits = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    made = "is there" if there == folder else "can be made"
    if fits:
        return Check(name=name, state="ok", found=f"{folder} {made} and can be written to")
    why = "can't be written to" if there.is_dir() else "is no folder"
    return Check(
        name=name,
        state="problem",
        found=f"{there} {why}",
        remedy=f"correct {name}, or its permissions",
    )


def _memory() -> Check:
    if not hasattr(os, "sysconf"):
        return Check(name="memory", state="note", found="can't be read on this system")
    size_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    short = size_gb < 4
    remedy = "reading a film takes up to 3 GB; close other programs" if short else ""
    return Check(
        name="memory", state="problem" if short else "ok", found=f"{size_gb:.0f} GB", remedy=remedy
    )


def _disk(assistant: Assistant) -> Check:
    folder = assistant.settings.data_dir
    free_gb = shutil.disk_usage(folder).free / 2**30
    if assistant.read_only:
        found = f"{folder} is a read-only copy: its log can be checked, nothing can be kept in it"
        remedy = "to work with it make the folder writable, or set data_dir elsewhere"
        return Check(name="data folder", state="note", found=found, remedy=remedy)
    short = free_gb < LEAST_FREE_GB
    remedy = "free space or set data_dir elsewhere" if short else ""
    found = f"{folder} is writable, {free_gb:.0f} GB free"
    return Check(name="data folder", state="problem" if short else "ok", found=found, remedy=remedy)


def _models(can: Capabilities) -> Iterator[Check]:
    for row in can.models:
        state = {"ready": "ok", "not installed": "note"}.get(row.state, "problem")
        terms = " (research only)" if row.research_only else ""
        yield Check(
            name=f"model {row.name}", state=state, found=row.state + terms, remedy=row.remedy
        )


def _syntaxes(can: Capabilities) -> Iterator[Check]:
    decoded = [s.uid.removeprefix("1.2.840.10008.") for s in can.syntaxes if s.decodes]
    found = f"{len(decoded)} decode here; after 1.2.840.10008. they are {', '.join(decoded)}"
    yield Check(name="transfer syntaxes", state="ok", found=found)
    for syntax in can.syntaxes:
        if not syntax.decodes:
            found = f"{syntax.name} ({syntax.uid}) does not decode here"
            yield Check(name="transfer syntax", state="note", found=found, remedy=syntax.remedy)


def _readers(assistant: Assistant) -> Check:
    readers = assistant.readers()
    if not readers:
        remedy = "add them under `readers:` in the settings"
        return Check(name="readers", state="note", found="nobody may decide or sign", remedy=remedy)
    unnamed = [reader.id for reader in readers if reader.unnamed]
    if unnamed:
        remedy = f"put your own name under `readers:` in the settings, for {', '.join(unnamed)}"
        return Check(
            name="readers", state="note", found="a reader without a name can't sign", remedy=remedy
        )
    return Check(name="readers", state="ok", found=", ".join(f"{r.id} ({r.role})" for r in readers))


def _dashboard() -> Check:
    there = importlib.util.find_spec("streamlit") is not None
    remedy = "" if there else "pip install streamlit"
    return Check(
        name="dashboard",
        state="ok" if there else "problem",
        found="streamlit is there" if there else "no streamlit",
        remedy=remedy,
    )
