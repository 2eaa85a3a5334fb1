"""G9: what was measured on labelled voxels follows from them, in the vocabulary's unit.

It is recomputed if that can be done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from medmm.domain.draft import Case, MeasurementEvidence, Statement
from medmm.domain.measurement_formulas import (
    ASYMMETRY,
    MYOCARDIUM_G_PER_ML,
    asymmetry_percent,
    ejection_fraction_percent,
    voxel_count,
    voxel_ml,
)
from medmm.domain.reading import Extent, Measurement, Reading, Side
from medmm.domain.study import Study
from medmm.domain.vocabulary import MeasurementTerm, measurement_terms
from medmm.grounding.verdicts import Result, evidence_of, judged, not_applicable

_NEEDS_SPACING = {"ml", "g", "g/ml"}
_EJECTION = {"LVEF", "RVEF"}
_RELATIVE = 0.005  # of a value that was rounded before it was used
Recompute = Callable[[Measurement, Study, Reading], float | None]


def examine(statement: Statement, case: Case, reading: Reading) -> Result:
    """Recompute every measured value of an MR statement, and check its unit.

    The unit must fit spacing and vocabulary.
    """
    named = evidence_of(statement, MeasurementEvidence)
    terms = measurement_terms()
    of_mr = [
        item for item in named if case.study.modality.value == "MR" or _is_mr(terms.get(item.name))
    ]
    if not of_mr:
        return not_applicable("nothing was measured on labelled voxels")
    problems = [problem for item in of_mr for problem in _problems(item, case.study, reading)]
    return judged(problems, "the measured values follow from the labelled voxels")


def _is_mr(term: MeasurementTerm | None) -> bool:
    return term is not None and term.modality == "MR"


def _problems(item: MeasurementEvidence, study: Study, reading: Reading) -> Iterator[str]:
    term = measurement_terms().get(item.name)
    if term is None:
        yield f"{item.name} is no measurement of the vocabulary"
        return
    if item.unit != term.unit:
        yield f"{item.name} is measured in {term.unit!r}, not in {item.unit!r}"
    suspected = {f.name for f in reading.findings if f.suspected}
    if term.of_finding is not None and term.of_finding not in suspected:
        yield f"{item.name} was measured where nothing is suspected"
    for measured in reading.measurements:
        if (measured.name, measured.value, measured.interval) == (
            item.name,
            item.value,
            item.interval,
        ):
            yield from _voxel_problems(measured, term, study, reading)


def _voxel_problems(
    measured: Measurement, term: MeasurementTerm, study: Study, reading: Reading
) -> Iterator[str]:
    if term.unit in _NEEDS_SPACING and not measured.extents:
        yield f"{measured.name} names no labelled voxels"
        return
    volumes = [study.volume(extent.volume_sha256) for extent in measured.extents]
    if term.unit in _NEEDS_SPACING and any(v is None or voxel_ml(v) is None for v in volumes):
        yield f"{measured.name} is in {term.unit} although a spacing is unknown"
        return
    if measured.name in _EJECTION and not 0 <= measured.value <= 100:
        yield f"{measured.name} is no part of a volume: {measured.value:g} %"
    share = measured.name == "lesion share of head"
    if share and not _least_share(measured, reading) * (1 - _RELATIVE) <= measured.value <= 100:
        yield f"{measured.name} is less than the share of the whole volume, or more than all of it"
    recompute = _RECOMPUTE.get(measured.name)
    expected = recompute(measured, study, reading) if recompute else None
    if expected is None:
        return
    rounding = 0.5 * 10.0**-term.decimals
    if not math.isclose(measured.value, expected, rel_tol=_RELATIVE, abs_tol=rounding):
        yield (
            f"{measured.name} is {measured.value:g} {term.unit}, the labelled voxels give "
            f"{expected:.4g}"
        )


def _voxels(extents: tuple[Extent, ...], reading: Reading) -> int | None:
    maps = [reading.label_map(extent.label_map, extent.volume_sha256) for extent in extents]
    counts = [
        voxel_count(m, extent.label)
        for m, extent in zip(maps, extents, strict=True)
        if m is not None
    ]
    return sum(counts) if len(counts) == len(extents) else None


def _ml(measured: Measurement, study: Study, reading: Reading) -> float | None:
    total = 0.0
    for extent in measured.extents:
        volume, voxels = study.volume(extent.volume_sha256), _voxels((extent,), reading)
        size = voxel_ml(volume) if volume else None
        if size is None or voxels is None:
            return None
        total += voxels * size
    return total


def _mass_g(measured: Measurement, study: Study, reading: Reading) -> float | None:
    volume = _ml(measured, study, reading)
    return None if volume is None else volume * MYOCARDIUM_G_PER_ML


def _least_share(measured: Measurement, reading: Reading) -> float:
    """Compute the labelled share of whole volumes in %, which a head's can't lie below.

    A head is smaller.
    """
    maps = [
        reading.label_map(extent.label_map, extent.volume_sha256) for extent in measured.extents
    ]
    grids = {m.volume_sha256: math.prod(m.shape_zyx) for m in maps if m is not None}
    return 100 * (_voxels(measured.extents, reading) or 0) / sum(grids.values()) if grids else 0.0


def _of(first: str, second: str, formula: Callable[[float, float], float]) -> Recompute:
    """Build a formula over two other measurements of the reading.

    It gives None if one is lacking or the first is 0.
    """

    def recompute(_: Measurement, study: Study, reading: Reading) -> float | None:
        one, two = reading.measurement(first), reading.measurement(second)
        return formula(one.value, two.value) if one and two and one.value and two.value else None

    return recompute


def _ejection(end_diastolic: str, end_systolic: str) -> Recompute:
    """Build the formula from the reading's two volumes, or from the voxels of two phases.

    The latter holds if their voxels have one size.
    """
    by_volumes = _of(end_diastolic, end_systolic, ejection_fraction_percent)

    def recompute(measured: Measurement, study: Study, reading: Reading) -> float | None:
        known = by_volumes(measured, study, reading)
        phases = [
            tuple(e for e in measured.extents if e.label_map == f"cardiac-{phase}")
            for phase in ("ed", "es")
        ]
        counts = [_voxels(phase, reading) for phase in phases]
        if known is not None or not all(counts):
            return known
        named = {extent.volume_sha256 for extent in measured.extents}
        if len({(v.spacing_yx_mm, v.spacing_z_mm) for v in study.volumes if v.sha256 in named}) > 1:
            return None
        return ejection_fraction_percent(float(counts[0] or 0), float(counts[1] or 0))

    return recompute


def _asymmetry(_: Measurement, study: Study, reading: Reading) -> float | None:
    left, right = (
        reading.measurement("hippocampus volume", side) for side in (Side.LEFT, Side.RIGHT)
    )
    return asymmetry_percent(left.value, right.value) if left and right else None


def _cavity_ratio(measured: Measurement, study: Study, reading: Reading) -> float | None:
    counts = [_voxels((extent,), reading) for extent in measured.extents]
    return counts[0] / counts[1] if len(counts) == 2 and counts[0] and counts[1] else None


_RECOMPUTE: dict[str, Recompute] = {
    "lesion volume": _ml,
    "hippocampus volume": _ml,
    "LV EDV": _ml,
    "LV ESV": _ml,
    "RV EDV": _ml,
    "RV ESV": _ml,
    "LV mass": _mass_g,
    "LVEF": _ejection("LV EDV", "LV ESV"),
    "RVEF": _ejection("RV EDV", "RV ESV"),
    "LV stroke volume": _of("LV EDV", "LV ESV", lambda edv, esv: edv - esv),
    "RV stroke volume": _of("RV EDV", "RV ESV", lambda edv, esv: edv - esv),
    "LV mass to LV EDV ratio": _of("LV mass", "LV EDV", lambda mass, edv: mass / edv),
    "RV EDV to LV EDV ratio": _of("RV EDV", "LV EDV", lambda rv, lv: rv / lv),
    "myocardium to LV cavity ratio": _cavity_ratio,
    ASYMMETRY: _asymmetry,
}
