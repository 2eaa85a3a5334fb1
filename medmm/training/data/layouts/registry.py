"""The layouts by name, and the one way to read them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from medmm.domain.errors import InputError
from medmm.training.data.layouts import chexpert, dicom_folder, mimic_cxr, nih, open_i, padchest
from medmm.training.data.layouts.collector import counted
from medmm.training.data.layouts.label_map import Uncertain, check_policy
from medmm.training.data.layouts.reported_film import Layout


class ReadsLayout(Protocol):
    """Reads a folder in one layout."""

    def __call__(
        self, folder: Path, *, uncertain: Uncertain = "ignore", partial: bool = False
    ) -> Layout:
        """Read a folder as `read_layout` does."""


LAYOUTS: dict[str, ReadsLayout] = {
    module.NAME: module.read
    for module in (open_i, mimic_cxr, chexpert, nih, padchest, dicom_folder)
}


def read_layout(
    name: str, folder: Path, *, uncertain: Uncertain = "ignore", partial: bool = False
) -> Layout:
    """Read the frontal films of a folder.

    Args:
        uncertain: what an uncertain label becomes: unknown ("ignore"), 1 ("positive") or 0
            ("negative").
        partial: whether films that the table names may be missing; they are counted then.

    Raises: InputError if there is no such layout, policy or folder, if a table, a column or a film
        is missing, or if no frontal film is left.
    """
    if name not in LAYOUTS:
        raise InputError(f"no layout {name!r}", remedy=f"use {', '.join(LAYOUTS)}")
    check_policy(uncertain)
    if not folder.is_dir():
        raise InputError("no such folder", remedy="name the folder of the films", path=str(folder))
    layout = LAYOUTS[name](folder, uncertain=uncertain, partial=partial)
    if not layout.films:
        why = counted(layout.left_out) if layout.left_out else "the table is empty"
        raise InputError(
            f"no frontal film is left ({why})", remedy="check the folder", path=str(folder)
        )
    return layout
