"""Reports as examples for the multimodal model: findings, their words, and facts.

The facts are those that the corpus really has: what the indication names, and the sex if it is
stated (ages are masked). Others may be drawn at random, independent of film and report, so that the
model learns to claim nothing from them.
"""

from __future__ import annotations

import csv
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medmm.domain.record import ClinicalContext, Coding, Fact, FactKind, Quantity
from medmm.domain.vocabulary import SNOMED_CT, finding_term
from medmm.models.report_model.multimodal.grammar import END, SECTION, finding_token
from medmm.models.report_model.record_tokens import code_key
from medmm.training.reports.corpus import FilmReport
from medmm.training.reports.statements import FindingSaid, Phrase, phrase_book, report_findings

LEAST_TIMES = 2  # a phrase that only one report has is a person's, not a way of speaking
# A report names the kind of device; a draft that has no check on it does not
GENERIC = frozenset({"Support_Devices"})
SEX = re.compile(r"\b(?:(?P<female>female|woman|lady|girl)|(?P<male>male|man|gentleman|boy))\b")
TEMPLATES = {
    FindingSaid.PRESENT: "There is {words}.",
    FindingSaid.POSSIBLE: "Possible {words}.",
    FindingSaid.ABSENT: "No {words}.",
}
DEVICE = {
    FindingSaid.PRESENT: (
        "A line, tube, pacemaker, surgical clips or another support device is seen."
    ),
    FindingSaid.POSSIBLE: (
        "Possible line, tube, pacemaker, surgical clips or another support device."
    ),
}
Book = Mapping[tuple[str, FindingSaid], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportExample:
    """One report with a film: what it says of each finding, and the facts that came with it."""

    report: FilmReport
    said: Mapping[str, FindingSaid]
    phrases: Mapping[tuple[str, FindingSaid], str]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indication:
    """A coded reason for a film and the words that name it."""

    coding: Coding
    pattern: re.Pattern[str]


@cache
def indications() -> tuple[Indication, ...]:
    """List the reasons that the corpus' indications name, with SNOMED CT codes."""
    text = files("medmm.training").joinpath("data/indication_codes.csv").read_text(encoding="utf-8")
    return tuple(
        Indication(
            coding=Coding(system=SNOMED_CT, code=row["code"], display=row["display"]),
            pattern=re.compile(row["pattern"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


def indication_facts(indication: str) -> tuple[Fact, ...]:
    """Read what an indication says as coded facts; its words do not enter."""
    text = indication.lower()
    facts = [
        Fact(
            id=f"Condition/{row.coding.code}",
            kind=FactKind.CONDITION,
            label=row.coding.display or "",
            codings=(row.coding,),
            source="indication",
        )
        for row in indications()
        if row.pattern.search(text)
    ]
    sexes = {
        name for match in SEX.finditer(text) for name, word in match.groupdict().items() if word
    }
    if len(sexes) == 1:
        facts.append(_sex(sexes.pop()))
    return tuple(facts)


def _sex(word: str) -> Fact:
    return Fact(
        id="Patient#sex", kind=FactKind.DEMOGRAPHIC, label="Sex", value=word, source="Patient"
    )


def record_codes() -> list[str]:
    """List the codes with an embedding of their own: reasons, findings, sexes."""
    from medmm.domain.vocabulary import finding_terms

    named = [row.coding for row in indications()]
    named += [c for term in finding_terms().values() for c in term.codings if c.system == SNOMED_CT]
    keys = [code_key(c.system, c.code) for c in named]
    return list(dict.fromkeys([*keys, code_key("sex", "female"), code_key("sex", "male")]))


def examples(reports: Iterable[FilmReport]) -> list[ReportExample]:
    """Build examples of reports with a film and a findings text."""
    found = []
    for report in reports:
        if report.scored:
            book = phrase_book([report.findings])
            found.append(
                ReportExample(
                    report=report,
                    said=report_findings(report.findings),
                    phrases={key: texts[0] for key, texts in book.items()},
                    facts=indication_facts(report.indication),
                )
            )
    return found


def spoken(
    book: Mapping[tuple[str, FindingSaid], Iterable[str]],
) -> dict[tuple[str, FindingSaid], list[str]]:
    """Collect the ways of speaking of a corpus by finding and what is said of it.

    They are phrases of several reports, as often as they occur, or else a template.
    """
    kept: dict[tuple[str, FindingSaid], list[str]] = {}
    for key, texts in book.items():
        times = Counter(texts)
        if key[0] not in GENERIC:
            kept[key] = [text for text in texts if times[text] >= LEAST_TIMES]
    return kept


def words_for(
    finding: str, said: FindingSaid, own: str | None, book: Book, draw: random.Random
) -> str:
    """Choose the words of a statement: the report's own, another's, or a template.

    Its own count only if others speak so too.
    """
    known = book.get((finding, said)) or ()
    if own is not None and own in known:
        return own
    if known:
        return draw.choice(list(known))
    if finding in GENERIC and said in DEVICE:
        return DEVICE[said]
    return TEMPLATES[said].format(words=finding_term(finding).words)


def target_text(
    example: ReportExample, findings: Sequence[str], book: Book, draw: random.Random
) -> str:
    """Write what the model should answer to an example, in the grammar of a draft.

    The end of the sequence is not part of it.
    """
    parts = [SECTION]
    for finding in findings:
        said = example.said.get(finding, FindingSaid.NOTHING)
        parts += [finding_token(finding), said.value]
        if said is not FindingSaid.NOTHING:
            parts += [
                words_for(finding, said, example.phrases.get((finding, said)), book, draw),
                END,
            ]
    return "".join(parts)


def drawn_record(
    example: ReportExample, draw: random.Random, *, drop: float, most_random: int
) -> ClinicalContext:
    """Draw an example's record: its facts, some dropped, and some unrelated to the film.

    Each fact is dropped with probability `drop`; up to `most_random` are added.
    """
    facts = [fact for fact in example.facts if draw.random() >= drop]
    for number in range(draw.randint(0, most_random)):
        facts.append(_random_fact(number, draw))
    return ClinicalContext(
        patient_key="", as_of=None, facts=tuple({fact.id: fact for fact in facts}.values())
    )


def _random_fact(number: int, draw: random.Random) -> Fact:
    """Draw a condition, a value or an age from nowhere."""
    kind = draw.choice((FactKind.CONDITION, FactKind.OBSERVATION, FactKind.DEMOGRAPHIC))
    if kind is FactKind.DEMOGRAPHIC:
        years = Quantity(value=float(draw.randint(18, 95)), unit="a")
        return Fact(
            id="Patient#age",
            kind=kind,
            label="Age at the study",
            value=years,
            source="drawn at random",
        )
    if kind is FactKind.OBSERVATION:
        value = Quantity(value=draw.gauss(0.0, 1.5), unit="1", low=-2.0, high=2.0)
        return Fact(
            id=f"Observation/{number}",
            kind=kind,
            label="value",
            value=value,
            source="drawn at random",
        )
    system, _, code = draw.choice([c for c in record_codes() if c.startswith(SNOMED_CT)]).partition(
        "|"
    )
    return Fact(
        id=f"Condition/{code}",
        kind=kind,
        label="condition",
        codings=(Coding(system=system, code=code),),
        source="drawn at random",
    )


__all__ = [
    "Phrase",
    "ReportExample",
    "drawn_record",
    "examples",
    "indication_facts",
    "record_codes",
    "spoken",
    "target_text",
]
