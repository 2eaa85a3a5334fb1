"""Which models read a study, and what several say of one: nothing twice, nothing lost, and why where there is nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.codec import from_json, to_json
from medmm.domain.reading import Finding, Measurement, ModelIdentity, Reading, Side
from medmm.domain.reading_model import (
    Declaration,
    ReadingModel,
    no_reading_model,
    not_read,
    one_reading,
    read_by,
)
from medmm.domain.second_opinion import second_opinions
from medmm.domain.study import Modality, NotEvaluable, Notice, Study
from medmm.presentation.opinion_words import opinion_lines
from tests.factories import make_mr_study, make_study

FILM = make_study()
WHY = Notice(code="no-flair", text="No FLAIR series was found.")
OF_FILMS = Declaration(modality=Modality.RADIOGRAPH, body_parts=("CHEST",))
NAMES = ("Effusion", "Edema", "Mass")


@dataclass(frozen=True)
class Says:
    """A model that gives the same outcome of each study that it declares."""

    outcome: Reading | NotEvaluable
    declares: Declaration = OF_FILMS
    identities: tuple[ModelIdentity, ...] = ()

    def read(self, study: Study) -> Reading | NotEvaluable:
        return self.outcome


def network(name: str) -> ModelIdentity:
    return ModelIdentity(name=name, manifest_sha256=name[0] * 64)


def finding(name: str, probability: float = 0.2, model: str | None = None) -> Finding:
    return Finding(name=name, probability=probability, threshold=0.5, model=model)


def reading(name: str, *findings: Finding, **parts: tuple) -> Reading:
    return Reading(study_uid=FILM.uid, models=(network(name),), findings=findings, **parts)


@pytest.mark.parametrize("modality", list(Modality))
@pytest.mark.parametrize("part", ["CHEST", "BRAIN", "KNEE", "chest"])
def test_a_declaration_covers_its_modality_and_body_parts(modality: Modality, part: str) -> None:
    declared = Declaration(modality=Modality.MR, body_parts=("BRAIN", "KNEE"))
    study = replace(make_study(), modality=modality, body_part=part)
    assert declared.covers(study) is (modality is Modality.MR and part in ("BRAIN", "KNEE"))
    assert from_json(Declaration, to_json(declared)) == declared


def test_a_declaration_allows_what_it_names_alone() -> None:
    declared = Declaration(
        modality=Modality.RADIOGRAPH,
        body_parts=("CHEST",),
        findings=("Effusion",),
        quantities=("cardiothoracic ratio",),
    )
    ratio = Measurement(name="cardiothoracic ratio", value=0.5, unit="1", interval=(0.4, 0.6))
    assert declared.allows(reading("a", finding("Effusion"), measurements=(ratio,)))
    assert not declared.allows(reading("a", finding("Edema")))
    assert not declared.allows(reading("a", measurements=(replace(ratio, name="LVEF"),)))


def test_a_study_is_read_by_whoever_declares_it_and_nobody_else() -> None:
    brain = Declaration(modality=Modality.MR, body_parts=("BRAIN",))
    of_film, of_brain = reading("a", finding("Edema")), Reading(study_uid="brain")
    models: list[ReadingModel] = [Says(of_brain, brain), Says(of_film)]
    assert read_by(models, FILM) is of_film
    assert read_by(models, make_mr_study("BRAIN")) is of_brain


@pytest.mark.parametrize(
    ("study", "text"),
    [
        (
            FILM,
            "No reading model is installed for this study (chest radiograph, CHEST); "
            "nothing was read from the image.",
        ),
        (
            make_mr_study("HEART"),
            "No reading model is installed for MR of this body part (HEART); nothing was read.",
        ),
    ],
)
def test_where_no_model_reads_a_study_the_reading_says_so(study: Study, text: str) -> None:
    assert read_by([], study) == Reading(
        study_uid=study.uid, warnings=(Notice(code="no-reading-model", text=text),)
    )


def test_why_a_model_reads_nothing_stands_in_the_reading() -> None:
    declined = not_read(FILM, WHY)
    assert (declined.uid, declined.reason_code, declined.held) == (FILM.uid, WHY.code, False)
    assert read_by([Says(declined)], FILM) == Reading(study_uid=FILM.uid, warnings=(WHY,))


def test_what_nobody_else_says_of_a_study_is_added_with_its_network() -> None:
    first = reading("a", finding("Effusion", 0.2), volumes_read=("1", "2"))
    later = reading(
        "b", finding("Effusion", 0.9), finding("Edema"), finding("Mass", model="c"),
        volumes_read=("2", "3"), warnings=(WHY,),
    )  # fmt: skip
    joined = one_reading(FILM, [first, later])
    assert [(f.name, f.probability, f.model) for f in joined.findings] == [
        ("Effusion", 0.2, None), ("Edema", 0.2, "b"), ("Mass", 0.2, "c"),
    ]  # fmt: skip
    assert joined.models == (network("a"), network("b"))
    assert (joined.volumes_read, joined.warnings) == (("1", "2", "3"), (WHY,))


def test_what_a_later_model_says_of_the_same_stands_beside_the_first() -> None:
    first, later = finding("Effusion", 0.2), finding("Effusion", 0.9)
    small = Measurement(name="cardiothoracic ratio", value=0.4, unit="1", interval=(0.39, 0.41))
    large = replace(small, value=0.6, interval=(0.55, 0.65))
    joined = one_reading(
        FILM,
        [
            reading("a", first, measurements=(small,)),
            reading("b", later, measurements=(large,)),
            reading("c", finding("Effusion", 0.1), measurements=(small,)),
        ],
    )
    assert (joined.findings, joined.measurements) == ((first,), (small,))
    said = [(o.first_model, o.other_model, o.disagree) for o in second_opinions(joined)]
    assert said == [("a", "b", True), ("a", "c", False), ("a", "b", True), ("a", "c", False)]
    lines = opinion_lines(joined)
    assert lines[0] == (
        "pleural effusion: a 0.20, operating point 0.50: undecided; "
        "b 0.90, operating point 0.50: suspected (they disagree)"
    )
    assert lines[3] == ("cardiothoracic ratio: a 0.40 (0.39 to 0.41); c 0.40 (0.39 to 0.41)")
    assert opinion_lines(None) == opinion_lines(reading("a", first)) == ()


def test_a_reading_that_was_kept_before_it_had_second_opinions_opens() -> None:
    kept = to_json(reading("a", finding("Effusion")))
    for name in ("other_findings", "other_measurements"):
        del kept[name]
    assert from_json(Reading, kept) == reading("a", finding("Effusion"))


def test_a_quantity_of_the_other_side_is_another_quantity() -> None:
    left = Measurement(name="volume", value=1, unit="ml", interval=(0, 2), side=Side.LEFT)
    right = replace(left, value=2.0, side=Side.RIGHT)
    joined = one_reading(
        FILM, [reading("a", measurements=(left,)), reading("b", measurements=(right, left))]
    )
    assert joined.measurements == (left, right)
    assert joined.other_measurements == (replace(left, model="b"),)


def test_that_nothing_is_installed_is_not_codes_of_what_was_read() -> None:
    found = reading("a", finding("Edema"))
    for outcomes in ([no_reading_model(FILM), found], [found, no_reading_model(FILM)]):
        assert one_reading(FILM, outcomes) is found
    assert one_reading(FILM, [no_reading_model(FILM)] * 2).warnings[0].code == "no-reading-model"


OUTCOMES = st.one_of(
    st.builds(
        lambda name, probabilities: reading(name, *(finding(n, p) for n, p in probabilities.items())),
        st.sampled_from(["a", "b", "c"]),
        st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1)),
    ),
    st.sampled_from([not_read(FILM, WHY), no_reading_model(FILM)]),
)  # fmt: skip


@given(outcomes=st.lists(OUTCOMES, min_size=1, max_size=4))
def test_of_several_models_each_finding_is_told_once_as_the_first_told_it(
    outcomes: list[Reading | NotEvaluable],
) -> None:
    joined, readings = one_reading(FILM, outcomes), [o for o in outcomes if isinstance(o, Reading)]
    told = [finding for one in readings for finding in one.findings]
    assert {f.name for f in joined.findings} == {f.name for f in told}
    assert len({f.name for f in joined.findings}) == len(joined.findings)
    for found in joined.findings:
        first = next(f for f in told if f.name == found.name)
        assert replace(found, model=first.model) == first
    kept = [(f.name, f.probability) for f in (*joined.findings, *joined.other_findings)]
    assert sorted(kept) == sorted((f.name, f.probability) for f in told)  # nothing is dropped
    assert joined.study_uid == FILM.uid
    assert (WHY in joined.warnings) is any(
        isinstance(o, NotEvaluable) and o.reason_code == WHY.code for o in outcomes
    )
