"""What the folder of a model may hold: safetensors, JSON and texts; loads no torch."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medmm.domain.errors import InputError

MANIFEST, INDEX = "manifest.json", "model.safetensors.index.json"
# Pictures stand beside cards
KNOWN = (".safetensors", ".json", ".txt", ".model", ".md", ".jinja", ".png")
TEXTS = re.compile(r"(LICEN[CS]E|NOTICE|USE_POLICY)[\w.-]*", re.I)
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5")
CODE = (".py", ".pyc", ".so", ".ipynb", ".sh")
MOST_JSON_BYTES = 256 << 20


def files_of(folder: Path) -> dict[str, int]:
    """List name and bytes of each file of a model's folder, without dotfiles.

    Raises: InputError for pickles, code, links, folders within, files that no model needs, JSON
        that asks for code.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"the folder can't be read: {type(error).__name__}",
            remedy="name the folder of a model",
            path=str(folder),
        ) from error
    shown = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in shown:
        if entry.is_symlink():
            raise refused(
                "is a link", "copy the folder with its files (cp -rL) and add the copy", entry.name
            )
        if not entry.is_file(follow_symlinks=False):
            raise refused(
                "is not a file", "leave it out: a model's folder holds files alone", entry.name
            )
        _allow(entry.name)
    sizes = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in shown}
    for name in sizes:
        if name.endswith(".json"):
            for wish in wishes(read_json(folder / name)):
                raise refused(
                    f"asks for {wish}", "give a model that transformers builds by itself", name
                )
    return sizes


def _allow(name: str) -> None:
    suffix = Path(name).suffix.lower()
    if suffix in PICKLES:
        raise refused(
            "may hold a pickle, which can run code",
            "save the model as safetensors and leave it out",
            name,
        )
    if suffix in CODE:
        raise refused("is code", "leave it out: no code of a model is run", name)
    if name == "adapter_config.json":
        raise refused(
            "is an adapter's",
            "merge the adapter into its model first (peft: merge_and_unload)",
            name,
        )
    if suffix not in KNOWN and not TEXTS.fullmatch(name):
        raise refused("is a file that no model needs", "leave it out", name)


def refused(what: str, remedy: str, file: str) -> InputError:
    """Build the error for a file that keeps a folder out."""
    return InputError(f"the folder can't be taken: a file {what}", remedy=remedy, file=file)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises: InputError if it is not JSON, or beyond all measure.
    """
    try:
        if path.stat().st_size > MOST_JSON_BYTES:
            raise refused("is larger than any JSON of a model", "leave it out", path.name)
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            "a file of the model is missing", remedy="give the whole folder", file=path.name
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise refused(
            f"is not JSON ({type(error).__name__})", "save the model again", path.name
        ) from error


def json_mapping(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises: InputError if it is not one.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise refused("is not a JSON object", "save the model again", path.name)
    return value


def wishes(value: Any) -> Iterator[str]:
    """Yield what JSON of a model asks for and is not given.

    Such as code of its own, kernels from elsewhere, quantised parameters.
    """
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += [item for item in value if isinstance(item, (dict, list))]
        elif isinstance(value, dict):
            if "auto_map" in value:
                yield "code of its own (auto_map)"
            if "quantization_config" in value:
                yield "quantised parameters"
            yield from (
                "an attention kernel from elsewhere"
                for k, v in value.items()
                if "attn_implementation" in k and v and str(v) not in ("eager", "sdpa")
            )
            waiting += [item for item in value.values() if isinstance(item, (dict, list))]
