"""What the pixels say, held against the tags: every kind, every contradiction, and what a person let pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medmm.domain.study import NotEvaluable, Study
from medmm.imaging import Intake, PictureKinds, read_studies
from medmm.imaging.picture import KINDS
from medmm.models.film_kind import KINDS as KINDS_OF_THE_NETWORK
from medmm.models.film_kind import decided
from tests.dicom_files import SAYS_FRONTAL, SaysKind, film_file

FUTURE: dict[str, Any] = {"AcquisitionDate": "20990101", "StudyDate": "20990101"}


def only(path: Path, kinds: PictureKinds | None, **released: frozenset[str]) -> Intake:
    (intake,) = read_studies(path, patient_secret=b"x", kinds=kinds, released=released)
    return intake


def test_the_gate_has_a_verdict_for_every_kind_of_the_network() -> None:
    assert {"frontal", *KINDS} == set(KINDS_OF_THE_NETWORK)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_upright_frontal_film_does_not_pass(tmp_path: Path, kind: str) -> None:
    outcome = only(film_file(tmp_path), SaysKind(kind)).outcome
    assert isinstance(outcome, NotEvaluable)
    assert outcome.held == (kind not in ("lateral", "other"))
    assert outcome.reason_code == KINDS[kind].code


@pytest.mark.parametrize("changes", [{"BodyPartExamined": "SKULL"}, {"ViewPosition": "LL"}])
def test_tags_that_the_picture_contradicts_are_looked_at_by_a_person(tmp_path: Path, changes: dict[str, str]) -> None:
    path = film_file(tmp_path, **changes)
    outcome = only(path, SAYS_FRONTAL).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.held, outcome.reason_code) == (True, "tags-contradict-picture")
    outcome = only(path, SaysKind("other")).outcome
    assert isinstance(outcome, NotEvaluable)
    assert not outcome.held


def test_without_the_network_a_film_passes_by_its_tags_and_says_so(tmp_path: Path) -> None:
    outcome = only(film_file(tmp_path), None).outcome
    assert isinstance(outcome, Study)
    assert "picture-unchecked" in [notice.code for notice in outcome.warnings]


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        (FUTURE, "frontal", "future-date"),
        ({}, "mirrored", "picture-mirrored"),
        ({"BodyPartExamined": "SKULL"}, "frontal", "tags-contradict-picture"),
    ],
)
def test_a_release_lets_pass_what_was_looked_at_and_nothing_else(
    tmp_path: Path, changes: dict[str, Any], kind: str, code: str
) -> None:
    path = film_file(tmp_path, **changes)
    held = only(path, SaysKind(kind))
    assert isinstance(held.outcome, NotEvaluable)
    assert held.outcome.reason_code == code
    (file,) = held.files
    passed = only(path, SaysKind(kind), **{file.sha256: frozenset({code})}).outcome
    assert isinstance(passed, Study)
    assert "released" in [notice.code for notice in passed.warnings]
    for digest, codes in ((file.sha256, frozenset({"shape"})), ("0" * 64, frozenset({code}))):
        assert isinstance(only(path, SaysKind(kind), **{digest: codes}).outcome, NotEvaluable)


def test_a_refusal_is_never_released(tmp_path: Path) -> None:
    path = film_file(tmp_path)
    (file,) = only(path, SaysKind("other")).files
    released = {file.sha256: frozenset({"picture-other"})}
    assert isinstance(only(path, SaysKind("other"), **released).outcome, NotEvaluable)


def test_the_thresholds_decide_in_their_order() -> None:
    rest = dict.fromkeys(KINDS_OF_THE_NETWORK, 0.0)
    assert decided({**rest, "frontal": 0.6, "lateral": 0.4}, accept=0.5, mirrored=0.7) == "frontal"
    assert decided({**rest, "frontal": 0.2, "mirrored": 0.8}, accept=0.5, mirrored=0.7) == "mirrored"
    assert decided({**rest, "frontal": 0.4, "lateral": 0.6}, accept=0.5, mirrored=0.7) == "lateral"
