"""The heart on short-axis cine at end-diastole and end-systole: ventricles and volumes.

Ejection fractions and mass are measured too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medmm.domain.errors import InputError
from medmm.domain.label_location import extent_of
from medmm.domain.measurement_formulas import (
    MYOCARDIUM_G_PER_ML,
    ejection_fraction_percent,
    voxel_count,
    voxel_ml,
)
from medmm.domain.reading import Extent, Finding, LabelMap, Measurement, Reading
from medmm.domain.reading_model import not_read
from medmm.domain.study import NotEvaluable, Notice, SequenceRole, Study, Volume
from medmm.domain.vocabulary import measurement_terms
from medmm.models.coverage import coverage_notice, ventricle_coverage
from medmm.models.mr.intervals import measured
from medmm.models.mr.out_of_distribution import bounds_in, doubt_notice
from medmm.models.mr.resampling import largest_part, spacing_zyx_mm
from medmm.models.mr.volume_segmenter import Labelled, LabellingModel

RV, MYOCARDIUM, LV = 1, 2, 3
MAPS = {SequenceRole.CINE_ED: "cardiac-ed", SequenceRole.CINE_ES: "cardiac-es"}
NO_PHASES = Notice(
    code="no-phases",
    text="No pair of volumes at end-diastole and end-systole was given; the function of the "
    "heart was not measured. In DICOM series the phases are not looked for: no such series "
    "with a known ejection fraction was there to check that on.",
)
NOT_MEASURED = Notice(
    code="not-measured",
    text="The volumes have one slice or no voxel size; the ventricles were neither outlined nor "
    "measured.",
)
BASE_FIRST = Notice(
    code="axes-assumed",
    text="Slices were taken to run from the base of the heart to its apex; the other way round "
    "the right ventricle is missed or outlined where it is not.",
)
SWAPPED = Notice(
    code="phases-swapped",
    text="Both ventricles are larger at end-systole than at end-diastole: the two phases may be "
    "swapped; nothing was measured.",
)
NOTHING_MEASURED = (
    "Volumes and ejection fractions of a part would be wrong; the outlines were kept and "
    "nothing was measured."
)
KEPT = "The outlines of the ventricles were"
Values = np.ndarray[Any, np.dtype[np.uint8]]
GROUPS = {  # the groups of Bernard et al., IEEE TMI 2018, by their names in the vocabulary
    "DCM": "Dilated_Cardiomyopathy_Pattern",
    "HCM": "Hypertrophic_Cardiomyopathy_Pattern",
    "MINF": "Previous_Infarction_Pattern",
    "RV": "Abnormal_Right_Ventricle_Pattern",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The labels of one phase on its volume's grid, and signs of being unlike the set."""

    volume: Volume
    label_map: LabelMap
    signs: Mapping[str, float] = field(default_factory=dict)

    def ml(self, label: int) -> float:
        """Compute the volume of a label in ml.

        Raises: InputError if the voxel size is not known.
        """
        size = voxel_ml(self.volume)
        if size is None:
            raise InputError(
                "a heart whose voxel size is unknown is not measured",
                remedy="send it with its spacing and slice distance",
                series=self.volume.series_uid,
            )
        return size * voxel_count(self.label_map, self.label_map.labels[label - 1])

    def extents(self, label: int) -> tuple[Extent, ...]:
        """Find where a label lies; empty if there is none."""
        found = extent_of(self.label_map, self.label_map.labels[label - 1], self.volume)
        return () if found is None else (found,)


def quantities(ed: Phase, es: Phase) -> dict[str, float]:
    """Measure what two phases allow, by names of the vocabulary.

    These are volumes (ml), fractions (%), mass (g) and ratios.

    A ventricle that is missing in a phase, or larger at end-systole, is left out.
    """
    found: dict[str, float] = {}
    for name, label in (("LV", LV), ("RV", RV)):
        edv, esv = ed.ml(label), es.ml(label)
        if 0 < esv <= edv:
            found |= {
                f"{name}EF": ejection_fraction_percent(edv, esv),
                f"{name} EDV": edv,
                f"{name} ESV": esv,
            }
    mass = MYOCARDIUM_G_PER_ML * ed.ml(MYOCARDIUM)
    if mass > 0:
        found["LV mass"] = mass
    if mass > 0 and "LV EDV" in found:
        found["LV mass to LV EDV ratio"] = mass / found["LV EDV"]
    if {"RV EDV", "LV EDV"} <= set(found):
        found["RV EDV to LV EDV ratio"] = found["RV EDV"] / found["LV EDV"]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CardiacModel(LabellingModel):
    """The network for the ventricles with its calibration."""

    def read(self, study: Study) -> Reading | NotEvaluable:
        """Outline both phases and measure; see `ReadingModel.read`."""
        chosen = {role: volume for role in MAPS if (volume := study.chosen(role)) is not None}
        if len(chosen) < len(MAPS):
            return not_read(study, NO_PHASES)
        if any(voxel_ml(volume) is None or volume.shape_zyx[0] < 2 for volume in chosen.values()):
            return not_read(study, NOT_MEASURED)
        ed, es = (
            self.phase(role, chosen[role]) for role in (SequenceRole.CINE_ED, SequenceRole.CINE_ES)
        )
        swapped = all(ed.ml(label) and ed.ml(label) < es.ml(label) for label in (LV, RV))
        coverage = ventricle_coverage(
            ed.label_map.array() == LV, ed.volume, self.calibration.get("coverage")
        )
        doubts = doubt_notice([ed.signs, es.signs], bounds_in(self.calibration), KEPT)
        found = quantities(ed, es) if coverage.whole and not swapped and not doubts else {}
        odd = self.implausible(found)
        cut = coverage_notice(coverage, NOTHING_MEASURED)
        missed = (
            (SWAPPED,)
            if swapped
            else cut
            or doubts
            or tuple(_unmeasured(n) for n in ("LV", "RV") if f"{n}EF" not in found)
        )
        return Reading(
            study_uid=study.uid,
            models=self.identities,
            findings=self.suggestions(found) if not odd else (),
            measurements=tuple(
                self._measured(n, value, ed, es)
                for n, value in found.items()
                if not _rests_on(n, odd)
            ),
            label_maps=(ed.label_map, es.label_map),
            coverage=(coverage,),
            volumes_read=(ed.volume.sha256, es.volume.sha256),
            warnings=(BASE_FIRST, *missed, *odd.values()),
        )

    def phase(self, role: SequenceRole, volume: Volume) -> Phase:
        """Outline one phase."""
        labelled = self.segmenter.read([volume.signal()], spacing_zyx_mm(volume))
        label_map = LabelMap.from_array(
            MAPS[role], volume.sha256, self.labels, ventricles_of(labelled)
        )
        return Phase(volume=volume, label_map=label_map, signs=labelled.signs())

    def implausible(self, found: Mapping[str, float]) -> dict[str, Notice]:
        """Find measurements far from the hearts learned from, with words that stand for each."""
        ranges = self.calibration.get("plausible", {}).items()
        return {
            n: _odd(n, found[n], *span)
            for n, span in ranges
            if n in found and not span[0] <= found[n] <= span[1]
        }

    def suggestions(self, found: Mapping[str, float]) -> tuple[Finding, ...]:
        """Compute a probability for each group of patients by what was measured.

        There is none if a measurement is missing.
        """
        rows = self.calibration.get("groups")
        if rows is None or not set(rows["of"]) <= set(found):
            return ()
        probabilities = group_probabilities(rows, found)
        return tuple(
            Finding(
                name=GROUPS[group],
                probability=round(probabilities[group], 4),
                threshold=rows["threshold"],
                model=self.weights.row.name,
            )
            for group in rows["groups"]
            if group in GROUPS
        )

    def _measured(self, name: str, value: float, ed: Phase, es: Phase) -> Measurement:
        term = measurement_terms()[name]
        ventricles = [
            label
            for short, label in (("LV", LV), ("RV", RV))
            if f"{short} E" in name or f"{short}EF" == name
        ]
        labels = [MYOCARDIUM, *ventricles] if "mass" in name else ventricles
        at_ed, at_es = "ESV" not in name, "ESV" in name or "EF" in name
        phases = (*((ed,) if at_ed else ()), *((es,) if at_es else ()))
        extents = tuple(
            extent for phase in phases for label in labels for extent in phase.extents(label)
        )
        most = 100.0 if term.unit == "%" else math.inf
        return measured(
            name,
            value,
            term.unit,
            self.calibration[name],
            most=most,
            extents=extents,
            model=self.weights.row.name,
        )


def group_probabilities(rows: Mapping[str, Any], found: Mapping[str, float]) -> dict[str, float]:
    """Compute the probability of each group by multinomial logistic regression.

    It is taken on the measurements that `rows["of"]` names.
    """
    values = np.asarray([found[name] for name in rows["of"]])
    scaled = (values - np.asarray(rows["mean"])) / np.asarray(rows["spread"])
    logits = np.asarray(rows["weights"]) @ scaled + np.asarray(rows["intercepts"])
    shares = np.exp(logits - logits.max())
    return dict(zip(rows["groups"], (float(v) for v in shares / shares.sum()), strict=True))


def _unmeasured(name: str) -> Notice:
    text = (
        f"The {name} was not found in both phases, or is larger at end-systole; its volumes are "
        "not stated."
    )
    return Notice(code=f"{name.lower()}-not-measured", text=text)


def _rests_on(name: str, odd: Iterable[str]) -> bool:
    """Tell whether a quantity is one of these, or was made of one.

    Ratios bear their parts in their names.
    """
    return any(
        part in name or (name.endswith("EF") and part.startswith(f"{name[:2]} E")) for part in odd
    )


def _odd(name: str, value: float, low: float, high: float) -> Notice:
    unit = measurement_terms()[name].unit
    text = (
        f"{name} came out as {value:.3g} {unit}, far from the hearts it was learned on "
        f"({low:.3g} to {high:.3g} {unit}); it is not stated. Look at the outlines: the slices "
        "may not hold the whole heart, or the phases not belong together."
    )
    return Notice(code="implausible", text=text)


def ventricles_of(labelled: Labelled) -> Values:
    """Keep the largest connected part of each label: 1 RV, 2 myocardium, 3 LV.

    Labels are (slices, rows, columns).
    """
    values = labelled.labels
    kept = np.zeros_like(values)
    for label in (RV, MYOCARDIUM, LV):
        kept[largest_part(values == label)] = label
    return kept
