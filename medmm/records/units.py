"""UCUM units: what a written unit means, and a value in another unit of its dimension.

A table instead of a library, because clinical meaning hangs on what libraries drop: an annotation
that sets the quantity apart ({1.73_m2}, {FEU}), moles that need a molar mass, equivalents that need
a valence.
Source: The Unified Code for Units of Measure, version 2.2, sections 2 and 4.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medmm.domain.errors import IntegrityError

PREFIXES = {
    **{"E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "da": 1e1},
    **{"d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18},
}
OFFSETS_K = {"Cel": 273.15, "[degF]": 273.15 - 32 / 1.8}  # kelvins at zero
# Annotations that change the quantity: 80 mL/min/{1.73_m2} is not 80 mL/min.
MEANING = ("{1.73_m2}", "{FEU}", "{DDU}")
LONGEST = 60
COMPONENT = re.compile(
    r"(?P<atom>10[*^]|\d+(?![\d*^])|(?:[A-Za-z%']|"
    r"\[[^\[\]{}\s]+\])+)?(?P<exponent>[+-]?\d{1,2})?(?P<notes>(?:\{[^{}]*\})*)"
)
Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit as `value * factor + offset` of the base units of its dimension."""

    factor: float
    dimension: Dimension = ()
    offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Substance:
    """What turns moles and equivalents of one analyte into grams and moles; None if unknown."""

    g_per_mol: float | None = None
    valence: float | None = None


NO_SUBSTANCE = Substance()


@cache
def known_unit(written: str) -> str | None:
    """Return the UCUM code of a unit as written; None if neither words nor UCUM have it.

    The words come first, whatever their case: UCUM reads "C" as coulomb, "K/ul" as kelvin and "ft"
    as femtotonne.
    """
    folded = " ".join(written.translate(SAME).split())
    compact = folded.replace(" ", "")
    words = unit_words()
    found = words.get(folded.casefold()) or words.get(compact.casefold())
    return found or (compact if unit_of(compact) is not None else None)


def convert(value: float, unit: str, to: str, substance: Substance = NO_SUBSTANCE) -> float | None:
    """Convert a value to another unit, both UCUM codes.

    Returns: None if one is unknown or they don't measure the same.
    """
    if unit == to:
        return value
    one, other = unit_of(unit), unit_of(to)
    if one is None or other is None:
        return None
    bridge = _bridge(one.dimension, other.dimension, substance)
    return (
        None
        if bridge is None
        else (value * one.factor + one.offset) * bridge / other.factor
        - (other.offset / other.factor)
    )


def _bridge(one: Dimension, other: Dimension, substance: Substance) -> float | None:
    """Return the factor from one dimension to another.

    It is 1 if they are the same, else by molar mass and valence.
    """
    if one == other:
        return 1.0
    for power in (1, -1):
        for source, target, factor in _ways(substance):
            if _product([*one, (source, -power), (target, power)]) == other:
                return float(factor**power)
    return None


def _ways(substance: Substance) -> Iterator[tuple[str, str, float]]:
    mass, valence = substance.g_per_mol, substance.valence
    if mass:
        yield "mol", "g", mass
        yield "g", "mol", 1 / mass
    if valence:
        yield "eq", "mol", 1 / valence
        yield "mol", "eq", valence
    if mass and valence:
        yield "eq", "g", mass / valence
        yield "g", "eq", valence / mass


@cache
def unit_of(code: str) -> Unit | None:
    """Parse a UCUM code without parentheses; return None if it is not one.

    That is also so if it holds a unit that the table lacks.
    """
    if not code or len(code) > LONGEST or not code.isascii():
        return None
    terms = re.split(r"([./])", re.sub(r"\{[^{}]*\}", _no_separators, code))
    factor, offset, bases = 1.0, 0.0, []
    sign = 1
    for place, term in enumerate(terms):
        if place % 2:
            sign = -1 if term == "/" else 1
            continue
        if not term and place == 0 and len(terms) > 1:
            continue  # a leading "/"
        found = _component(term)
        if found is None or (found.offset and len(terms) > 1):
            return None
        factor *= found.factor**sign
        offset = found.offset
        bases += [(base, power * sign) for base, power in found.dimension]
    usable = math.isfinite(factor) and factor > 0
    return Unit(factor=factor, dimension=_product(bases), offset=offset) if usable else None


def _component(term: str) -> Unit | None:
    match = COMPONENT.fullmatch(term)
    if not term or match is None:
        return None
    notes = tuple((note, 1) for note in MEANING if note.replace(".", "\0") in match["notes"])
    atom, exponent = match["atom"], int(match["exponent"] or 1)
    if atom is None:
        return (
            Unit(factor=1.0, dimension=notes) if match["notes"] and not match["exponent"] else None
        )
    if atom.isdigit():
        return (
            Unit(factor=float(atom), dimension=notes)
            if int(atom) and not match["exponent"]
            else None
        )
    found = _atom(atom)
    if found is None or (found.offset and exponent != 1):
        return None
    powers = tuple((base, power * exponent) for base, power in found.dimension)
    return Unit(factor=found.factor**exponent, dimension=(*powers, *notes), offset=found.offset)


def _atom(atom: str) -> Unit | None:
    table = unit_table()
    if atom in table:
        return table[atom][0]
    for prefix, power in PREFIXES.items():
        found, metric = (
            table.get(atom.removeprefix(prefix), (None, False))
            if atom.startswith(prefix)
            else (None, False)
        )
        if found is not None and metric:
            return Unit(factor=power * found.factor, dimension=found.dimension, offset=found.offset)
    return None


def _no_separators(note: re.Match[str]) -> str:
    """Strip an annotation of what separates units."""
    return note.group().replace(".", "\0").replace("/", "\0")


def _product(bases: list[tuple[str, int]]) -> Dimension:
    powers: dict[str, int] = {}
    for base, power in bases:
        powers[base] = powers.get(base, 0) + power
    return tuple(sorted((base, power) for base, power in powers.items() if power))


@cache
def unit_table() -> dict[str, tuple[Unit, bool]]:
    """Read by UCUM code the unit, and whether it takes prefixes."""
    return {
        row["code"]: (
            Unit(
                factor=float(row["factor"]),
                dimension=_product(list(_bases(row["dimension"]))),
                offset=OFFSETS_K.get(row["code"], 0.0),
            ),
            row["metric"] == "yes",
        )
        for row in rows("ucum")
    }


def _bases(text: str) -> Iterator[tuple[str, int]]:
    for part in filter(None, text.split(".")):
        match = re.fullmatch(r"(.*?)(-?\d+)?", part)
        if match is None:
            raise IntegrityError(
                "the table of units can't be read", remedy="install medmm again", unit=part
            )
        yield match[1], int(match[2] or 1)


# One letter, several code points: micro sign and mu, superscripts, the multiplication sign.
SAME = str.maketrans(
    {"\u00b5": "u", "\u03bc": "u", "\u00b2": "2", "\u00b3": "3", "\u00d7": "x", "\u00ba": "\u00b0"}
)


@cache
def unit_words() -> dict[str, str]:
    """Read by unit in words, casefolded, the UCUM code."""
    return {row["words"]: row["ucum"] for row in rows("unit_words")}


def rows(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table of this room."""
    text = files("medmm.records").joinpath(f"data/{name}.csv").read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())
