"""Values, units, measurements and places in print."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from medmm.domain.draft import MeasurementEvidence, Statement
from medmm.domain.plain_text import clean
from medmm.domain.reading import Extent
from medmm.domain.record import Quantity
from medmm.domain.vocabulary import measurement_terms

# UCUM codes and parts of them (UCUM 2.2, print symbols); data for machines keep the code.
WHOLE_UNITS = {"1": "", "[pH]": "", "a": "years", "mo": "months", "wk": "weeks", "d": "days"}
UNIT_PARTS = {
    "Cel": "°C", "[degF]": "°F", "mm[Hg]": "mmHg", "cm[H2O]": "cmH2O", "[IU]": "IU", "[iU]": "IU",
    "m[IU]": "mIU", "u[IU]": "µIU", "k[IU]": "kIU", "[in_i]": "in", "[ft_i]": "ft", "[lb_av]": "lb",
    "[oz_av]": "oz", "10*3": "10³", "10*6": "10⁶", "10*9": "10⁹", "10*12": "10¹²", "m2": "m²",
    "cm2": "cm²", "{1.73_m2}": "1.73 m²", "ug": "µg", "umol": "µmol", "uL": "µL", "um": "µm",
    "us": "µs", "ukat": "µkat",
}  # fmt: skip


def unit_words(ucum: str) -> str:
    """Print a UCUM unit ("Cel" as "°C"); what the tables do not know stays as it is."""
    if ucum in WHOLE_UNITS:
        return WHOLE_UNITS[ucum]
    return clean("/".join(UNIT_PARTS.get(part, part) for part in ucum.split("/")))


def quantity_words(value: Quantity) -> str:
    """Print a value with comparator and unit, all digits and no exponent."""
    number = value.written or digits(value.value)
    return f"{value.comparator or ''}{number} {unit_words(value.unit)}".strip()


def digits(number: float) -> str:
    """Print a number without exponent, with all digits that tell it from its neighbours."""
    text = format(Decimal(float.__repr__(float(number))), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def figures(numbers: tuple[float, ...], least_decimals: int) -> tuple[str, ...]:
    """Print numbers of one quantity with the same decimals.

    There are so many that none is rounded away (by 5 % or 0.004), and 4 at most.
    """
    for decimals in range(least_decimals, 5):
        texts = tuple(f"{number:.{decimals}f}" for number in numbers)
        if all(
            abs(float(t) - n) <= max(0.05 * abs(n), 0.004)
            for t, n in zip(texts, numbers, strict=True)
        ):
            break
    return tuple(text.removeprefix("-") if float(text) == 0 else text for text in texts)


def measured_words(
    name: str, unit: str, value: float, interval: tuple[float, float]
) -> tuple[str, str]:
    """Print a measured value and its interval, each with its unit.

    Their decimals are those of the row of the vocabulary.
    """
    term = measurement_terms().get(name)
    number, low, high = figures((value, *interval), term.decimals if term else 2)
    after = f" {unit_words(unit)}".rstrip()
    return f"{number}{after}", f"{low} to {high}{after}"


MEASURED_HEAD = ("no.", "measured", "side", "value", "95 % interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRow:
    """One line of a table of measurements, all of it as it is printed."""

    statement: str
    name: str
    side: str
    value: str
    interval: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The line under `MEASURED_HEAD`."""
        return self.statement, self.name, self.side, self.value, self.interval


def measurement_rows(statements: Iterable[Statement]) -> tuple[MeasurementRow, ...]:
    """List what statements state as measured, with 95 % intervals, in their order."""
    return tuple(
        MeasurementRow(
            statement=statement.id,
            name=term.words if (term := measurement_terms().get(item.name)) else item.name,
            side=statement.side.value if statement.side else "",
            value=words[0],
            interval=words[1],
        )
        for statement in statements
        if statement.summarises is None
        for item in statement.evidence
        if isinstance(item, MeasurementEvidence)
        for words in [measured_words(item.name, item.unit, item.value, item.interval)]
    )


def slice_words(extent: Extent, slice_total: int | None = None) -> str:
    """Count slices as people do, from 1: "slices 34 to 61 of 155 (20 of them)"."""
    first, last = (index + 1 for index in extent.slices)
    total = f" of {slice_total}" if slice_total else ""
    if first == last:
        return f"slice {first}{total}"
    gaps = "" if extent.slice_count == last - first + 1 else f" ({extent.slice_count} of them)"
    return f"slices {first} to {last}{total}{gaps}"


def extent_words(extent: Extent) -> str:
    """Say where labelled voxels lie, in one line."""
    z, y, x = extent.centroid_index_zyx
    centre = f"centre at slice {z + 1:.0f}, row {y + 1:.0f}, column {x + 1:.0f}"
    if extent.centroid_lps_mm is not None:
        centre += " (LPS {}, {}, {} mm)".format(*map(round, extent.centroid_lps_mm))
    side = extent.side.phrase if extent.side else "no side named"
    return (
        f"marked as {extent.label} in {extent.label_map}: {slice_words(extent)}, {centre}, {side}"
    )
