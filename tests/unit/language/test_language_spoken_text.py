"""What a voice is given says what the draft says: numbers, signs, sides and negation."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.vocabulary import finding_terms
from medmm.language.number_words import decimal_number, whole_number
from medmm.language.report_parser import findings_named
from medmm.language.sides import named_side
from medmm.language.spoken_text import spoken_text

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
VALUES = {word: value for value, word in enumerate(ONES)}
VALUES |= {word: 10 * (n + 2) for n, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])}  # fmt: skip
CHEST = [t for t in finding_terms().values() if t.body_part == "CHEST"]
NUMBERS = st.decimals(min_value=0, max_value=99999, places=2).map(lambda d: f"{d:f}") | st.integers(
    min_value=0, max_value=999_999
).map(str)


def number_said(words: str) -> str:
    """Read number words back to digits, by other code than that which wrote them."""
    whole, point, decimals = words.partition(" point ")
    total = part = 0
    for word in whole.split():
        if word == "hundred":
            part *= 100
        elif word in ("thousand", "million"):
            total += part * (1000 if word == "thousand" else 1_000_000)
            part = 0
        else:
            part += VALUES[word]
    said = str(total + part)
    return said + ("." + "".join(str(VALUES[w]) for w in decimals.split()) if point else "")


@given(NUMBERS)
def test_a_number_survives(digits: str) -> None:
    assert number_said(decimal_number(digits)) == digits


def test_numbers_in_words_grow_in_steps_of_one() -> None:
    said = [int(number_said(whole_number(str(n)))) for n in range(12_000)]
    assert all(b - a == 1 for a, b in pairwise(said))


@given(NUMBERS, st.sampled_from(["mm", "cm", "mL", "%", "mg/dL", "mL/m2", "HU", "L", "mmHg"]))
def test_a_quantity_is_said_with_its_number_and_its_unit(digits: str, unit: str) -> None:
    spoken = spoken_text(f"It measures {digits} {unit}.")
    words = {"mm": "millimetre", "cm": "centimetre", "mL": "millilitre", "%": "percent", "mg/dL": "milligram", "mL/m2": "millilitre", "HU": "Hounsfield", "L": "litre", "mmHg": "millimetre"}  # fmt: skip
    said, _, rest = spoken.removeprefix("It measures ").partition(f" {words[unit]}")
    assert number_said(said) == digits
    assert ("per" in rest.split()) == ("/" in unit)


@given(st.text(max_size=80))
def test_nothing_is_left_that_a_voice_reads_in_its_own_way(text: str) -> None:
    spoken = spoken_text(text)
    assert all(c.isalpha() or c in " .,;:?!'" for c in spoken), spoken


@given(
    st.sampled_from(CHEST),
    st.sampled_from(["", "left ", "right ", "bilateral "]),
    st.sampled_from(["No {}.", "NO {}.", "{} is NOT seen.", "Possible {}.", "There is a {} of 1.5 cm.", "There is no {} > 3 mm."]),
)  # fmt: skip
def test_side_and_negation_are_those_of_the_sentence(term, side, form) -> None:  # type: ignore[no-untyped-def]
    sentence = form.format(f"{side}{term.words}")
    spoken = spoken_text(sentence)
    assert findings_named(spoken) == findings_named(sentence)
    assert named_side(spoken) == named_side(sentence)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("LVEF < 35 %.", "left ventricular ejection fraction less than thirty five percent."),
        ("SpO2 > 92%", "oxygen saturation greater than ninety two percent"),
        ("≤3 mm", "at most three millimetres"),
        ("1,5 cm", "one point five centimetres"),
        ("1.50 cm", "one point five zero centimetres"),
        ("1,500 mL", "one comma five zero zero millilitres"),  # 1.5 or 1500: nobody can know
        ("12,345,678", "twelve million three hundred forty five thousand six hundred seventy eight"),
        ("3-4 mm", "three to four millimetres"),
        ("3–4 mm", "three to four millimetres"),
        ("3 mm-4 mm", "three millimetres to four millimetres"),
        ("-3 HU", "minus three Hounsfield units"),
        ("3 x 4 mm", "three by four millimetres"),
        ("1 mm", "one millimetre"),
        ("12.3 10*3/uL", "twelve point three ten to the power of three per microlitre"),
        ("stage IV disease after IV contrast", "stage four disease after intravenous contrast"),
        ("grade II-III", "grade two to three"),
        ("stage IIIA", "stage three A"),
        ("NYHA class II", "N Y H A class two"),
        ("IV", "I V"),
        ("IV was placed", "I V was placed"),
        ("RA", "R A"),  # rheumatoid arthritis, or the right atrium
        ("COPD in the ICU", "chronic obstructive pulmonary disease in the intensive care unit"),
        ("NO LEFT PNEUMOTHORAX SEEN", "no left pneumothorax seen"),
        ("R lower lobe", "right lower lobe"),
        ("L4-5", "L four to five"),
        ("on 2021-03-12", "on twelve March two thousand twenty one"),
        ("03/04/2021", "zero three slash zero four slash two thousand twenty one"),
        ("120/80 mmHg", "one hundred twenty slash eighty millimetres of mercury"),
        ("T2-weighted at 1.5 T", "T two weighted at one point five tesla"),
        ("(95 % interval 0.50 to 0.60)", "ninety five percent interval zero point five zero to zero point six zero"),
        ("the patient's α", "the patient's alpha"),
    ],
)  # fmt: skip
def test_what_voices_read_wrongly_is_spelled_out(written: str, said: str) -> None:
    assert spoken_text(written) == said
