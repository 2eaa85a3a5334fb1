"""What the door for images makes of the MR files of a test."""

from __future__ import annotations

from pathlib import Path

from medmm.domain.study import Study
from medmm.imaging import Intake, read_studies


def only(path: Path, released: dict[str, frozenset[str]] | None = None) -> Intake:
    """The one intake of a path."""
    (intake,) = read_studies(path, patient_secret=b"x", released=released or {})
    return intake


def study(path: Path) -> Study:
    """The one study of a path."""
    outcome = only(path).outcome
    assert isinstance(outcome, Study), outcome
    return outcome
