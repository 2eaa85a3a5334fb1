"""The table of docs/corpus.md by pixels alone, from `evaluation.json` beside the weights of film-kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medmm.evaluation.cards.film_kind import silent_tables
from medmm.evaluation.cards.tables import table

EVALUATION = (
    Path(__file__).resolve().parents[2] / "medmm" / "weights" / "film-kind" / "evaluation.json"
)
FRONTAL_TARGET, STRANGE_TARGET = 0.97, 0.95
BY_SIZE = ("too-small",)


def by_pixels_md() -> str:
    """Every picture was written as a DICOM file whose tags say CHEST PA; the gate was not built on these pictures."""
    found: dict[str, Any] = json.loads(EVALUATION.read_text(encoding="utf-8"))
    rows = dict(sorted(found["rows"].items(), key=lambda item: (not item[1]["frontal"], item[0])))
    header = [
        "picture",
        "pictures",
        "accepted",
        "held",
        "refused",
        "right, 95 % interval",
        "stopped as",
    ]
    lines = [
        [
            name,
            str(row["right"]["of"]),
            *(str(row[word] or "") for word in ("accepted", "held", "refused")),
            percent(row["right"]),
            ", ".join(f"{reason} {count}" for reason, count in row["reasons"].items()),
        ]
        for name, row in rows.items()
    ]
    totals = [
        ["frontal films of adults accepted", percent(found["frontal_adults_accepted"]), f"at least {FRONTAL_TARGET:.0%}"],
        ["everything else refused (lateral films and other kinds)", percent(found["strange_refused"]), f"at least {STRANGE_TARGET:.0%}"],
        ["turned, mirrored or inverted films held or refused", percent(found["turned_not_accepted"]), "none set"],
    ]  # fmt: skip
    alone = [
        name for name, row in rows.items() if row["reasons"] and set(row["reasons"]) <= set(BY_SIZE)
    ]
    below = [
        f"{name} ({row['right']['value']:.1%})"
        for name, row in rows.items()
        if row["right"]["value"] < (FRONTAL_TARGET if row["frontal"] else STRANGE_TARGET)
    ]
    return (
        "## By pixels alone\n\nPictures written as DICOM whose tags all say chest, PA, adult, upright, so that only the pixels can "
        "stop them; none of them was used to build the gate. Intervals are Wilson's. Right is accepted for a frontal film, held "
        "or refused for anything else.\n\n"
        + table(["what", "share", "target"], totals)
        + "\n"
        + table(header, lines)
        + f"\nBelow the target by itself: {', '.join(below) or 'no row'}. Size alone decides for: {', '.join(alone)}; these say nothing about the network. Rows of two or three pictures are "
        "there because the shared data hold no more of their kind. The inverted, upside-down, mirrored and rotated films are made "
        "from the NIH films above.\n\n### Where no tag names body part or view, and where the film is collimated\n\n"
        + silent_tables(found)
    )


def percent(share: dict[str, Any]) -> str:
    """A share with its count and interval."""
    return f"{share['value']:.1%} ({share['count']}/{share['of']}) [{share['low']:.1%}, {share['high']:.1%}]"
