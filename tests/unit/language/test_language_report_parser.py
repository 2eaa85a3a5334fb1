from __future__ import annotations

import pytest

from medmm.domain.plain_text import WORDS_LIMIT, clean
from medmm.domain.reading import Side
from medmm.domain.record import FactKind, Quantity
from medmm.domain.vocabulary import finding_terms
from medmm.language.numbers import dates_named, numbers_named
from medmm.language.record_words import fact_words, without_words_of
from medmm.language.report_parser import Polarity, findings_named, polarity
from medmm.language.sides import named_side
from tests.factories import make_fact

AFFIRMED, HEDGED, DENIED = Polarity.AFFIRMED, Polarity.HEDGED, Polarity.DENIED

POLARITIES = [
    ("Left pleural effusion.", "Effusion", AFFIRMED),
    ("There is a small effusion.", "Effusion", AFFIRMED),
    ("Effusion is no doubt there.", "Effusion", AFFIRMED),
    ("No doubt a pleural effusion.", "Effusion", AFFIRMED),
    ("Not only an effusion.", "Effusion", AFFIRMED),
    ("No increase of the pleural effusion.", "Effusion", AFFIRMED),
    ("Possible pneumonia.", "Pneumonia", HEDGED),
    ("Pneumonia is suspected.", "Pneumonia", HEDGED),
    ("Findings suggestive of pneumonia.", "Pneumonia", HEDGED),
    ("Opacity that may be pneumonia.", "Pneumonia", HEDGED),
    ("Pneumonia cannot be excluded.", "Pneumonia", HEDGED),
    ("Pneumonia can't be ruled out.", "Pneumonia", HEDGED),
    ("Pneumonia is not excluded.", "Pneumonia", HEDGED),
    ("Pneumonia has not been ruled out.", "Pneumonia", HEDGED),
    ("It is not possible to exclude pneumonia.", "Pneumonia", HEDGED),
    ("No pneumothorax.", "Pneumothorax", DENIED),
    ("No pneumothorax suspected.", "Pneumothorax", DENIED),
    ("No evidence of pneumothorax.", "Pneumothorax", DENIED),
    ("There is no sign of a pneumothorax.", "Pneumothorax", DENIED),
    ("Without pneumothorax.", "Pneumothorax", DENIED),
    ("Negative for pneumothorax.", "Pneumothorax", DENIED),
    ("Free of pneumothorax.", "Pneumothorax", DENIED),
    ("Absence of pneumothorax.", "Pneumothorax", DENIED),
    ("Pneumothorax is absent.", "Pneumothorax", DENIED),
    ("Pneumothorax is not seen.", "Pneumothorax", DENIED),
    ("Pneumothorax not clearly visible.", "Pneumothorax", DENIED),
    ("Pneumothorax has been ruled out.", "Pneumothorax", DENIED),
    ("Pneumothorax is unlikely.", "Pneumothorax", DENIED),
    ("Pneumothorax isn't present.", "Pneumothorax", DENIED),
    ("Pneumothorax: none.", "Pneumothorax", DENIED),
    ("Nothing suggests a pneumothorax.", "Pneumothorax", DENIED),
    ("Neither effusion nor pneumothorax.", "Pneumothorax", DENIED),
    ("No effusion, pneumothorax, or consolidation.", "Pneumothorax", DENIED),
    ("No pneumothorax but a left effusion.", "Effusion", AFFIRMED),
    ("No pneumothorax but a left effusion.", "Pneumothorax", DENIED),
    ("No pneumothorax; possible effusion.", "Effusion", HEDGED),
    ("No pneumothorax, possible effusion.", "Effusion", HEDGED),
    ("No effusion, small pneumothorax.", "Pneumothorax", AFFIRMED),
    ("No effusion. Pneumothorax.", "Pneumothorax", AFFIRMED),
    ("Pneumothorax. No pneumothorax.", "Pneumothorax", AFFIRMED),
    ("The heart is not enlarged.", "Cardiomegaly", DENIED),
    ("Heart size is normal.", "Cardiomegaly", DENIED),
    ("The heart is enlarged.", "Cardiomegaly", AFFIRMED),
    ("The lungs are clear.", "Consolidation", DENIED),
]


@pytest.mark.parametrize(("text", "finding", "expected"), POLARITIES)
def test_what_a_sentence_says_of_a_finding(text: str, finding: str, expected: Polarity) -> None:
    assert findings_named(text)[finding] is expected


@pytest.mark.parametrize("text", [text.upper() for text, *_ in POLARITIES[:5]])
def test_capitals_do_not_matter(text: str) -> None:
    assert findings_named(text)


@pytest.mark.parametrize(
    "text",
    [
        "Pericardial effusion.",
        "Subcutaneous emphysema of the chest wall.",
        "Ankle edema.",
        "The mediastinum is wide.",
        "Massive change.",
        "Knee effusion.",
    ],
)
def test_look_alikes_name_no_finding(text: str) -> None:
    assert findings_named(text) == {}


@pytest.mark.parametrize("name", sorted(finding_terms()))
def test_every_term_is_found_by_its_own_words_and_no_other(name: str) -> None:
    assert findings_named(f"Possible {finding_terms()[name].words}.") == {name: HEDGED}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No finding reached its operating point.", DENIED),
        ("No effusion. No pneumothorax.", DENIED),
        ("No effusion. Fracture.", AFFIRMED),
        ("Possibly abnormal.", HEDGED),
        ("The bones look thin.", AFFIRMED),
    ],
)
def test_what_a_text_says_as_a_whole(text: str, expected: Polarity) -> None:
    assert polarity(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Left pleural effusion.", Side.LEFT),
        ("Effusion on the left.", Side.LEFT),
        ("Left-sided effusion.", Side.LEFT),
        ("The larger effusion is left.", Side.LEFT),
        ("LLL consolidation.", Side.LEFT),
        ("L pleural effusion.", Side.LEFT),
        ("RIGHT upper lobe nodule.", Side.RIGHT),
        ("Opacity in the RML.", Side.RIGHT),
        ("Right basal opacity.", Side.RIGHT),
        ("R-sided effusion.", Side.RIGHT),
        ("A nodule just right of the spine.", Side.RIGHT),
        ("Bilateral effusions.", Side.BILATERAL),
        ("Both lower lobes are consolidated.", Side.BILATERAL),
        ("Effusion in both lungs.", Side.BILATERAL),
        ("Left and right effusion.", Side.BILATERAL),
        ("Bibasilar atelectasis, left more than right.", Side.BILATERAL),
        ("What is left of the lung is clear.", None),
        ("The question is left open.", None),
        ("A drain was left in place.", None),
        ("Nothing left to say.", None),
        ("The patient left against advice.", None),
        ("Call right away.", None),
        ("All right.", None),
        ("Seen at right angles.", None),
        ("An upright film.", None),
        ("A bright nodule with cleft.", None),
        ("5 mg/L", None),
        ("Pleural effusion.", None),
        ("Left ventricular ejection fraction (LVEF) 55 %.", None),
        ("Possible abnormal right ventricle pattern.", None),
        ("Left ventricular failure.", Side.LEFT),
    ],
)
def test_sides(text: str, expected: Side | None) -> None:
    assert named_side(text) is expected


def test_a_side_beside_an_idiom_still_counts() -> None:
    assert named_side("What is left of the right lung.") is Side.RIGHT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ratio 0.54 (95 % interval 0.51 to 0.57).", [("0.54", ""), ("0.51", "to"), ("0.57", "")]),
        ("A nodule of 3-5 mm.", [("3", ""), ("5", "mm")]),
        ("54% of it", [("54", "%")]),
        ("T12 and COVID-19 on 2024-01-05", []),
        ("-3.5 mmol/L", [("-3.5", "mmol/L")]),
        ("5.2 10*3/uL", [("5.2", "10*3/uL")]),
        ("1,400 g/L", [("1", ""), ("400", "g/L")]),
        ("Level of 12.", [("12", "")]),
    ],
)
def test_numbers_with_units(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(n.text, n.unit) for n in numbers_named(text, ["10*3/uL"])] == expected


@pytest.mark.parametrize(
    ("written", "value", "holds"),
    [
        ("0.54", 0.5412, True),
        ("0.54", 0.5461, False),
        ("0.5", 0.54, True),
        ("1", 0.54, False),  # rounded away
        ("0", 0.41, False),
        ("87", 87.0, True),
        ("88", 87.0, False),
        ("-3", -3.0, True),
        ("3", -3.0, False),
    ],
)
def test_rounding_as_written(written: str, value: float, holds: bool) -> None:
    (number,) = numbers_named(written)
    assert number.stands_for(value) is holds


def test_dates() -> None:
    assert dates_named("from 2024-01-05 and 2023-07, not 12-30") == ("2024-01-05", "2023-07")


def test_clean_gives_one_short_line_that_can_be_quoted() -> None:
    line = clean('A "quoted"\n\tline\x1b[31m' + "x" * 500)
    assert line.startswith("A 'quoted' line [31m")
    assert len(line) == WORDS_LIMIT


def test_words_of_facts_are_taken_out_whole_and_nothing_else() -> None:
    fact = make_fact(FactKind.CONDITION, "Left heart failure", marks=("implausible date",))
    assert fact_words(fact) == ("Left heart failure", "implausible date")
    assert without_words_of("left heart failure on the left", [fact]).strip() == "on the left"
    number = make_fact(FactKind.OBSERVATION, "Sodium", value=Quantity(value=139.0, unit="mmol/L"))
    assert without_words_of("Sodium 139 mmol/L", [number]).strip() == "139 mmol/L"


def test_what_a_caller_does_with_an_answer_changes_no_later_one() -> None:
    first = findings_named("Small left pleural effusion.")
    first.clear()
    assert findings_named("Small left pleural effusion.") == {"Effusion": Polarity.AFFIRMED}
