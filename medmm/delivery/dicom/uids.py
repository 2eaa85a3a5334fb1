"""UIDs that a report's objects keep: sent again they are the same objects.

Source: DICOM PS3.5 B.2 (UUID derived UID), RFC 9562 (UUID of version 5, by name).
"""

from __future__ import annotations

import uuid

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "medmm/dicom")


def uid_of(*names: str) -> str:
    """Derive a UID under 2.25 from names; the same names give the same one."""
    return f"2.25.{uuid.uuid5(NAMESPACE, chr(0x1F).join(names)).int}"
