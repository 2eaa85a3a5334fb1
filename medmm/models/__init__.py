"""What networks see in a study. Importing this room loads no torch; `reader` does."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol

from medmm.domain.reading import Reading
from medmm.domain.study import Study

__all__ = ["ReadingModel", "device_name", "picture_kinds", "reader"]
MULTIMODAL = ("MedMMConfig", "MedMMForConditionalGeneration", "MedMMImageProcessor", "MedMMProcessor")


def __getattr__(name: str) -> Any:
    """The classes of the multimodal model, loaded with transformers when they are first asked for."""
    if name in MULTIMODAL:
        return getattr(importlib.import_module("medmm.models.multimodal"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class ReadingModel(Protocol):
    """Reads findings, regions, measurements and masks off a study's pixels."""

    def read(self, study: Study) -> Reading:
        """What the networks see; a study without a model for it gives a reading that says so."""
        ...


def reader(weights_dir: Path | None = None, *, device: str = "auto", threads: int | None = None) -> ReadingModel:
    """The reading model of the shipped (or another folder's) weights, loaded once.

    Raises: IntegrityError if a file of the weights was altered.
    """
    from medmm.models.chest_reader import ChestReader

    return ChestReader.open(weights_dir, device=device, threads=threads)


def picture_kinds(weights_dir: Path | None = None, *, device: str = "auto") -> Any:
    """What says of a film's pixels what kind of picture they are (`kind_of`); None where it is not installed.

    Raises: IntegrityError if a file of the weights was altered.
    """
    from medmm.models.catalogue import open_weights, row_named
    from medmm.models.film_kind import FilmKindModel
    from medmm.models.weights import torch_device

    weights = open_weights(row_named("film-kind"), weights_dir)
    return FilmKindModel.open(weights, torch_device(device)) if weights else None


def device_name(device: str) -> tuple[str, str]:
    """The torch device that `device` (auto, cpu, cuda) means here, and torch's version."""
    import torch

    from medmm.models.weights import torch_device

    return str(torch_device(device)), torch.__version__
