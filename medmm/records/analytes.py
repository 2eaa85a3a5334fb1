"""What is known of common laboratory values and vital signs: units, bounds, molar mass.

Their names are known too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from medmm.domain.record import Coding, Quantity
from medmm.records.units import NO_SUBSTANCE, Substance, convert, rows, unit_of

LOINC = "http://loinc.org"
LARGEST = 1e12  # no measured value of medicine is larger in any unit that is in use
SURE_LENGTH = 6  # shorter words of another analyte may be a part of something else
SUSPECTED_WORDS = {"1": "a fraction", "[degF]": "degrees Fahrenheit"}
ANNOTATION = re.compile(r"/?\{[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyte:
    """One LOINC code; `low` to `high` in `unit` is plausible, `suspects` are mistaken units.

    A suspect is a unit that the analyte's unit is mistaken for.

    `usual` are narrower bounds, given where a value in the wrong unit may still be plausible:
    beyond them a value is doubted only if it would be usual in a unit that it is mistaken for.
    """

    name: str
    words: tuple[str, ...]
    unit: str
    low: float
    high: float
    usual: tuple[float, float] | None
    suspects: tuple[str, ...]
    substance: Substance

    def holds(self, value: float, unit: str) -> bool:
        """Tell whether a value is plausible in this unit."""
        own = self.in_own_unit(value, unit)
        return own is not None and self.low <= own <= self.high

    def mistaken(self, value: float, unit: str) -> str | None:
        """Return the unit that a value was likely meant in.

        It is out of the usual in the stated unit and not in that one.
        """
        if self.usual is None or self._is_usual(value, unit):
            return None
        others = [other for other in (self.unit, *self.suspects) if other != unit]
        return next((other for other in others if self._is_usual(value, other)), None)

    def _is_usual(self, value: float, unit: str) -> bool:
        own = self.in_own_unit(value, unit)
        return own is not None and self.usual is not None and self.usual[0] <= own <= self.usual[1]

    def in_own_unit(self, value: float, unit: str) -> float | None:
        """Return the value in the analyte's own unit; None if the unit does not fit it.

        The code says what annotations say.
        """
        return convert(value, ANNOTATION.sub("", unit) or "1", self.unit, self.substance)


@cache
def analytes() -> dict[str, Analyte]:
    """Read what is known of each LOINC code."""
    return {
        row["loinc"]: Analyte(
            name=row["name"],
            words=tuple(row["words"].split("|")),
            unit=row["unit"],
            low=float(row["low"]),
            high=float(row["high"]),
            usual=_bounds(row["usual"]),
            suspects=tuple(filter(None, row["suspects"].split("|"))),
            substance=Substance(
                g_per_mol=float(row["g_per_mol"]) if row["g_per_mol"] else None,
                valence=float(row["valence"]) if row["valence"] else None,
            ),
        )
        for row in rows("analytes")
    }


def _bounds(text: str) -> tuple[float, float] | None:
    low, _, high = text.partition("|")
    return (float(low), float(high)) if high else None


def analyte_of(codings: Sequence[Coding]) -> Analyte | None:
    """Return the known analyte that a LOINC code among these names."""
    return next(
        (analytes()[c.code] for c in codings if c.system == LOINC and c.code in analytes()), None
    )


def substance_of(codings: Sequence[Coding]) -> Substance:
    """Return what turns moles of this analyte into grams."""
    analyte = analyte_of(codings)
    return analyte.substance if analyte else NO_SUBSTANCE


def takes_no_unit(codings: Sequence[Coding]) -> bool:
    """Tell whether the analyte is a plain number: a ratio, a score, a pH."""
    analyte = analyte_of(codings)
    own = unit_of(analyte.unit) if analyte else None
    return own is not None and own.dimension == () and own.factor == 1.0


def value_doubts(codings: Sequence[Coding], value: Quantity) -> Iterator[str]:
    """Say why a value should be doubted, with what is suspected; the value never changes."""
    analyte = analyte_of(codings)
    if analyte is None or (value.unit and unit_of(value.unit) is None):
        if abs(value.value) > LARGEST:
            yield "implausible value"
        return
    if not value.unit and not takes_no_unit(codings):
        return  # without a unit nothing can be said; that it lacks one is said
    unit = value.unit or "1"
    if analyte.in_own_unit(value.value, unit) is None:
        yield f"unit does not fit {analyte.name}"
    elif not analyte.holds(value.value, unit):
        units = dict.fromkeys((*analyte.suspects, analyte.unit))
        suspected = [
            SUSPECTED_WORDS.get(s, s) for s in units if s != unit and analyte.holds(value.value, s)
        ]
        yield "implausible value" + "".join(
            f", likely {'in ' * (s != 'a fraction')}{s}" for s in suspected[:1]
        )
    elif meant := analyte.mistaken(value.value, unit):
        yield f"implausible value, likely in {meant}"


def name_doubts(codings: Sequence[Coding], label: str) -> Iterator[str]:
    """Say whether the words name another analyte than the LOINC code does."""
    own = analyte_of(codings)
    said = " ".join([label, *(c.display or "" for c in codings)])
    if own is None or _names(own.words, said):
        return
    others = [
        a
        for a in analytes().values()
        if len(a.words[0]) >= SURE_LENGTH and _names(a.words[:1], said)
    ]
    if others:
        yield f"code and words disagree: the code means {own.name}"


def _names(words: Sequence[str], said: str) -> bool:
    return any(
        re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z])", said.casefold()) for word in words
    )
