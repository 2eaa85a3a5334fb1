"""What networks see in a study. Importing this room loads no torch; opening a network does."""

from __future__ import annotations

import importlib
from typing import Any

from medmm.models.installed_models import Adopted
from medmm.models.networks import Networks, device_name, language_model, picture_kinds
from medmm.models.weights.catalogue import CatalogueRow

__all__ = [
    "Adopted",
    "CatalogueRow",
    "Networks",
    "device_name",
    "language_model",
    "picture_kinds",
]
MULTIMODAL = (
    "MedMMConfig",
    "MedMMForConditionalGeneration",
    "MedMMImageProcessor",
    "MedMMProcessor",
)


def __getattr__(name: str) -> Any:
    """The classes of the multimodal model, loaded with transformers when they are first asked for."""
    if name in MULTIMODAL:
        return getattr(importlib.import_module("medmm.models.report_model.multimodal"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
