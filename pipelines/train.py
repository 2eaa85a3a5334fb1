"""Train the weights that a YAML file describes.

Run it as `python -m pipelines.train CONFIG --data DIR --out DIR`.

A recipe of chest-report may name an `encoder_recipe` of chest-findings, which is then trained first
in the same run. A run of chest-report, hippocampus, brain-lesion or cardiac that was stopped
(Ctrl-C, SIGTERM, a power cut) goes on where it stood when the same command is given again: there is
no option for it. With `--calibrate` a trained folder is calibrated anew and nothing is trained.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
import yaml

from medmm.domain.errors import ConfigError, MedmmError, exit_code
from medmm.files import sha256_of
from medmm.models.weights.catalogue import row_named
from medmm.training.recipes import SHARED, recipe_of
from medmm.training.weights_export import write_json, write_manifest

TASKS = {
    "chest-findings": "medmm.training.film.chest_findings",
    "chest-anatomy": "medmm.training.film.chest_anatomy",
    "film-kind": "medmm.training.film.film_kind",
    "chest-report": "medmm.training.reports.chest_report",
    "hippocampus": "medmm.training.mr.volume_networks",
    "brain-lesion": "medmm.training.mr.volume_networks",
    "cardiac": "medmm.training.mr.volume_networks",
}
STOPPED = 130  # 128 and SIGINT, as shells have it
log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Parse, train, write the run's manifest. Returns: the exit code."""
    parser = argparse.ArgumentParser(prog="pipelines.train", description=__doc__)
    parser.add_argument("config", type=Path, help="a file of configs/train/")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder with cxr/, cxr_more/, reports/, mri/ and init/",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="where the weights folder is written; a run that can go on stands beside it, in "
        "OUT-run",
    )
    parser.add_argument(
        "--threads", type=int, default=None, help="CPU threads (default: torch's own choice)"
    )
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="only write calibration.json of --out anew",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return run(
            options.config,
            options.data,
            options.out,
            options.threads,
            only_calibrate=options.calibrate,
        )
    except MedmmError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what was saved stays, and the same command goes on from there\n")
        return STOPPED


def run(
    config_file: Path,
    data_dir: Path,
    out_dir: Path,
    threads: int | None,
    *,
    only_calibrate: bool = False,
) -> int:
    """Train one task, or calibrate what was trained."""
    config = _content(config_file)
    recipe = recipe_of(config, file=str(config_file))
    if first := getattr(recipe, "encoder_recipe", None):  # beside the recipe that names it
        config = {**config, "encoder_recipe": str(config_file.parent / first)}
    if threads:
        torch.set_num_threads(threads)
    start = time.monotonic()
    task = importlib.import_module(TASKS[recipe.task])
    log.info("device: %s", _device(getattr(recipe, "device", "cpu")))
    if only_calibrate:
        if not hasattr(task, "calibrate"):
            raise ConfigError(
                f"{recipe.task} has no calibration of its own",
                remedy="train it again",
                file=str(config_file),
            )
        task.calibrate(out_dir, data_dir, quiet=not sys.stderr.isatty())
        return 0
    if hasattr(task, "run_folder"):
        log.info("run: %s, each stage or cycle with its curves.html", task.run_folder(out_dir))
    task.train(config, data_dir, out_dir, quiet=not sys.stderr.isatty())
    write_json(
        out_dir / "run.json",
        {
            "config_sha256": sha256_of(config_file),
            "files": {
                p.name: sha256_of(p) for p in sorted(out_dir.iterdir()) if p.name != "run.json"
            },
            "seconds": round(time.monotonic() - start),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    )
    row = row_named(recipe.task)
    terms = "" if _of_own_data(recipe) else row.licence
    write_manifest(
        out_dir, name=row.name, licence=terms, research_only=True, inputs={"config": config_file}
    )
    log.info(
        "next: medmm models add %s --name NAME%s", out_dir, "" if terms else " --licence TERMS"
    )
    return 0


def _of_own_data(recipe: Any) -> bool:
    """Tell whether something else than the shared data was learned from.

    Nobody here knows the terms of that.
    """
    folders = [
        *getattr(recipe, "layouts", []),
        *(r for r in getattr(recipe, "reports", []) if r != SHARED),
    ]
    return bool(folders) or any(
        getattr(recipe, name, None) is not None for name in ("start", "decoder")
    )


def _content(config_file: Path) -> Any:
    """Read a YAML file's content.

    Raises: ConfigError if it can't be read.
    """
    try:
        return yaml.safe_load(config_file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            "the recipe can't be read", remedy="give a YAML file", file=str(config_file)
        ) from error


def _device(name: str) -> str:
    """Name a device in words.

    Raises: ConfigError if it is not here.
    """
    if name == "cpu":
        return f"cpu, {torch.get_num_threads()} threads"
    if not torch.cuda.is_available():
        raise ConfigError(
            "the recipe asks for a GPU and none is here", remedy="set device: cpu", device=name
        )
    return f"{name}, {torch.cuda.get_device_name()}"


if __name__ == "__main__":
    # A stop while films are loaded ends as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
