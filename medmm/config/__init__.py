"""The one configuration: YAML and `MEDMM_…` variables become one frozen tree.

Nothing else reads either.
"""

from __future__ import annotations

from medmm.config.destinations import (
    ClientTlsEntry,
    Destination,
    DestinationEntry,
    FolderEntry,
    MllpEntry,
)
from medmm.config.entries import (
    CriticalEntry,
    DicomEntry,
    DictationEntry,
    Hl7Entry,
    IdentifierEntry,
    ReaderEntry,
    ServerEntry,
    StoreEntry,
)
from medmm.config.listening import CallerEntry, ListenEntry, TitleEntry, TlsEntry
from medmm.config.loading import configs_dir, load_settings
from medmm.config.orders import OrderCallerEntry, OrdersEntry
from medmm.config.serving import ServeEntry
from medmm.config.settings import Settings
from medmm.config.sign_in import SignInEntry, safe_address
from medmm.config.sources import DicomSource, DicomwebSource, FolderSource

__all__ = [
    "CallerEntry",
    "ClientTlsEntry",
    "CriticalEntry",
    "Destination",
    "DestinationEntry",
    "DicomEntry",
    "DicomSource",
    "DicomwebSource",
    "DictationEntry",
    "FolderEntry",
    "FolderSource",
    "Hl7Entry",
    "IdentifierEntry",
    "ListenEntry",
    "MllpEntry",
    "OrderCallerEntry",
    "OrdersEntry",
    "ReaderEntry",
    "ServeEntry",
    "ServerEntry",
    "Settings",
    "SignInEntry",
    "StoreEntry",
    "TitleEntry",
    "TlsEntry",
    "configs_dir",
    "load_settings",
    "safe_address",
]
