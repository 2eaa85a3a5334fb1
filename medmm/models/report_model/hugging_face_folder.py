"""The folder of an image-text-to-text model: what it lacks here, and its digest.

Loads no torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path

from medmm.domain.errors import ConfigError, InputError
from medmm.files import sha256_of
from medmm.models.weights.model_folder import files_of, json_mapping

# Their processors can't be built without it (seen with transformers 5.23), though the models run.
NEEDS_TORCHVISION = frozenset({"qwen2_vl", "qwen2_5_vl", "qwen3_vl", "smolvlm"})
MISSING = "missing"


def refuse_lacking_packages(folder: Path | None) -> None:
    """Refuse a model whose processor needs a package that is not installed.

    Raises: ConfigError that names it. A folder that can't be read is another matter.
    """
    if folder is None:
        return
    try:
        kind = json_mapping(folder / "config.json").get("model_type")
    except InputError:
        return
    if kind in NEEDS_TORCHVISION and importlib.util.find_spec("torchvision") is None:
        raise lacks_torchvision(folder, str(kind))


def lacks_torchvision(folder: Path, kind: str) -> ConfigError:
    """Build the error for a model whose processor can't be built without torchvision."""
    return ConfigError(
        f"the processor of a {kind} model needs torchvision, which is not installed",
        remedy="pip install the torchvision of this torch, or name another model as writer_path",
        writer_path=str(folder),
    )


def checked_files(folder: Path) -> dict[str, int]:
    """List name and bytes of the files of a model's folder.

    Raises: ConfigError if it holds pickles, code, links or other files that no model needs, or no
        safetensors.
    """
    try:
        sizes = files_of(folder)
    except InputError as error:
        where = {**error.where, "writer_path": str(folder)}
        raise ConfigError(error.problem, remedy=error.remedy, **where) from error
    if not any(name.endswith(".safetensors") for name in sizes):
        raise ConfigError(
            "the folder holds no safetensors",
            remedy="save the model as safetensors",
            writer_path=str(folder),
        )
    return sizes


def folder_digest(folder: Path) -> str:
    """Digest all files of a folder: SHA-256 in hex; "missing" if it can't be read.

    They are read anew only if a size or a time of change differs from before.
    """
    try:
        stats = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
        seen = tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
        return _digest(folder, seen)
    except OSError:
        return MISSING


@lru_cache(maxsize=8)
def _digest(folder: Path, seen: tuple[tuple[str, int, int], ...]) -> str:
    files = [name for name, *_ in seen if (folder / name).is_file()]
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
