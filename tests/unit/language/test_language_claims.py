"""Report prose into sentences, and sentences into claims."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.claim import Assertion, Claim, Size
from medmm.domain.codec import from_json, to_json
from medmm.domain.reading import Side
from medmm.language.claims import claims_of, places_named, sizes_named
from medmm.language.sentences import sentences_of

PRESENT, POSSIBLE, ABSENT = Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("No edema. No effusion.", ("No edema.", "No effusion.")),
        ("The ratio is 0.48. It is normal.", ("The ratio is 0.48.", "It is normal.")),
        ("Discussed with Dr. Aoki. No edema", ("Discussed with Dr. Aoki.", "No edema")),
        ("1. Emphysema. 2. No edema.", ("Emphysema.", "No edema.")),
        ("1) Emphysema\n2) No edema", ("Emphysema", "No edema")),
        ("FINDINGS: Clear.\nIMPRESSION:\n- Normal.", ("Clear.", "Normal.")),
        ("**Findings:** The lungs are clear.", ("The lungs are clear.",)),
        (
            "Scar in the left apex.There are opacities.",
            ("Scar in the left apex.", "There are opacities."),
        ),
        ("Fracture of rib No. 3. No edema.", ("Fracture of rib No. 3.", "No edema.")),
        ("Clips, wires etc. are seen.", ("Clips, wires etc. are seen.",)),
        ("Is there edema? No.", ("Is there edema?", "No.")),
        ("", ()),
        (" . \n - ", ()),
    ],
)
def test_prose_is_split_into_its_sentences(text: str, sentences: tuple[str, ...]) -> None:
    assert sentences_of(text) == sentences


def _said(text: str) -> list[tuple[str | None, Assertion, Side | None]]:
    return [(c.finding, c.assertion, c.side) for c in claims_of(text)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "No pleural effusion or pneumothorax.",
            [("Effusion", ABSENT, None), ("Pneumothorax", ABSENT, None)],
        ),
        (
            "Small left pleural effusion and right basilar atelectasis.",
            [("Effusion", PRESENT, Side.LEFT), ("Atelectasis", PRESENT, Side.RIGHT)],
        ),
        (
            "No focal consolidation, large effusion, or pneumothorax.",
            [
                ("Consolidation", ABSENT, None),
                ("Effusion", ABSENT, None),
                ("Pneumothorax", ABSENT, None),
            ],
        ),
        (
            "No pneumothorax, small left effusion.",
            [("Pneumothorax", ABSENT, None), ("Effusion", PRESENT, Side.LEFT)],
        ),
        (
            "Possible pneumonia, but no effusion.",
            [("Pneumonia", POSSIBLE, None), ("Effusion", ABSENT, None)],
        ),
        ("There is scoliosis.", [(None, PRESENT, None)]),
        ("The heart is not enlarged.", [("Cardiomegaly", ABSENT, None)]),
        ("", []),
    ],
)
def test_a_sentence_gives_a_claim_of_each_finding(
    text: str, said: list[tuple[str | None, Assertion, Side | None]]
) -> None:
    assert _said(text) == said


def test_sides_of_one_list_stay_with_what_they_stand_before() -> None:
    claims = claims_of("The left and right lungs are clear.")
    assert {c.text for c in claims} == {"The left and right lungs are clear"}
    assert {c.side for c in claims} == {Side.BILATERAL}


def test_place_sizes_and_change_are_of_the_clause() -> None:
    nodule, edema = claims_of("A new 2.3 x 1.5 cm nodule in the right upper lobe; no edema.")
    assert nodule.place == "upper lobe"
    assert nodule.sizes == (Size(value=2.3, unit="cm"), Size(value=1.5, unit="cm"))
    assert nodule.change == "new"
    assert (edema.place, edema.sizes, edema.change) == (None, (), None)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("5 to 7 mm", [(5.0, "mm"), (7.0, "mm")]),
        ("1.2 × 0.8 × 3 cm", [(1.2, "cm"), (0.8, "cm"), (3.0, "cm")]),
        ("40 ml", [(40.0, "ml")]),
        ("8 ribs", []),
    ],
)
def test_the_unit_after_the_last_number_is_that_of_all(
    text: str, sizes: list[tuple[float, str]]
) -> None:
    assert [(s.value, s.unit) for s in sizes_named(text)] == sizes


def test_places_are_named_by_their_words_and_abbreviations() -> None:
    assert places_named("RLL opacity at the costophrenic angle") == (
        "lower lobe",
        "costophrenic angle",
    )


@given(st.lists(st.sampled_from(["left", "right"]), min_size=1, max_size=4))
def test_sentences_keep_their_own_sides(sides: list[str]) -> None:
    text = " ".join(f"There is a {side} effusion." for side in sides)
    assert [c.side for c in claims_of(text)] == [Side(side) for side in sides]


@given(st.text(max_size=80))
def test_no_word_is_lost_of_any_text_and_claims_go_to_json_and_back(text: str) -> None:
    claims = claims_of(text)
    assert from_json(tuple[Claim, ...], to_json(claims)) == claims
    assert len(sentences_of(text)) <= 1 + sum(text.count(mark) for mark in ".!?\n")
