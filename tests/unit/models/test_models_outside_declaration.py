"""`reading-model.yaml`: what must stand in it, what is refused, and that nothing is guessed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from medmm.domain.errors import InputError
from medmm.domain.model_check import ItemState
from medmm.domain.study import Modality
from medmm.models.outside.checking import checked
from medmm.models.outside.declaration import OutsideDeclaration, read_declaration
from medmm.models.outside.declaration_parts import structures
from tests.outside_models import film_declaration, film_onnx, volume_declaration

FILES = {"net.onnx": "0" * 64}


def of(tree: dict[str, Any]) -> OutsideDeclaration:
    return OutsideDeclaration.model_validate({**tree, "files": FILES})


def refusal(tree: dict[str, Any], tmp_path: Path) -> str:
    (tmp_path / "reading-model.yaml").write_text(yaml.safe_dump({**tree, "files": FILES}))
    with pytest.raises(InputError) as caught:
        read_declaration(tmp_path)
    assert "medmm models check" in caught.value.remedy
    return caught.value.problem


def test_a_declaration_says_what_a_model_reads_and_states() -> None:
    film, volume = of(film_declaration()).declares, of(volume_declaration()).declares
    assert (film.modality, film.body_parts) == (Modality.RADIOGRAPH, ("CHEST",))
    assert film.findings == ("Effusion", "Pneumothorax")
    assert (volume.findings, volume.quantities) == ((), ("hippocampus volume",))
    assert "hippocampus" in structures()


@pytest.mark.parametrize(
    "key", [k for k in film_declaration() if k not in ("views", "calibration")]
)
def test_nothing_that_must_be_declared_has_a_default(key: str, tmp_path: Path) -> None:
    tree = {**film_declaration(), "files": FILES}
    del tree[key]
    (tmp_path / "reading-model.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(InputError, match=key):
        read_declaration(tmp_path)


def channel(**changes: Any) -> dict[str, Any]:
    output = film_declaration()["output"]
    return {**output, "channels": {0: {**output["channels"][0], **changes}}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"output": channel(name="Effusions")}, "write 'Effusion' or 'outside: Effusions'"),
        ({"output": channel(name="Effusion", threshold=None)}, "a finding needs a threshold"),
        ({"output": channel(rule_out=0.9)}, "rule_out lies above threshold"),
        ({"output": channel(quantity="LVEF")}, "no volume of the vocabulary"),
        ({"output": channel(quantity="lesion volume")}, "a quantity needs its interval"),
        ({"calibration": None}, "need calibration"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"intended_use": "TODO"}, "still TODO: intended_use"),
        ({"sex": "TODO any, female or male"}, "still TODO: sex"),
        ({"views": []}, "a film needs views"),
        ({"views": ["LATERAL"]}, "lateral films are not read"),
        ({"modality": "MR"}, "a film needs views"),
        ({"grid": {**film_declaration()["grid"], "orientation": "RAS"}}, "spacing|size|orientation"),
        ({"grid": {**film_declaration()["grid"], "orientation": "RLS"}}, "'RLS' names no axes"),
        ({"intensity": [{"rule": "percentile", "low": 98, "high": 2}]}, "low must lie below high"),
        ({"intensity": [{"rule": "guess"}]}, "intensity.0"),
        ({"age_years": [90, 18]}, "age_years"),
        ({"value_range": [1, 0]}, "value_range"),
        ({"output": {**channel(), "classes": "exclusive"}}, "must be overlapping"),
        ({"output": {**channel(), "mask_threshold": 0.5}}, "mask_threshold"),
        ({"laterality": "separate-labels"}, "separate-labels"),
        ({"id": "../x"}, "id: String should match"),
        ({"task": "segmentation"}, "masks of films are not taken"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_place(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert re.search(words, refusal(film_declaration(**changes), tmp_path))


def test_contrast_that_the_sequences_contradict_is_refused(tmp_path: Path) -> None:
    tree = volume_declaration(sequences=["T1 post-contrast"])
    assert "after contrast agent" in refusal(tree, tmp_path)


def test_channels_are_named_without_gaps(tmp_path: Path) -> None:
    output = film_declaration()["output"]
    channels = {0: output["channels"][0], 2: output["channels"][1]}
    assert "gapless" in refusal(film_declaration(output={**output, "channels": channels}), tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a list", "no mapping"),
        ("id: a\nid: b\n", "id stands twice"),
        ("a: &x [1]\nb: *x\n", "anchors"),
        ("a: !!python/object/apply:os.system [ls]\n", "can't be read"),
        ("\x00", "can't be read"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "reading-model.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        read_declaration(tmp_path)


def test_a_folder_without_a_declaration_gets_a_skeleton_that_is_not_taken(tmp_path: Path) -> None:
    film_onnx(tmp_path / "net.onnx")
    check = checked(tmp_path)
    assert not check.ready
    assert (check.format, check.refused) == ("ONNX", "")
    states = {one.item: one.state for one in check.items}
    assert states["input"] is ItemState.READ
    assert states["grid.orientation"] is states["age_years"] is ItemState.MISSING
    tree = yaml.safe_load(check.skeleton)
    assert tree["input"]["tensor"] == "film"
    assert len(tree["files"]["net.onnx"]) == 64
    (tmp_path / "reading-model.yaml").write_text(check.skeleton)
    again = checked(tmp_path)
    assert not again.ready
    assert again.skeleton == ""
    with pytest.raises(InputError, match="still TODO"):
        read_declaration(tmp_path)
