"""The acceptance of a packaged network says what its figures say, and no more."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmm.domain.acceptance import Acceptance, Attribute, Place
from medmm.domain.codec import from_json, to_json
from medmm.domain.errors import IntegrityError
from medmm.domain.reading import ModelIdentity
from medmm.evaluation.acceptance import (
    DISTRIBUTIONS,
    FILMS,
    packaged_acceptance,
    score_distributions,
)
from medmm.evaluation.predictions import Scored
from medmm.files import sha256_of
from medmm.models.weights.catalogue import (
    ACCEPTANCE,
    declarations,
    packaged_weights,
    row_named,
    shipped_acceptance,
)
from medmm.training.data.films import Film

AT = datetime(2026, 11, 30, tzinfo=UTC)


def figures(task: str) -> dict[str, Any]:
    path = packaged_weights() / task / "evaluation.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def accepted(task: str) -> Acceptance:
    return packaged_acceptance(task, figures(task), table_sha256="a" * 64, at=AT)


@pytest.mark.parametrize("task", FILMS)
def test_every_figure_that_a_network_declares_is_there_or_said_to_be_missing(task: str) -> None:
    found, declared = accepted(task), declarations()[task]
    there = {one.name for one in found.findings} | {one.name for one in found.quantities}
    missing = {one.of for one in found.not_measured}
    assert there | missing >= {*declared.findings, *declared.quantities}
    assert not there & missing
    assert found.place is Place.PACKAGED
    assert found.calibration is None
    assert found.measured.studies > 0
    assert from_json(Acceptance, json.loads(json.dumps(to_json(found)))) == found


def test_the_figures_are_those_of_the_evaluation() -> None:
    found, kept = accepted("chest-findings"), figures("chest-findings")
    effusion = next(one for one in found.findings if one.name == "Effusion")
    assert effusion.auroc.value == kept["labels"]["Effusion"]["auroc"]["value"]
    assert effusion.positives == kept["labels"]["Effusion"]["cases"]
    assert found.burden.value == kept["drafts"]["no_finding_films_with_a_possible"]["value"]
    assert {one.attribute for one in found.groups} == {Attribute.SEX, Attribute.AGE, Attribute.VIEW}
    heart = accepted("cardiac")
    lvef = next(one for one in heart.quantities if one.name == "LVEF")
    row = figures("cardiac")["quantities"]["LVEF"]
    assert lvef.bias.value == row["bias"]["value"]
    low, high = lvef.limits
    assert low.value is not None
    assert high.value is not None
    assert high.value - low.value == pytest.approx(2 * row["limits_of_agreement"], abs=1e-3)


def film(n: int) -> Film:
    return Film(
        folder="cxr", shard="", file=f"{n}.webp", patient=str(n), findings=frozenset(),
        split="test", age_years=40.0 + n, sex="F" if n % 2 else None, view="PA", source="",
        official_list=None, row={},
    )  # fmt: skip


def test_scores_of_test_films_are_counted_for_later_comparison() -> None:
    score = np.random.default_rng(0).random((30, 2))
    rows = score_distributions(Scored([film(n) for n in range(30)], ["Effusion", "Mass"], score))
    kept = {**figures("chest-findings"), DISTRIBUTIONS: json.loads(json.dumps(rows))}
    found = packaged_acceptance("chest-findings", kept, table_sha256="a" * 64, at=AT)
    counted = {(one.of, one.finding): one.studies for one in found.distributions}
    assert counted["score", "Effusion"] == counted["score of any finding", None] == 30
    assert counted["sex", None] == 15


def test_a_shipped_acceptance_is_of_the_manifest_that_lists_it(tmp_path: Path) -> None:
    folder = tmp_path / "hippocampus"
    shutil.copytree(packaged_weights() / "hippocampus", folder)
    (folder / ACCEPTANCE).write_text(json.dumps(to_json(accepted("hippocampus"))))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][ACCEPTANCE] = sha256_of(folder / ACCEPTANCE)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    digest = sha256_of(folder / "manifest.json")
    row = replace(row_named("hippocampus"), manifest_sha256=digest)
    found = shipped_acceptance(row, tmp_path)
    assert found is not None
    assert found.model == ModelIdentity(name="hippocampus", manifest_sha256=digest)
    assert shipped_acceptance(row_named("cardiac"), tmp_path) is None
    (folder / ACCEPTANCE).write_text("{}")
    with pytest.raises(IntegrityError):
        shipped_acceptance(row, tmp_path)
