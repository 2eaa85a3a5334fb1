"""Labelled studies that a model read, as arrays: scores, labels, patients, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medmm.acceptance.labels import Half, LabelledStudy
from medmm.acceptance.split import half_of
from medmm.domain.acceptance import Attribute, Counted
from medmm.domain.input_figures import InputFigures
from medmm.domain.patient_age import NOT_STATED, age_band
from medmm.domain.promise import Withheld
from medmm.domain.reading import Finding, ModelIdentity, Reading
from medmm.domain.study import View

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
SILENT = (Withheld.UNFAMILIAR_IMAGE, Withheld.NOT_MEASURED)  # whatever point a score reaches


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStudy:
    """One labelled study and what a model read of it.

    Attributes:
        reading: of that model, on its own scale: no acceptance is applied to it.
        sha256s: digests of the study's images.
        in_use: what the models in use say of the same study; None if none does.
    """

    labels: LabelledStudy
    reading: Reading
    sha256s: tuple[str, ...]
    inputs: InputFigures
    in_use: Reading | None = None

    @property
    def sex(self) -> str | None:
        """The sex that the labels state, else the image."""
        return self.labels.sex or self.inputs.sex

    @property
    def age_years(self) -> float | None:
        """The age that the labels state, else the image."""
        return self.inputs.age_years if self.labels.age_years is None else self.labels.age_years

    @property
    def view(self) -> str | None:
        """The view that the labels state, else the image; None if neither knows it."""
        stated = self.labels.view or self.inputs.view
        return None if stated == View.UNKNOWN.value else stated

    @property
    def groups(self) -> dict[Attribute, str]:
        """The group of each attribute that it belongs to."""
        return {
            Attribute.SEX: self.sex or NOT_STATED,
            Attribute.AGE: age_band(self.age_years),
            Attribute.VIEW: self.view or NOT_STATED,
            Attribute.SCANNER: self.labels.scanner or self.inputs.scanner or NOT_STATED,
        }


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Read studies of one model with its findings as columns.

    Attributes:
        names: the findings, as columns of the arrays.
    """

    model: ModelIdentity
    names: tuple[str, ...]
    studies: tuple[ReadStudy, ...]

    def half(self, half: Half) -> Scores:
        """Keep the studies of one half."""
        return self.part([half_of(one.labels) is half for one in self.studies])

    def part(self, keep: Sequence[bool]) -> Scores:
        """Keep some studies."""
        kept = tuple(one for one, stays in zip(self.studies, keep, strict=True) if stays)
        return Scores(model=self.model, names=self.names, studies=kept)

    @cached_property
    def found(self) -> tuple[Mapping[str, Finding], ...]:
        """What the model states of each study, by finding."""
        return tuple(findings_by(self.model.name, study.reading) for study in self.studies)

    @cached_property
    def probability(self) -> Array:
        """The model's own probabilities, (studies, findings); NaN where it states none."""
        rows = [[f[n].probability if n in f else np.nan for n in self.names] for f in self.found]
        return self._table(rows)

    @cached_property
    def silent(self) -> Flags:
        """Whether the model may claim nothing of a finding here, (studies, findings)."""
        rows = [[n not in f or f[n].withheld in SILENT for n in self.names] for f in self.found]
        return np.asarray(rows, dtype=bool).reshape(len(self.studies), len(self.names))

    def _table(self, rows: Sequence[Sequence[float]]) -> Array:
        return np.asarray(rows, dtype=np.float64).reshape(len(self.studies), len(self.names))

    @cached_property
    def truth(self) -> Array:
        """Labels, (studies, findings): 1 with the finding, 0 without, NaN if nobody looked."""
        known: Mapping[bool | None, float] = {True: 1.0, False: 0.0, None: np.nan}
        rows = [[known[s.labels.findings.get(n)] for n in self.names] for s in self.studies]
        return self._table(rows)

    @cached_property
    def bare(self) -> Flags:
        """Whether a study shows no finding at all, (studies,)."""
        return np.asarray([s.labels.bare_of(self.names) for s in self.studies], dtype=bool)

    @property
    def patients(self) -> list[str]:
        """The patient of each study."""
        return [study.labels.patient for study in self.studies]

    @property
    def counted(self) -> Counted:
        """How many studies, of how many patients."""
        return Counted(studies=len(self.studies), patients=len(set(self.patients)))


def findings_by(model: str, reading: Reading) -> dict[str, Finding]:
    """Return the findings that a model states in a reading, by their names."""
    first = reading.models[0].name if reading.models else ""
    stated = (*reading.findings, *reading.other_findings)
    return {f.name: f for f in reversed(stated) if (f.model or first) == model}
