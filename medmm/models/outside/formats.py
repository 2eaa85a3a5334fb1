"""The formats of models of others, in the order in which a folder is held against them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.models.outside.declaration import FILE
from medmm.models.outside.examined import ModelFormat, refused
from medmm.models.outside.meshnet import MeshNetFormat
from medmm.models.outside.monai_bundle import MonaiBundleFormat
from medmm.models.outside.nnunet import NnUNetFormat
from medmm.models.outside.onnx import OnnxFormat
from medmm.models.outside.own_training import OwnTrainingFormat
from medmm.models.weights.model_folder import CODE

MOST_FILES = 200
PICKLES = (".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".keras")
FORMATS: tuple[ModelFormat, ...] = (
    OnnxFormat(),
    NnUNetFormat(),
    MonaiBundleFormat(),
    MeshNetFormat(),
)
KNOWN = (
    "an ONNX file, a MONAI bundle, a folder of pipelines.train, or the layers of a MeshNet with "
    "its parameters"
)


def is_outside(folder: Path) -> bool:
    """Say whether a folder declares a model of others, or has the format of one.

    One that holds a pipe or a device is neither: no file of it is opened.
    """
    if not folder.is_dir() or any(_is_special(path) for path in folder.rglob("*")):
        return False
    return (folder / FILE).exists() or any(one.recognises(folder) for one in FORMATS)


def _is_special(path: Path) -> bool:
    return not (path.is_symlink() or path.is_file() or path.is_dir())


def sizes_of(folder: Path) -> Mapping[str, int]:
    """List path and bytes of each file below a folder, without dotfiles.

    Raises: InputError for code, pickles, links, and more files than a model has.
    """
    sizes: dict[str, int] = {}
    try:
        for root, folders, names in os.walk(folder, onerror=_raised):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            for name in sorted((*folders, *names)):
                path = Path(root) / name
                place = path.relative_to(folder).as_posix()
                if path.is_symlink():
                    raise refused("a file is a link", "copy it (cp -rL)", file=place)
                if name.startswith(".") or name in folders:
                    continue
                if not path.is_file():
                    raise refused("a file is none", "leave it out", file=place)
                _allow(path, place)
                sizes[place] = path.stat().st_size
            if len(sizes) > MOST_FILES:
                raise refused(f"more than {MOST_FILES} files", "name the folder of one model")
    except OSError as error:
        raise InputError(
            f"the folder can't be read: {type(error).__name__}",
            remedy="name the folder of a model",
            path=str(folder),
        ) from error
    return sizes


def _raised(error: OSError) -> None:
    raise error


def _allow(path: Path, place: str) -> None:
    suffix = path.suffix.lower()
    if suffix in CODE:
        raise refused("a file is code", "leave it out: no code of a model is run", file=place)
    if suffix in PICKLES:
        raise refused(
            "a file may hold a pickle, which can run code",
            "save the parameters as safetensors",
            file=place,
        )


def format_of(folder: Path) -> ModelFormat:
    """Return the format of a folder. Raises: InputError if it is none that is known."""
    for one in (*FORMATS, OwnTrainingFormat()):
        if one.recognises(folder):
            return one
    raise refused("its format is not known", f"give {KNOWN}", path=str(folder))
