"""Train the weights that a YAML file describes: `python -m pipelines.train CONFIG --data DIR --out DIR`."""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
import time
from pathlib import Path

import torch
import yaml

from medmm.domain.errors import ConfigError, MedmmError, exit_code
from medmm.training.package import sha256_of, write_json

TASKS = {
    "chest-findings": "medmm.training.chest_findings",
    "chest-anatomy": "medmm.training.chest_anatomy",
    "film-kind": "medmm.training.film_kind",
}


def main(arguments: list[str] | None = None) -> int:
    """Parse, train, write the run's manifest. Returns: the exit code."""
    parser = argparse.ArgumentParser(prog="pipelines.train", description=__doc__)
    parser.add_argument("config", type=Path, help="a file of configs/train/")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with cxr/, cxr_more/, reports/, mri/ and init/"
    )
    parser.add_argument("--out", type=Path, required=True, help="where the weights folder is written")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads (default: torch's own choice)")
    options = parser.parse_args(arguments)
    try:
        return run(options.config, options.data, options.out, options.threads)
    except MedmmError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)


def run(config_file: Path, data_dir: Path, out_dir: Path, threads: int | None) -> int:
    """Train one task."""
    config = yaml.safe_load(config_file.read_text(encoding="utf-8"))
    if config.get("task") not in TASKS:
        raise ConfigError(
            f"unknown task {config.get('task')!r}",
            remedy=f"use one of {', '.join(TASKS)}",
            file=str(config_file),
        )
    if threads:
        torch.set_num_threads(threads)
    start = time.monotonic()
    task = importlib.import_module(TASKS[config["task"]])
    task.train(config, data_dir, out_dir, quiet=not sys.stderr.isatty())
    write_json(
        out_dir / "run.json",
        {
            "config_sha256": sha256_of(config_file),
            "files": {p.name: sha256_of(p) for p in sorted(out_dir.iterdir()) if p.name != "run.json"},
            "seconds": round(time.monotonic() - start),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
