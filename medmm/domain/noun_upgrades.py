"""How nouns changed since they were first kept: earlier JSON in this release's form.

A field that a noun gains has a default and needs no row here. A field that is renamed, moved or
takes its first value from others does: the noun's form goes up by one, and `to_json` writes it
beside the `type` if it is not the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Json = Mapping[str, Any]


def _draft_with_author(data: Json) -> Json:
    """Add who made a draft, which said only whose words it is in.

    It was always the writer.
    """
    return {**data, "author": {"type": "Author", "kind": "writer", "id": data["writer"]}}


UPGRADES: Mapping[str, tuple[Callable[[Json], Json], ...]] = {"Draft": (_draft_with_author,)}


def form_of(noun: str) -> int:
    """Say which form of a noun this release writes, counted from 1."""
    return 1 + len(UPGRADES.get(noun, ()))


def upgraded(noun: str, form: int, data: Json) -> Json:
    """Bring the JSON object of a noun from an earlier form to that of this release.

    Raises: ValueError if there is no such form yet.
    """
    if not 1 <= form <= form_of(noun):
        raise ValueError(f"form {form} of {noun}, which this release does not know")
    for step in UPGRADES.get(noun, ())[form - 1 :]:
        data = step(data)
    return data
