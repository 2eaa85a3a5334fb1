"""Train the weights that a YAML file describes: `python -m pipelines.train CONFIG --data DIR --out DIR`.

With `--calibrate` a trained folder is calibrated anew and nothing is trained.
"""

from __future__ import annotations

import argparse
import importlib
import logging
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
    "chest-report": "medmm.training.chest_report",
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
    parser.add_argument(
        "--calibrate", action="store_true", help="only write calibration.json of --out anew (chest-findings)"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return run(options.config, options.data, options.out, options.threads, only_calibrate=options.calibrate)
    except MedmmError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)


def run(config_file: Path, data_dir: Path, out_dir: Path, threads: int | None, *, only_calibrate: bool = False) -> int:
    """Train one task, or calibrate what was trained."""
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
    if only_calibrate:
        if not hasattr(task, "calibrate"):
            raise ConfigError(
                f"{config['task']} has no calibration of its own", remedy="train it again", file=str(config_file)
            )
        task.calibrate(out_dir, data_dir, quiet=not sys.stderr.isatty())
        return 0
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
