"""Statements with one planted error each, and true ones of real reports beside them.

The templates of `data/planted_errors.csv` were written by hand before the checks were held against
them, and are in two halves by their digest: one to develop on, one to report on. The reports are
split by patient: train and val to develop on, test to report on.
"""

from __future__ import annotations

import csv
import hashlib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files

from medmm.domain.reading import Side
from medmm.domain.vocabulary import finding_term
from medmm.evaluation.reports.labelled_cases import (
    LabelledReport,
    said_in,
    sentences_with_labels,
)
from medmm.language.report_labeller import ABSENT

SEED = 20261130
TRUE = "true"
EACH = 60  # statements of each kind of error
TRUE_STATEMENTS = 420
# What reports call the findings: not the words by which the checks know them.
WORDS: Mapping[str, tuple[str, ...]] = {
    "Atelectasis": ("atelectasis", "volume loss"),
    "Cardiomegaly": ("cardiomegaly", "enlargement of the heart"),
    "Consolidation": ("consolidation", "lobar consolidation"),
    "Edema": ("pulmonary edema", "interstitial edema"),
    "Effusion": ("pleural effusion", "pleural fluid", "effusion"),
    "Emphysema": ("emphysema", "emphysematous change"),
    "Fibrosis": ("fibrosis", "fibrotic change"),
    "Hernia": ("hiatal hernia", "diaphragmatic hernia"),
    "Infiltration": ("infiltrate", "pulmonary infiltrate"),
    "Mass": ("mass", "lung mass"),
    "Nodule": ("nodule", "pulmonary nodule"),
    "Pleural_Thickening": ("pleural thickening", "thickened pleura"),
    "Pneumonia": ("pneumonia", "bronchopneumonia"),
    "Pneumothorax": ("pneumothorax",),
    "Lung_Opacity": ("airspace opacity", "opacity", "airspace disease"),
    "Fracture": ("rib fracture", "fracture"),
    "Granuloma": ("granuloma", "calcified granuloma"),
    "Support_Devices": ("pacemaker", "central venous catheter", "endotracheal tube"),
}
# Sentences that compare, count or date are true of another study than the one film that is read.
_OF_OTHERS = re.compile(
    r"\d|xxx|unchang|stable|prior|previous|interval|again|compar|\bnew|increas|decreas|improv|wors|"
    r"resol|persist|remain|since|\bnow\b|still|follow|recommend|earlier|chang|old\b|develop|"
    r"\blateral (?:view|film)|report|history|discuss|progress|clear(?:ed|ing)|status post",
    re.IGNORECASE,
)
# Nor does the reading know of these: what is said of them is neither borne out nor refuted.
_UNREAD = re.compile(
    r"spin|degener|scolio|osteo|aort|tortu|ectat|athero|calcif|scar|hyperinfl|hyperexp|hila|"
    r"diaphragm|elevat|vascul|vessel|bronch|cavit|soft tissue|rib\b|clavic|shoulder|should|spur|"
    r"kypho|sclero|arthr|abdom|bowel|colon|stomach|gastr|gall|liver|splen|breast|nipple|mastect|"
    r"surg|scat|surgical|postop|thicken|apical|markings|copd|obstruct|interstit|silhouette sign|"
    r"low lung|volumes|inspir|expan|azyg|tuber|malig|metast|cancer|neopl|node|adenop|trachea|"
    r"eventr|lucen|bleb|bull|reticul|densit|nodul\w+ (?:shadow|like)|shadow|artifact|overl",
    re.IGNORECASE,
)


class Half(Enum):
    """Which half of the templates and of the patients."""

    DEVELOPMENT = "development"
    REPORTING = "reporting"

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the corpus whose patients it draws from."""
        return ("train", "val") if self is Half.DEVELOPMENT else ("test",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A sentence with an error and places for words; of organs, the sex that lacks them."""

    kind: str
    text: str
    sex: str

    @property
    def half(self) -> Half:
        """The half it is in, by its digest."""
        digest = hashlib.sha256(f"planted {self.text}".encode()).digest()
        return Half.REPORTING if digest[-1] % 2 else Half.DEVELOPMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One statement about one report: `kind` is that of its error, or TRUE."""

    kind: str
    text: str
    about: LabelledReport


@cache
def templates() -> tuple[Template, ...]:
    """Read all templates."""
    text = files("medmm.evaluation").joinpath("data/planted_errors.csv").read_text(encoding="utf-8")
    return tuple(
        Template(kind=row["kind"], text=row["template"], sex=row["sex"])
        for row in csv.DictReader(text.splitlines())
    )


def kinds() -> tuple[str, ...]:
    """Return the kinds of error, in the order of the table."""
    return tuple(dict.fromkeys(t.kind for t in templates()))


def planted(reports: Sequence[LabelledReport], half: Half, each: int = EACH) -> list[Planted]:
    """Plant `each` errors of every kind in the reports, by the templates of one half."""
    found = []
    for kind in kinds():
        drawn = random.Random(f"{SEED} {kind} {half.value}")
        rows = [t for t in templates() if t.kind == kind and t.half is half]
        fitting = list(reports)
        drawn.shuffle(fitting)
        planted_of_kind = (
            one
            for number, report in enumerate(fitting)
            if (one := _planted(rows[number % len(rows)], report, drawn)) is not None
        )
        found += [one for one, _ in zip(planted_of_kind, range(each), strict=False)]
    return found


def true_statements(
    reports: Sequence[LabelledReport], most: int = TRUE_STATEMENTS
) -> list[Planted]:
    """Take real sentences that say of the findings what the labels of their report say.

    Each text is taken once, of the first report in a drawn order that has it.
    """
    drawn = random.Random(f"{SEED} {TRUE}")
    shuffled, found = list(reports), dict[str, Planted]()
    drawn.shuffle(shuffled)
    for one in shuffled:
        for sentence, said in sentences_with_labels(one.report):
            if _is_borne_out(sentence, said, one):
                found.setdefault(sentence, Planted(kind=TRUE, text=sentence, about=one))
    return list(found.values())[:most]


def _is_borne_out(sentence: str, said: Mapping[str, int], one: LabelledReport) -> bool:
    if not said or _OF_OTHERS.search(sentence) or _UNREAD.search(sentence):
        return False
    agree = all((value != ABSENT) == (name in one.said) for name, value in said.items())
    sides = {one.sides.get(name) for name, value in said.items() if value != ABSENT}
    return agree and Side.BILATERAL not in sides


def _planted(template: Template, one: LabelledReport, drawn: random.Random) -> Planted | None:
    """Fill a template for a report; None if the report has nothing to get wrong so."""
    slots = _SLOTS[template.kind](template, one, drawn)
    if slots is None:
        return None
    filled = {**slots, **{k.capitalize(): v.capitalize() for k, v in slots.items()}}
    return Planted(kind=template.kind, text=template.text.format(**filled), about=one)


Slots = dict[str, str] | None


def _side_flip(template: Template, one: LabelledReport, drawn: random.Random) -> Slots:
    sided = [
        name
        for name, side in sorted(one.sides.items())
        if side is not Side.BILATERAL and finding_term(name).sided
    ]
    if not sided:
        return None
    name = drawn.choice(sided)
    side = one.sides[name]
    return {
        "finding": drawn.choice(WORDS[name]),
        "wrong": side.mirrored.value,
        "right_or_left": side.value,
    }


def _of_suspected(template: Template, one: LabelledReport, drawn: random.Random) -> Slots:
    if not one.said:
        return None
    low, high = sorted(drawn.sample(range(3, 90), 2))
    return {
        "finding": drawn.choice(WORDS[drawn.choice(sorted(one.said))]),
        "n": str(low),
        "m": str(high),
        "year": str(drawn.randint(2005, 2024)),
    }


def _of_organs(template: Template, one: LabelledReport, drawn: random.Random) -> Slots:
    return {} if template.sex == one.sex else None


def _of_ruled_out(template: Template, one: LabelledReport, drawn: random.Random) -> Slots:
    names = [name for name in WORDS if not _is_claimed(name, one)]
    return {"finding": drawn.choice(WORDS[drawn.choice(names)])}


def _is_claimed(name: str, one: LabelledReport) -> bool:
    """Tell whether a report claims a finding, or one that its words name as well."""
    return any(other in one.said for words in WORDS[name] for other in {name, *said_in(words)})


_SLOTS: Mapping[str, Callable[[Template, LabelledReport, random.Random], Slots]] = {
    "side flip": _side_flip,
    "negation flip": _of_suspected,
    "phantom prior": _of_suspected,
    "invented measurement": _of_suspected,
    "invented date": _of_suspected,
    "wrong-sex organ": _of_organs,
    "finding the reading rules out": _of_ruled_out,
}
