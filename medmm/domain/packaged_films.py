"""Films of a package, shown in the demo: what a person sees on them.

That is neither a report nor the truth.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from medmm.domain.study import Study


@cache
def _seen() -> dict[str, tuple[str, str]]:
    text = files("medmm.domain").joinpath("data/packaged_films.csv").read_text(encoding="utf-8")
    return {row["sha256"]: (row["name"], row["seen"]) for row in csv.DictReader(text.splitlines())}


def packaged_note(study: Study) -> str | None:
    """Return what must stand beside a draft of a packaged film; None for any other study."""
    found = next(
        (_seen()[volume.sha256] for volume in study.volumes if volume.sha256 in _seen()), None
    )
    if found is None:
        return None
    name, seen = found
    return (
        f"Demo film {name}: no report of it is known, so nobody can say here what of the draft "
        "is right. What a person sees who looks at it (the developers, not a radiologist; no "
        f"truth either): {seen}."
    )
