"""What a run writes for people: log, curves, TensorBoard if installed, and a manifest."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from medmm.domain.errors import IntegrityError
from medmm.files import sha256_of
from medmm.training.loop.curves import FIGURES, curves
from medmm.training.loop.sharding import Processes
from medmm.training.loop.state import FOLDER, RunPlace
from medmm.training.weights_export import write_json

log = logging.getLogger(__name__)
LOG, CURVES, MANIFEST, BOARD = "log.jsonl", "curves.html", "manifest.json", "tensorboard"
Row = dict[str, Any]


class Journal:
    """The rows of a run's log, continued from a checkpoint; `writes` in one process alone."""

    def __init__(self, run_dir: Path, name: str, place: RunPlace, processes: Processes) -> None:
        self.run_dir, self.name, self.writes = run_dir, name, processes.rank == 0
        self.rows: list[Row] = _read(run_dir / LOG, place.rows)
        self.board: Any = None
        processes.wait()  # all have read before one writes
        if self.writes:
            run_dir.mkdir(parents=True, exist_ok=True)
            lines = "".join(json.dumps(row) + "\n" for row in self.rows)
            (run_dir / LOG).write_text(lines, encoding="utf-8")
            self.board = _board(run_dir / BOARD, place.step)

    def add(self, row: Row) -> None:
        """Add a row to the log, the file and TensorBoard."""
        self.rows.append(row)
        if not self.writes:
            return
        shown = ", ".join(f"{k} {v:.5g}" for k, v in _numbers(row).items())
        log.info("%s, epoch %d, step %d: %s", self.name, row["epoch"], row["step"], shown)
        with (self.run_dir / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if self.board is not None:
            for key, value in _numbers(row).items():
                self.board.add_scalar(f"{row['kind']}/{key}", value, row["step"])

    def draw(self, state: str) -> None:
        """Write the curves."""
        if self.writes:
            (self.run_dir / CURVES).write_text(
                curves(self.name, self.rows, state), encoding="utf-8"
            )

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest with the digests of what lies in the folder, and close TensorBoard."""
        if not self.writes:
            return
        tensors = sorted((self.run_dir / FOLDER).glob("*.safetensors"))
        files = [*(f"{FOLDER}/{file.name}" for file in tensors), LOG, CURVES]
        digests = {file: sha256_of(self.run_dir / file) for file in files}
        write_json(
            self.run_dir / MANIFEST,
            {"name": self.name, **manifest, "files": digests, "versions": versions()},
        )
        self.close()

    def close(self) -> None:
        """Close TensorBoard."""
        if self.board is not None:
            self.board.close()
            self.board = None


def versions() -> dict[str, str]:
    """Return the versions of what computes, without packages that are not installed."""
    found = {"torch": str(torch.__version__)}
    for name in ("transformers", "monai", "safetensors", "peft", "accelerate"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            log.debug("%s is not installed", name)
    return found


def _numbers(row: Row) -> dict[str, float]:
    plain = {key: row[key] for key in row if key in FIGURES and row[key] is not None}
    scores = row.get("validation", {}).items()
    return plain | {f"validation/{key}": value for key, value in scores if value is not None}


def _read(path: Path, count: int) -> list[Row]:
    """Read the first rows of a log; what came after the checkpoint is learned again."""
    if count == 0:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[:count]
        rows = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise _altered(path) from error
    if len(rows) < count:
        raise _altered(path)
    return rows


def _altered(path: Path) -> IntegrityError:
    return IntegrityError(
        "the log of the run is not whole",
        remedy="restore it, or remove the run folder to start anew",
        file=str(path),
    )


def _board(folder: Path, step: int) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        log.info("no TensorBoard files: it is not installed (pip install 'medmm[tensorboard]')")
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step)
