"""What networks see in a study; torch is loaded by opening one, not by importing this."""

from __future__ import annotations

import importlib
from typing import Any

from medmm.models.film_backends import film_backend_words, refuse_lacking_runtime
from medmm.models.installed_models import Adopted
from medmm.models.networks import Networks, device_name, language_model, picture_kinds
from medmm.models.report_model.hugging_face_folder import refuse_lacking_packages
from medmm.models.weights.catalogue import CatalogueRow, is_packaged

__all__ = [
    "Adopted",
    "CatalogueRow",
    "Networks",
    "device_name",
    "film_backend_words",
    "is_packaged",
    "language_model",
    "picture_kinds",
    "refuse_lacking_packages",
    "refuse_lacking_runtime",
]
MULTIMODAL = (
    "MedMMConfig",
    "MedMMForConditionalGeneration",
    "MedMMImageProcessor",
    "MedMMProcessor",
)


def __getattr__(name: str) -> Any:
    """Load the classes of the multimodal model, with transformers, when they are asked for."""
    if name in MULTIMODAL:
        return getattr(importlib.import_module("medmm.models.report_model.multimodal"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
