"""medmm drafts findings from medical images and the patient's record; a clinician decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medmm.domain.version import __version__

__all__ = ["Assistant", "__version__"]

if TYPE_CHECKING:
    from medmm.assistant import Assistant


def __getattr__(name: str) -> Any:
    """Import the door on first use, so that `import medmm` stays light (no torch, no pydicom)."""
    if name == "Assistant":
        from medmm.assistant import Assistant

        return Assistant
    raise AttributeError(f"module 'medmm' has no attribute {name!r}")
