"""The one configuration: YAML and `MEDMM_…` variables become one frozen tree.

Nothing else reads either.
"""

from __future__ import annotations

from medmm.config.entries import (
    CriticalEntry,
    DictationEntry,
    IdentifierEntry,
    ReaderEntry,
    ServerEntry,
    StoreEntry,
)
from medmm.config.loading import configs_dir, load_settings
from medmm.config.settings import Settings

__all__ = [
    "CriticalEntry",
    "DictationEntry",
    "IdentifierEntry",
    "ReaderEntry",
    "ServerEntry",
    "Settings",
    "StoreEntry",
    "configs_dir",
    "load_settings",
]
