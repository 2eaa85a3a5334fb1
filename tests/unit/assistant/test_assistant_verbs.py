"""The door itself: every public verb has its row of roles, and stays a thin door."""

from __future__ import annotations

import inspect
from pathlib import Path

import medmm.assistant
from medmm.assistant import Assistant
from medmm.domain.roles import role_table

# opening, closing; render is publish without files, to_sign a look at the case, studies one at a folder (inspect)
NOT_VERBS = {"from_config", "close", "reader_named", "render", "to_sign", "studies"}


def public() -> set[str]:
    return {name for name, _ in inspect.getmembers(Assistant, inspect.isfunction) if not name.startswith("_")}


def test_every_verb_has_a_row_and_every_row_a_verb() -> None:
    assert public() - NOT_VERBS == set(role_table())


def test_every_verb_is_documented_and_annotated() -> None:
    for name in public():
        method = getattr(Assistant, name)
        assert (method.__doc__ or "").strip(), name
        assert "return" in inspect.get_annotations(method), name


def test_the_door_stays_within_its_size() -> None:
    assert len(Path(medmm.assistant.__file__).read_text().splitlines()) <= 400
