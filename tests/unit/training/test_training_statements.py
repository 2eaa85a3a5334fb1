"""Reports as statements: one finding each, without what one film cannot show."""

from __future__ import annotations

import random

import pytest

from medmm.domain.record import FactKind
from medmm.language.numbers import numbers_named
from medmm.language.report_parser import findings_named
from medmm.language.sides import named_side
from medmm.models.report_model.multimodal.grammar import END, SECTION
from medmm.training.reports.corpus import FilmReport
from medmm.training.reports.examples import (
    drawn_record,
    examples,
    indication_facts,
    record_codes,
    spoken,
    target_text,
    words_for,
)
from medmm.training.reports.statements import (
    COMPARING,
    FindingSaid,
    phrase_book,
    phrases_of,
    report_findings,
)


def report(findings: str, indication: str = "") -> FilmReport:
    return FilmReport(
        uid="1", split="train", split_source="r2gen", findings=findings, impression="", exam="", film=("z", "f"),
        indication=indication,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "texts"),
    [
        (
            "There is a small left pleural effusion.",
            ["There is a pleural effusion.", "There may be a pleural effusion."],
        ),
        ("No pneumothorax.", ["No pneumothorax."]),
        ("Mild cardiomegaly.", ["Cardiomegaly.", "Possible cardiomegaly."]),
        (
            "There are bilateral pleural effusions.",
            ["There are pleural effusions.", "There may be pleural effusions."],
        ),
        ("Stable cardiomegaly.", []),  # compares
        ("Pleural effusion has increased since the prior study.", []),
        ("No pleural effusion or pneumothorax.", []),  # two findings
        ("There is a 5 mm nodule.", []),  # a number
        ("There are no XXXX of a pleural effusion.", []),  # a hole
        ("The lungs are normally inflated.", []),  # no finding
    ],
)
def test_a_sentence_teaches_what_one_film_can_show(sentence: str, texts: list[str]) -> None:
    assert [phrase.text for phrase in phrases_of(sentence)] == texts


def test_every_phrase_of_the_corpus_names_one_finding_as_coded_and_no_side(shared_data) -> None:
    from medmm.training.reports.corpus import read_reports
    from medmm.training.reports.statements import POLARITY

    book = phrase_book(r.findings for r in read_reports(shared_data, {"train"})[:400])
    phrases = [(key, text) for key, texts in book.items() for text in set(texts)]
    assert len(phrases) > 100
    for (finding, said), text in phrases:
        assert {name: POLARITY[p] for name, p in findings_named(text).items()} == {finding: said}
        assert named_side(text) is None
        assert not numbers_named(text)
        assert not COMPARING.search(text.lower())


def test_what_a_report_says_of_each_finding() -> None:
    said = report_findings(
        "The heart is enlarged. No pneumothorax. Possible effusion. Calcified granuloma."
    )
    assert said["Cardiomegaly"] is FindingSaid.PRESENT
    assert said["Pneumothorax"] is FindingSaid.ABSENT
    assert said["Effusion"] is FindingSaid.POSSIBLE
    assert said["Granuloma"] is FindingSaid.PRESENT
    assert "Fracture" not in said


def test_phrases_that_one_report_alone_has_are_not_learned() -> None:
    book = spoken(
        phrase_book(
            ["Cardiomegaly.", "Cardiomegaly.", "The heart is grotesquely enlarged cardiomegaly."]
        )
    )
    assert set(book["Cardiomegaly", FindingSaid.PRESENT]) == {"Cardiomegaly."}


def test_no_phrase_names_a_kind_of_device() -> None:
    book = spoken(phrase_book(["There is a pacemaker.", "There is a pacemaker."]))
    assert ("Support_Devices", FindingSaid.PRESENT) not in book
    words = words_for(
        "Support_Devices", FindingSaid.PRESENT, "There is a pacemaker.", book, random.Random(0)
    )
    assert set(findings_named(words)) == {"Support_Devices"}


@pytest.mark.parametrize("said", [FindingSaid.PRESENT, FindingSaid.POSSIBLE, FindingSaid.ABSENT])
@pytest.mark.parametrize(
    "finding", ["Pneumothorax", "Support_Devices", "Pleural_Thickening", "Hernia"]
)
def test_templates_name_their_finding_as_coded(finding: str, said: FindingSaid) -> None:
    from medmm.training.reports.statements import POLARITY

    words = words_for(finding, said, None, {}, random.Random(0))
    assert {name: POLARITY[p] for name, p in findings_named(words).items()} == {finding: said}


def test_an_indication_becomes_coded_facts_and_its_words_do_not_enter() -> None:
    facts = indication_facts("XXXX-year-old female with chest pain and shortness of breath, ZZDOE")
    assert {f.label for f in facts} == {"Chest pain", "Dyspnea", "Sex"}
    assert "ZZDOE" not in repr(facts)
    assert not indication_facts("XXXX")
    assert not [f for f in indication_facts("male and female") if f.kind is FactKind.DEMOGRAPHIC]


def test_targets_follow_the_grammar() -> None:
    (one,) = examples([report("Cardiomegaly. No pneumothorax.")])
    names = ["Pneumothorax", "Effusion", "Cardiomegaly"]
    text = target_text(one, names, {}, random.Random(0))
    assert text == (
        f"{SECTION}<Pneumothorax><absent>No pneumothorax.{END}<Effusion><nothing><Cardiomegaly><present>"
        f"There is cardiomegaly.{END}"
    )


def test_facts_are_dropped_and_drawn_whatever_the_report_says() -> None:
    (sick,) = examples([report("Cardiomegaly.", "female with chest pain")])
    (well,) = examples([report("No cardiomegaly.", "female with chest pain")])
    for seed in range(50):
        records = [
            drawn_record(e, random.Random(seed), drop=0.5, most_random=4) for e in (sick, well)
        ]
        assert records[0].facts == records[1].facts
    kept = [
        len(drawn_record(sick, random.Random(s), drop=0.5, most_random=0).facts) for s in range(200)
    ]
    assert 0 in kept
    assert 2 in kept
    assert len(set(record_codes())) == len(record_codes())
