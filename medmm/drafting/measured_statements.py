"""What was measured, with unit, interval, known side, and the voxels it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from medmm.domain.draft import Assertion, MeasurementEvidence, Section
from medmm.domain.measurement_formulas import ASYMMETRY
from medmm.domain.reading import Measurement, Reading, Side
from medmm.domain.study import Modality, Study, View
from medmm.domain.vocabulary import measurement_terms
from medmm.drafting.location_text import extent_evidence, oriented
from medmm.drafting.phrases import phrases
from medmm.drafting.sentences import Sentence
from medmm.presentation.value_words import measured_words

HIPPOCAMPUS = "hippocampus volume"


def measured_sentences(study: Study, reading: Reading) -> Iterator[Sentence]:
    """Yield a sentence for every measurement that may be stated, in the reading's order."""
    return (_measured(m, study) for m in reading.measurements if unstated(m, reading) is None)


def unstated(measurement: Measurement, reading: Reading) -> str | None:
    """Say why a measurement is not stated; return None if it is."""
    term = measurement_terms().get(measurement.name)
    of = term.of_finding if term else None
    if of is not None and not any(f.name == of and f.suspected for f in reading.findings):
        return "nothing is suspected where it was measured"
    sides = {m.side for m in reading.measurements if m.name == HIPPOCAMPUS}
    if measurement.name == ASYMMETRY and not {Side.LEFT, Side.RIGHT} <= sides:
        return "not both sides were found"
    return None


def _measured(measurement: Measurement, study: Study) -> Sentence:
    row = phrases().measurements.get(measurement.name, phrases().any_measurement)
    term = measurement_terms().get(measurement.name)
    sided = term is not None and term.sided
    side = measurement.side if sided and sides_known(measurement, study) else None
    value, interval = measured_words(
        measurement.name, measurement.unit, measurement.value, measurement.interval
    )
    name = term.words if term else measurement.name.replace("_", " ")
    text = row.text.format(
        name=name, value=value, interval=interval, side=f"{side.value} " if side else ""
    )
    frontal = study.frontal
    if study.modality is Modality.RADIOGRAPH and (frontal is None or frontal.view is not View.PA):
        text += row.unless_pa
    if sided and side is None:
        text += row.unless_sided
    return Sentence(
        section=Section.FINDINGS,
        text=text[0].upper() + text[1:],
        assertion=Assertion.PRESENT,
        evidence=(
            MeasurementEvidence(
                name=measurement.name,
                value=measurement.value,
                unit=measurement.unit,
                interval=measurement.interval,
            ),
            *(extent_evidence(extent, study) for extent in measurement.extents),
        ),
        side=side,
    )


def sides_known(measurement: Measurement, study: Study) -> bool:
    """Tell whether all volumes that it was measured on say where the patient's sides are."""
    if not measurement.extents:
        return study.orientation_known
    return all(oriented(extent, study) for extent in measurement.extents)
