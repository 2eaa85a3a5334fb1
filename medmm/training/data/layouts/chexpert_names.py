"""The 14 labels of CheXpert and MIMIC-CXR-JPG, to findings of the vocabulary."""

from __future__ import annotations

from pathlib import Path

from medmm.language.report_labeller import DEVICES, LABELS, NO_FINDING
from medmm.training.data.layouts.label_map import Findings, Uncertain, from_grades, labelled, meant
from medmm.training.data.layouts.tables import grade

SOURCE = "chexpert"


def chexpert_findings(
    row: dict[str, str], path: Path, uncertain: Uncertain
) -> tuple[Findings, tuple[str, ...]]:
    """Return the findings of a line, and its present labels that have no finding.

    A label is 1, 0, -1 or empty (not mentioned). Where No Finding is 1 the empty ones are absent,
    because that says that none of the others is present or uncertain; it says nothing of devices
    (Irvin et al., AAAI 2019, section 3).
    Raises: InputError for a label of another value.
    """
    grades = {label: grade(row, label, path) for label in LABELS}
    if grades[NO_FINDING] == 1:
        grades |= {n: 0.0 for n, value in grades.items() if value is None and n != DEVICES}
    nameless = (
        n
        for n, value in grades.items()
        if value == 1 and n != NO_FINDING and not any(meant(SOURCE, n))
    )
    return from_grades(SOURCE, grades, uncertain), tuple(nameless)


def unknown_findings() -> Findings:
    """Return every finding that CheXpert labels as unknown."""
    return dict.fromkeys(labelled(SOURCE))
