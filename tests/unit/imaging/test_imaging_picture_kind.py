"""What the pixels say, held against the tags: every kind, every contradiction, and what a person let pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from medmm.domain.study import NotEvaluable, Study
from medmm.imaging import Intake, PictureKinds, read_studies
from medmm.imaging.gate.picture_kind import KINDS
from medmm.imaging.inspection import look_at
from medmm.models.film.film_kind import KINDS as KINDS_OF_THE_NETWORK
from medmm.models.film.film_kind import FilmKindModel, decided
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
def test_tags_that_the_picture_contradicts_are_looked_at_by_a_person(
    tmp_path: Path, changes: dict[str, str]
) -> None:
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


SILENT: dict[str, Any] = {
    "BodyPartExamined": None,
    "ViewPosition": None,
    "PatientOrientation": None,
}
SURE = SaysKind("frontal", sure=True)


VIEWS = [
    {**SILENT, "ViewPosition": view} for view in ("PA", "AP")
]  # hands are taken in such views too


@pytest.mark.parametrize("changes", [SILENT, *VIEWS, {**SILENT, "BodyPartExamined": ""}])
def test_a_sure_picture_stands_for_a_body_part_that_no_tag_names(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = film_file(tmp_path, **changes)
    outcome = only(path, SURE).outcome
    assert isinstance(outcome, Study)
    assert {"body-part-by-picture", "orientation-unknown"} <= {
        notice.code for notice in outcome.warnings
    }
    assert outcome.volumes[0].patient_left_on is None
    for kinds in (SAYS_FRONTAL, SaysKind("mirrored"), None):
        outcome = only(path, kinds).outcome
        assert isinstance(outcome, NotEvaluable)
        assert (outcome.held, outcome.reason_code) == (True, "body-part-unknown")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"BodyPartExamined": "KNEE"}, "tags-contradict-picture"),
        ({"BodyPartExamined": None, "SeriesDescription": "KNEE AP"}, "tags-contradict-picture"),
        ({**SILENT, "SeriesDescription": "LUMBAR AP"}, "tags-contradict-picture"),
        ({**SILENT, "ViewPosition": "LL"}, "tags-contradict-picture"),
        ({**SILENT, "PatientOrientation": ["A", "F"]}, "tags-contradict-picture"),
        ({**SILENT, **FUTURE}, "future-date"),
        ({**SILENT, "SeriesDescription": "PHANTOM"}, "phantom"),
    ],
)
def test_a_sure_picture_lifts_no_other_hold(
    tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    outcome = only(film_file(tmp_path, **changes), SURE).outcome
    assert isinstance(outcome, NotEvaluable)
    assert (outcome.held, outcome.reason_code) == (True, code)


def test_a_released_film_is_not_said_to_be_taken_by_its_picture(tmp_path: Path) -> None:
    path = film_file(tmp_path, **SILENT)
    (file,) = only(path, SAYS_FRONTAL).files
    outcome = only(path, SURE, **{file.sha256: frozenset({"body-part-unknown"})}).outcome
    assert isinstance(outcome, Study)
    codes = {notice.code for notice in outcome.warnings}
    assert "released" in codes
    assert "body-part-by-picture" not in codes


def collimated_picture() -> NDArray[np.uint16]:
    pixels = np.full((300, 400), 4000, dtype=np.uint16)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((300, 220)), 3)
    pixels[:, 90:310] = 300 + 3000 * (noise - noise.min()) / (noise.max() - noise.min())
    return pixels


def test_a_collimated_film_passes_with_a_warning_and_its_field_alone_is_looked_at(
    tmp_path: Path,
) -> None:
    seen: list[tuple[int, ...]] = []

    class Looks(SaysKind):
        def kind_of(self, grey: NDArray[np.float32]) -> str:
            seen.append(grey.shape)
            return super().kind_of(grey)

    path = film_file(tmp_path, pixels=collimated_picture(), ViewPosition="AP")
    outcome = only(path, Looks("frontal")).outcome
    assert isinstance(outcome, Study)
    (text,) = [notice.text for notice in outcome.warnings if notice.code == "collimated"]
    assert text.startswith("Only 5")
    assert seen[0][1] == pytest.approx(220, abs=8)
    outcome = only(path, SaysKind("mirrored")).outcome
    assert isinstance(outcome, NotEvaluable)
    assert outcome.reason_code == "picture-mirrored"


def test_a_look_says_what_the_gate_says(tmp_path: Path) -> None:
    path = film_file(tmp_path, pixels=collimated_picture(), **SILENT)
    (look,) = look_at(only(path, SURE), SURE)
    assert look.objections == ()
    assert "collimated" in {notice.code for notice in look.warnings}
    (look,) = look_at(only(path, SAYS_FRONTAL), SAYS_FRONTAL)
    assert [notice.code for notice in look.objections] == ["body-part-unknown"]


def test_weights_without_the_threshold_are_never_sure() -> None:
    model = FilmKindModel(
        weights=cast(Any, None),
        network=None,
        size_px=1,
        kinds=(),
        accept=0.5,
        mirrored=0.5,
        sure=None,
    )
    assert not model.surely_frontal(np.zeros((8, 8), dtype=np.float32))


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
    assert (
        decided({**rest, "frontal": 0.2, "mirrored": 0.8}, accept=0.5, mirrored=0.7) == "mirrored"
    )
    assert decided({**rest, "frontal": 0.4, "lateral": 0.6}, accept=0.5, mirrored=0.7) == "lateral"
