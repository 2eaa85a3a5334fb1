"""medmm drafts findings from medical images and the patient's record; a clinician decides."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from medmm.domain.version import __version__

if TYPE_CHECKING:
    from medmm.assistant import Assistant
    from medmm.domain.errors import (
        ConfigError,
        InputError,
        IntegrityError,
        MedmmError,
        PermissionDenied,
        StateError,
        Unavailable,
    )
    from medmm.domain.read_task import ReadTask
    from medmm.domain.report import Accept, Add, Edit, Impression, Reader, Reject
    from medmm.domain.study import NotEvaluable

_ERRORS = (
    "ConfigError",
    "InputError",
    "IntegrityError",
    "MedmmError",
    "PermissionDenied",
    "StateError",
    "Unavailable",
)
_HOMES = {
    "Assistant": "medmm.assistant",
    **dict.fromkeys(_ERRORS, "medmm.domain.errors"),
    **dict.fromkeys(
        ("Accept", "Add", "Edit", "Impression", "Reader", "Reject"), "medmm.domain.report"
    ),
    "NotEvaluable": "medmm.domain.study",
    "ReadTask": "medmm.domain.read_task",
}
__all__ = [
    "Accept",
    "Add",
    "Assistant",
    "ConfigError",
    "Edit",
    "Impression",
    "InputError",
    "IntegrityError",
    "MedmmError",
    "NotEvaluable",
    "PermissionDenied",
    "ReadTask",
    "Reader",
    "Reject",
    "StateError",
    "Unavailable",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a name on first use, so that `import medmm` stays light (no torch, no pydicom)."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'medmm' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, also those that are not loaded yet."""
    return sorted({*globals(), *__all__})
