"""Labels of public sets as names of the vocabulary: `data/label_names.csv`.

A label with several rows means several findings. Where `sure` is "no" the label leaves a finding
open: it is unknown then, neither present nor absent. A label without a finding, or without a row,
has none: it is left out and counted.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from medmm.domain.errors import InputError

Uncertain = Literal["ignore", "positive", "negative"]
Findings = dict[str, float | None]
_SETTLED: dict[str, float | None] = {"ignore": None, "positive": 1.0, "negative": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMeaning:
    """What a label says: a finding, and whether it is sure; all `parts` must be stated."""

    parts: frozenset[str]
    finding: str
    sure: bool


@cache
def meanings(source: str) -> Mapping[str, tuple[LabelMeaning, ...]]:
    """Map label heads of a source, in lower case, to the findings that they may mean.

    The head of "Thickening/pleura" is "thickening".
    """
    text = files("medmm.training").joinpath("data/label_names.csv").read_text(encoding="utf-8")
    found: defaultdict[str, list[LabelMeaning]] = defaultdict(list)
    for row in csv.DictReader(text.splitlines()):
        if row["source"] == source and row["finding"]:
            head, *parts = row["label"].lower().split("/")
            meaning = LabelMeaning(
                parts=frozenset(parts), finding=row["finding"], sure=row["sure"] == "yes"
            )
            found[head].append(meaning)
    return {head: tuple(rows) for head, rows in found.items()}


def sure_labels(source: str) -> Iterator[tuple[str, LabelMeaning]]:
    """Yield labels of a source, in lower case, that surely mean one finding by themselves."""
    for label, rows in meanings(source).items():
        if len(rows) == 1 and rows[0].sure and not rows[0].parts:
            yield label, rows[0]


@cache
def labelled(source: str) -> tuple[str, ...]:
    """List the findings that a source labels."""
    return tuple(sorted({m.finding for rows in meanings(source).values() for m in rows if m.sure}))


def meant(source: str, label: str) -> Iterator[LabelMeaning]:
    """Yield what a stated label ("Thickening/pleura/left") says.

    Nothing comes if the vocabulary has no such finding.
    """
    head, *parts = label.lower().split("/")
    return (m for m in meanings(source).get(head, ()) if m.parts <= set(parts))


def settled(value: float | None, uncertain: Uncertain) -> float | None:
    """Settle a label of 1, 0, -1 (uncertain) or None by the policy for uncertain ones.

    Raises: InputError for other values.
    """
    check_policy(uncertain)
    if value == -1:
        return _SETTLED[uncertain]
    if value not in (0, 1, None):
        raise InputError(f"a label of {value:g}", remedy="labels are 1, 0, -1 or empty")
    return value


def check_policy(uncertain: str) -> None:
    """Refuse an unknown policy for uncertain labels.

    Raises: InputError if there is no such policy.
    """
    if uncertain not in get_args(Uncertain):
        raise InputError(
            f"no policy {uncertain!r} for uncertain labels", remedy=f"use {', '.join(_SETTLED)}"
        )


def from_list(source: str, stated: Iterable[str]) -> tuple[Findings, tuple[str, ...]]:
    """Read findings from a set that lists what is present; the rest is absent.

    Returns: the findings, and labels without one.
    """
    findings: Findings = dict.fromkeys(labelled(source), 0.0)
    nameless: list[str] = []
    said: list[LabelMeaning] = []
    for label in stated:
        found = tuple(meant(source, label))
        said += found
        if not found:
            nameless.append(label)
    for meaning in sorted(said, key=lambda m: m.sure):  # what is sure has the last word
        findings[meaning.finding] = 1.0 if meaning.sure else None
    return findings, tuple(nameless)


def from_grades(source: str, grades: Mapping[str, float | None], uncertain: Uncertain) -> Findings:
    """Read findings from a set that grades each label 1, 0, -1 or None (not mentioned)."""
    return {
        m.finding: settled(value, uncertain)
        for label, value in grades.items()
        for m in meant(source, label)
    }
