"""What the shared data keep for validation and test: no public set brings it back.

The shared data hold films of NIH ChestX-ray14 and of Open-i. In a folder of these sets their
patients are found again by number, and in any folder their films by name.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from medmm.domain.errors import InputError
from medmm.training.data.films import EXTERNAL_TABLE, MORE_TABLE, NIH_TABLE
from medmm.training.data.layouts import Layout, ReportedFilm, nih, open_i

Person = tuple[str, str]  # the set and the patient's number in it
HELD = ("val", "test")


def person(layout: str, patient: str) -> Person:
    """Identify a patient across folders of a set.

    "CXR12" of Open-i is 12 of the shared data, "0012" of NIH is 12.
    """
    number = re.fullmatch(r"(?:CXR)?0*(\d+)", patient)
    return layout, number[1] if number and layout in (nih.NAME, open_i.NAME) else patient


def refuse_held_back(learned: AbstractSet[Any], held_back: AbstractSet[Any]) -> None:
    """Refuse patients of val or test among those to learn from.

    Raises: InputError if there is one.
    """
    if both := learned & held_back:
        raise InputError(
            "patients of val or test are among those to learn from",
            remedy="correct the splits of the table: each patient is in one",
            patients=str(len(both)),
        )


def refuse_other_splits(splits: AbstractSet[str]) -> None:
    """Refuse films to learn from that are not of train alone, or none at all.

    Raises: InputError in either case.
    """
    if splits != {"train"}:
        raise InputError(
            "what is to be learned from is not of train alone"
            if splits
            else "there is nothing to learn from",
            remedy="name reports of the split train",
            splits=", ".join(sorted(splits)) or "none",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """Patients and film names that nothing may learn from, and names learned from already."""

    people: frozenset[Person]
    names: frozenset[str]
    learned: frozenset[str]

    @classmethod
    def of(cls, data_dir: Path) -> Holdout:
        """Build it from the tables of the shared data; empty if they are not there."""
        people: set[Person] = set()
        names: set[str] = set()
        learned: set[str] = set()
        for row in [*_rows(data_dir / NIH_TABLE), *_rows(data_dir / MORE_TABLE)]:
            held = row["split"] in HELD
            (names if held else learned).add(PurePosixPath(row["file"]).stem)
            if held:
                people.add(person(nih.NAME, row["patient"]))
        for row in _rows(data_dir / EXTERNAL_TABLE):
            names.add(PurePosixPath(row["file"]).stem)
            if number := re.fullmatch(r"openi_(\d+)", PurePosixPath(row["file"]).stem):
                people.add(person(open_i.NAME, number[1]))
        people |= _reported(data_dir / "reports" / "reports.jsonl")
        return cls(people=frozenset(people), names=frozenset(names), learned=frozenset(learned))

    def without(
        self, layout: Layout, films: Iterable[ReportedFilm]
    ) -> tuple[list[ReportedFilm], Counter[str]]:
        """Return the films of a layout that may be learned from, and how many are left out.

        The latter are counted by reason.
        """
        kept, left_out = [], Counter[str]()
        for film in films:
            reason = self._against(layout.name, film)
            if reason is None:
                kept.append(film)
            else:
                left_out[reason] += 1
        return kept, left_out

    def _against(self, layout: str, film: ReportedFilm) -> str | None:
        if person(layout, film.patient) in self.people:
            return "patient held back by the shared data"
        name = PurePosixPath(film.uid).stem
        return (
            "film held back by the shared data"
            if name in self.names
            else ("film of the shared data" if name in self.learned else None)
        )


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _reported(path: Path) -> set[Person]:
    if not path.is_file():
        return set()
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {person(open_i.NAME, str(row["uid"])) for row in rows if row["split"] in HELD}
