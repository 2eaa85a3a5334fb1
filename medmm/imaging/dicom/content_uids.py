"""UIDs for objects that state none, derived from their content: equal content, equal UID."""

from __future__ import annotations

from uuid import NAMESPACE_OID, uuid5


def content_uid(level: str, sha256: str) -> str:
    """Derive a UID of the form 2.25.N, N a name-based UUID as a decimal (PS3.5 B.2).

    Args:
        level: "study", "series" or "image".
        sha256: digest of the content.
    """
    return f"2.25.{uuid5(NAMESPACE_OID, f'medmm {level} {sha256}').int}"
