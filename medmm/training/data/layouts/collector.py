"""What a reader of a layout collects: films, and a count by reason of what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medmm.domain.errors import InputError
from medmm.training.data.layouts.reported_film import Layout, ReportedFilm


@dataclass(kw_only=True)
class Collector:
    """Collects films; with `partial` the folder holds only some, and missing ones are counted."""

    name: str
    partial: bool
    films: list[ReportedFilm] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def leave_out(self, reason: str, times: int = 1) -> None:
        """Count what was left out; no time is no entry."""
        if times:
            self.left_out[reason] += times

    def leave_out_labels(self, labels: Iterable[str]) -> None:
        """Count labels that were present on a given film and have no finding in the vocabulary."""
        self.left_out.update(f"label {label}" for label in labels)

    def first_there(self, *paths: Path) -> Path | None:
        """Return the first of the places where a film may lie that holds it.

        Returns: None, and counted, if a partial folder does not hold it.
        Raises: InputError if it is in none.
        """
        for path in paths:
            if path.is_file():
                return path
        if not self.partial:
            raise InputError(
                "a film of the table is not there",
                remedy="fetch it, or say that the folder is partial",
                layout=self.name,
                path=str(paths[0]),
            )
        self.leave_out("film not there")
        return None

    def layout(self) -> Layout:
        """Return all of it.

        Raises: InputError if a patient is in two splits or a film was listed twice.
        """
        return Layout(name=self.name, films=tuple(self.films), left_out=dict(self.left_out))


def counted(left_out: Mapping[str, int]) -> str:
    """Say what was left out, by reason with its count, most first; "nothing" if nothing was."""
    rows = sorted(left_out.items(), key=lambda row: (-row[1], row[0]))
    return "; ".join(f"{count} x {reason}" for reason, count in rows) or "nothing"
