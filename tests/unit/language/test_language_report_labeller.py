"""The report labeller on sentences written for these tests: presence, negation, doubt, and how far each reaches."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import ConfigError
from medmm.domain.vocabulary import finding_term
from medmm.drafting.phrases import phrases
from medmm.language.report_labeller import (
    ABNORMAL,
    ABSENT,
    LABELS,
    NO_FINDING,
    PRESENT,
    UNCERTAIN,
    Cues,
    Labels,
    labeller,
    parse_report_phrases,
    sentences,
)

READY = labeller()  # loaded before a property is timed
NOUNS = {
    "Enlarged Cardiomediastinum": "widening of the mediastinum",
    "Cardiomegaly": "cardiomegaly",
    "Lung Opacity": "opacity",
    "Lung Lesion": "nodule",
    "Edema": "pulmonary edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural effusion",
    "Pleural Other": "pleural thickening",
    "Fracture": "fracture",
    "Support Devices": "pacemaker",
}
SAYS = {
    PRESENT: ("There is {}.", "New {} is seen.", "Unchanged {} at the left base.", "{} is noted on the right."),
    ABSENT: (
        "There is no {}.", "No evidence of {}.", "The film is free of {}.", "Without {}.", "{} is not seen.",
        "No definite {} is identified.", "{} has resolved.", "Negative for {}.", "No {} suspected.",
    ),
    UNCERTAIN: (
        "Possible {}.", "Cannot exclude {}.", "{} cannot be excluded.", "This may represent {}.", "Questionable {}.",
        "Concerning for {}.", "{} is not excluded.", "Findings suggest {}.", "Rule out {}.",
    ),
}  # fmt: skip
named = st.sampled_from(ABNORMAL)
said = st.sampled_from([(value, frame) for value, frames in SAYS.items() for frame in frames])


def label(text: str) -> Labels:
    return READY.label(text)


def stated(text: str) -> Labels:
    return {
        name: value
        for name, value in label(text).items()
        if value is not None and name != NO_FINDING
    }


@given(named, said)
def test_a_frame_decides_what_is_said_of_any_finding(name: str, frame: tuple[int, str]) -> None:
    value, words = frame
    assert label(words.format(NOUNS[name]))[name] == value


@given(named, named, said)
def test_no_sentence_reaches_into_the_next(name: str, other: str, frame: tuple[int, str]) -> None:
    value, words = frame
    if {name, other} == {"Lung Opacity", "Consolidation"} or name == other:
        return  # a consolidation is an opacity
    text = f"There is {NOUNS[other]}. {words.format(NOUNS[name])}"
    assert label(text)[name] == value
    assert label(text)[other] == PRESENT


@given(named, named)
def test_a_negation_flips_a_present_finding_and_reaches_a_list(name: str, other: str) -> None:
    assert label(f"There is {NOUNS[name]}.")[name] == PRESENT
    both = label(f"There is no {NOUNS[name]} or {NOUNS[other]}.")
    assert both[name] == both[other] == ABSENT


@given(st.lists(st.tuples(named, said), min_size=1, max_size=6), st.randoms())
def test_the_order_of_sentences_and_upper_case_change_nothing(
    parts: list[tuple[str, tuple[int, str]]], random
) -> None:  # type: ignore[no-untyped-def]
    texts = [frame.format(NOUNS[name]) for name, (_, frame) in parts]
    shuffled = random.sample(texts, len(texts))
    assert (
        label(" ".join(texts))
        == label(" ".join(shuffled))
        == label(" ".join(texts).upper().replace("XXXX", ""))
    )


@given(st.text(max_size=300))
def test_any_text_gets_fourteen_values(text: str) -> None:
    values = label(text)
    assert tuple(values) == LABELS
    assert set(values.values()) <= {PRESENT, ABSENT, UNCERTAIN, None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No pleural effusion or pneumothorax.", {"Pleural Effusion": 0, "Pneumothorax": 0}),
        ("There is neither effusion nor pneumothorax.", {"Pleural Effusion": 0, "Pneumothorax": 0}),
        (
            "Pleural effusion and pneumothorax are not seen.",
            {"Pleural Effusion": 0, "Pneumothorax": 0},
        ),
        ("The pneumothorax has resolved.", {"Pneumothorax": 0}),
        ("Resolved pneumothorax.", {"Pneumothorax": 0}),
        ("Resolving pneumonia.", {"Pneumonia": 1}),
        ("The edema has not resolved.", {"Edema": 1}),
        ("No change in the left effusion.", {"Pleural Effusion": 1}),
        ("No pneumothorax, mild cardiomegaly.", {"Pneumothorax": 0, "Cardiomegaly": 1}),
        (
            "No pneumothorax but a left effusion is seen.",
            {"Pneumothorax": 0, "Pleural Effusion": 1},
        ),
        (
            "Cardiomegaly is present and effusion is not seen.",
            {"Cardiomegaly": 1, "Pleural Effusion": 0},
        ),
        (
            "Effusion is present and pneumonia is possible.",
            {"Pleural Effusion": 1, "Pneumonia": -1},
        ),
        (
            "The effusion has resolved with residual atelectasis.",
            {"Pleural Effusion": 0, "Atelectasis": 1},
        ),
        ("Atelectasis versus pneumonia.", {"Atelectasis": -1, "Pneumonia": -1}),
        ("The heart size is normal.", {"Cardiomegaly": 0}),
        ("The heart is not enlarged.", {"Cardiomegaly": 0}),
        ("The heart is mildly enlarged.", {"Cardiomegaly": 1}),
        ("The heart size is at the upper limits of normal.", {"Cardiomegaly": -1}),
        ("The lungs are clear.", {"Lung Opacity": 0, "Consolidation": 0}),
        ("Increased density of the bones.", {}),
        ("Chest tube removed.", {"Support Devices": 0}),
        ("A right PICC is in place.", {"Support Devices": 1}),
        ("2.5 cm nodule.", {"Lung Lesion": 1}),
        ("No XXXX pneumothorax.", {"Pneumothorax": 0}),
        ("The film is not known to be PA: the ratio may overstate the heart.", {}),
    ],
)
def test_sentences(text: str, expected: Labels) -> None:
    assert stated(text) == expected


def test_the_strongest_word_counts() -> None:
    assert label("No effusion. Possible effusion.")["Pleural Effusion"] == UNCERTAIN
    assert label("Possible effusion. Small effusion. No effusion.")["Pleural Effusion"] == PRESENT


def test_no_finding_means_no_finding_of_the_body() -> None:
    assert label("The lungs are clear. A pacemaker is in place.")[NO_FINDING] == PRESENT
    assert label("Possible edema.")[NO_FINDING] == ABSENT
    assert label("")[NO_FINDING] is None


def test_sections_are_read_apart_from_each_other() -> None:
    assert labeller().label("No", "effusion")["Pleural Effusion"] == PRESENT


def test_sentences_end_at_points_that_are_no_decimals() -> None:
    assert sentences("1. Heart normal. 2. A 1.5 cm nodule\nNo XXXX effusion") == [
        "heart normal",
        "a 1.5 cm nodule",
        "no effusion",
    ]


NAMED_ALIKE = {
    "Effusion": "Pleural Effusion", "Infiltration": "Lung Opacity", "Lung_Opacity": "Lung Opacity", "Mass": "Lung Lesion",
    "Nodule": "Lung Lesion", "Pleural_Thickening": "Pleural Other", "Emphysema": None, "Fibrosis": None, "Hernia": None,
    "Granuloma": "Lung Lesion", "Support_Devices": None,
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [n for n in phrases().findings if finding_term(n).body_part == "CHEST"]
)
def test_every_phrase_of_the_rule_writer_is_understood(name: str) -> None:
    row, expected = phrases().findings[name], NAMED_ALIKE.get(name, name)
    for text, value in ((row.possible.format(side=""), UNCERTAIN), (row.absent, ABSENT)):
        if expected is None:
            assert stated(text) == {}
        else:
            assert stated(text)[expected] == value


def broken(change: str) -> str:
    rows = {
        n: {"mention": ["xx"], "absent": [], "uncertain": [], "unless": [], "why": "test"}
        for n in ABNORMAL
    }
    cues = {key: ["xx"] for key in Cues.model_fields}
    if change == "missing":
        del rows["Edema"]
    if change == "pattern":
        rows["Edema"]["mention"] = ["(unclosed"]
    if change == "key":
        rows["Edema"]["mentions"] = []
    return yaml.safe_dump({"findings": rows, "cues": cues})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (broken("missing"), "Edema"),
        (broken("pattern"), "no regular expression"),
        (broken("key"), "mentions"),
        ("findings: [", "not YAML"),
    ],
)
def test_wrong_phrases_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_report_phrases(text)


def test_right_phrases_are_taken() -> None:
    assert set(parse_report_phrases(broken("")).findings) == set(ABNORMAL)
