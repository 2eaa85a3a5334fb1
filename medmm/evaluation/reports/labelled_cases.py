"""Cases of the corpus whose readings say what the reports' labels say.

No network reads here: the reading beside a sentence is right by construction, so that what a check
says of the sentence is the check's own doing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from medmm.domain.draft import Case
from medmm.domain.frame_reference import FrameReference
from medmm.domain.reading import Finding, ModelIdentity, Reading, Region, Side
from medmm.domain.record import Fact, FactKind, Quantity
from medmm.domain.study import View
from medmm.domain.vocabulary import finding_term, finding_terms
from medmm.evaluation.reports.film_cases import case_of_film, film_of
from medmm.language.report_labeller import ABNORMAL, ABSENT, PRESENT, UNCERTAIN, labeller
from medmm.training.reports.corpus import FilmReport
from medmm.training.reports.examples import SEX

MODEL = ModelIdentity(name="report-labels", manifest_sha256="0" * 64)
THRESHOLD, RULE_OUT = 0.3, 0.15
PROBABILITY = {PRESENT: 0.93, UNCERTAIN: 0.6}
LOW = 0.02  # of what the report denies or does not speak of
# The vocabulary's name of each label of the text; a label of several names goes by the words.
OF_LABEL: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Cardiomegaly": (("Cardiomegaly", ""),),
    "Lung Opacity": (("Lung_Opacity", ""), ("Infiltration", "infiltrat")),
    "Lung Lesion": (("Nodule", "nodul"), ("Mass", r"mass"), ("Granuloma", "granuloma|calcified")),
    "Edema": (("Edema", ""),),
    "Consolidation": (("Consolidation", ""),),
    "Pneumonia": (("Pneumonia", ""),),
    "Atelectasis": (("Atelectasis", ""),),
    "Pneumothorax": (("Pneumothorax", ""),),
    "Pleural Effusion": (("Effusion", ""),),
    "Pleural Other": (("Pleural_Thickening", ""),),
    "Fracture": (("Fracture", ""),),
    "Support Devices": (("Support_Devices", ""),),
}
# Names of the manual terms alone, by the words that such a report uses for them.
BY_WORDS = {"Emphysema": "emphysem", "Fibrosis": "fibro", "Hernia": "hernia"}
_PARTS = re.compile(r"[,;]|\band\b|\bwith\b")
_DENIED = re.compile(r"\b(?:no|not|without|free|negative)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledReport:
    """A report, what its labels say of each finding, and who the patient is.

    Attributes:
        said: PRESENT or UNCERTAIN of each finding of the vocabulary that the report claims.
        sides: the patient's side of each, where the report names one.
        sex: as the indication states it, else drawn.
    """

    report: FilmReport
    said: Mapping[str, int]
    sides: Mapping[str, Side]
    sex: str
    age_years: int


def labelled(reports: Iterable[FilmReport], seed: int) -> list[LabelledReport]:
    """Label reports by their sentences; sex and age are drawn where none is stated."""
    found = []
    for report in reports:
        text = f"{report.findings} {report.impression}".strip()
        if not text:
            continue
        said, sides = _labels(text)
        drawn = random.Random(f"{seed} {report.uid}")
        stated = {
            name
            for m in SEX.finditer(report.indication.lower())
            for name, w in m.groupdict().items()
            if w
        }
        sex = stated.pop() if len(stated) == 1 else drawn.choice(("female", "male"))
        found.append(
            LabelledReport(
                report=report, said=said, sides=sides, sex=sex, age_years=drawn.randint(20, 90)
            )
        )
    return found


def sentences_with_labels(report: FilmReport) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the sentences of a report, as written, with what each says of the findings."""
    for sentence in written_sentences(f"{report.findings} {report.impression}"):
        yield sentence, said_in(sentence)


def written_sentences(text: str) -> list[str]:
    """Split a text of the corpus at its full stops; list numbers are left out."""
    parts = re.split(r"(?<=[.?!])\s+|\n+", text)
    return [p for p in (re.sub(r"^\s*\d+[.)]\s*", "", part).strip() for part in parts) if p]


def said_in(sentence: str) -> dict[str, int]:
    """Return what a sentence says of each finding: PRESENT, UNCERTAIN or ABSENT."""
    lower = sentence.lower()
    found: dict[str, int] = {}
    labels = labeller().label(sentence)
    for label in ABNORMAL:
        value = labels[label]
        for name, words in OF_LABEL.get(label, ()):
            if value is not None and (not words or re.search(words, lower)):
                found[name] = value
    for name, words in BY_WORDS.items():
        match = re.search(words, lower)
        if match:
            found[name] = ABSENT if _DENIED.search(lower[: match.start()]) else PRESENT
    return found


def _labels(text: str) -> tuple[dict[str, int], dict[str, Side]]:
    rank = {UNCERTAIN: 0, PRESENT: 1}
    said: dict[str, int] = {}
    sides: dict[str, set[str]] = {}
    for sentence in written_sentences(text):
        for name, value in said_in(sentence).items():
            if value == ABSENT:
                continue
            said[name] = max(value, said.get(name, value), key=rank.__getitem__)
            sides.setdefault(name, set()).update(_sides(sentence, name))
    return said, {name: _side(words) for name, words in sides.items() if words}


def _sides(sentence: str, name: str) -> set[str]:
    """Return the words of a side in the parts of a sentence that claim a finding, else in all."""
    parts = [p for p in _PARTS.split(sentence) if said_in(p).get(name, ABSENT) != ABSENT]
    near = set(re.findall(r"\b(left|right|bilateral|both|bibasilar)", " ".join(parts).lower()))
    return near or set(re.findall(r"\b(left|right|bilateral|both|bibasilar)", sentence.lower()))


def _side(words: set[str]) -> Side:
    return Side(words.pop()) if words in ({"left"}, {"right"}) else Side.BILATERAL


def case_and_reading(one: LabelledReport) -> tuple[Case, Reading]:
    """Build the case of a report, a PA film of known sides and spacing, and its reading."""
    film = replace(
        film_of(one.report, (256, 256)),
        spacing_yx_mm=(1.4, 1.4),
        patient_left_on="right",
        view=View.PA,
    )
    uid = film.series_uid
    image = FrameReference(volume_sha256=uid, sop_uid=uid)
    chest = [term.name for term in finding_terms().values() if term.body_part == "CHEST"]
    reading = Reading(
        study_uid=uid,
        models=(MODEL,),
        findings=tuple(_finding(one, name, image) for name in chest),
        volumes_read=(uid,),
    )
    return case_of_film(film, _facts(one)), reading


def _facts(one: LabelledReport) -> tuple[Fact, ...]:
    age = Quantity(value=one.age_years, unit="a")
    return tuple(
        Fact(
            id=f"Patient#{label.lower()}",
            kind=FactKind.DEMOGRAPHIC,
            label=label,
            value=value,
            source="Patient",
        )
        for label, value in (("Sex", one.sex), ("Age", age))
    )


def _finding(one: LabelledReport, name: str, image: FrameReference) -> Finding:
    said = one.said.get(name)
    return Finding(
        name=name,
        probability=PROBABILITY[said] if said is not None else LOW,
        threshold=THRESHOLD,
        rule_out=RULE_OUT,
        codings=finding_term(name).codings,
        region=_region(one.sides.get(name), image) if said is not None else None,
    )


def _region(side: Side | None, image: FrameReference) -> Region:
    """Build a region low in the film on the patient's side, right in the picture for left."""
    x0, x1 = (
        {Side.LEFT: (0.55, 0.85), Side.RIGHT: (0.15, 0.45)}.get(side, (0.15, 0.85))
        if side
        else (0.4, 0.6)
    )
    return Region(
        peak_xy=((x0 + x1) / 2, 0.7),
        box_xyxy=(x0, 0.55, x1, 0.9),
        heat=((0, 255), (0, 255)),
        side=side,
        image=image,
    )
