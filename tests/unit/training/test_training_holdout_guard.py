"""Nobody learns from patients of val or test, also where Python runs without its asserts (`python -O`)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medmm.domain.errors import ConfigError, InputError
from medmm.training.data.holdout import refuse_held_back, refuse_other_splits
from medmm.training.film.chest_findings import training_films
from medmm.training.recipes import ChestFindingsRecipe, recipe_as
from medmm.training.reports import chest_report
from tests.report_recipe import recipe

COLUMNS = "shard,file,patient,labels,split"
WITHOUT_ASSERTS = """
from medmm.domain.errors import InputError
from medmm.training.data.holdout import refuse_held_back, refuse_other_splits
assert False, "asserts are run"
for guard, arguments in ((refuse_held_back, ({"1"}, {"1"})), (refuse_other_splits, ({"train", "test"},))):
    try:
        guard(*arguments)
        print("let pass")
    except InputError as error:
        print(error.problem)
"""


def tables(folder: Path, patient: str) -> Path:
    """A data folder whose further films are of this patient; patient 7 is of test."""
    for table, rows in {
        "cxr/labels.csv": ["00.tar,a.png,1,Mass,train", "00.tar,b.png,7,Mass,test"],
        "cxr_more/labels.csv": [f"00.tar,c.png,{patient},Mass,train"],
    }.items():
        (folder / table).parent.mkdir(parents=True)
        (folder / table).write_text("\n".join([COLUMNS, *rows]))
    return folder


def test_films_of_a_test_patient_are_refused(tmp_path: Path) -> None:
    films = training_films(tables(tmp_path / "apart", "2"))
    assert [film.file for film in films] == ["a.png", "c.png"]
    with pytest.raises(
        InputError, match=r"val or test are among those to learn from \(patients 1\)"
    ):
        training_films(tables(tmp_path / "mixed", "7"))


class LearningBegan(Exception):
    """The guard let pass what was to be learned from."""


def begin(*_: object) -> None:
    raise LearningBegan


@pytest.mark.parametrize(
    ("split", "tested", "refused"),
    [
        ("train", "1", (InputError, "patients of val or test")),
        ("test", "2", (InputError, "not of train alone")),
        ("train", "2", (LearningBegan, None)),
    ],
)
def test_reports_of_a_test_patient_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    split: str,
    tested: str,
    refused: tuple[type[Exception], str | None],
) -> None:
    people: Callable[[str], Any] = {
        "train": {("set", "1")},
        "val": set(),
        "test": {("set", tested)},
    }.__getitem__
    examples = [SimpleNamespace(report=SimpleNamespace(split=split))]
    corpus = SimpleNamespace(read=lambda *_, **__: SimpleNamespace(examples=examples, labels=begin))
    monkeypatch.setattr(chest_report, "report_source", lambda *_: SimpleNamespace(people=people))
    monkeypatch.setattr(chest_report, "Corpus", corpus)
    with pytest.raises(refused[0], match=refused[1]):
        chest_report.train(recipe(tmp_path), tmp_path, tmp_path / "out", quiet=True)


def test_the_guards_hold_without_asserts() -> None:
    command = [sys.executable, "-O", "-c", WITHOUT_ASSERTS]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == [
        "patients of val or test are among those to learn from",
        "what is to be learned from is not of train alone",
    ]


def test_the_guards_let_pass_what_is_apart() -> None:
    refuse_held_back({("nih", "1")}, {("nih", "2")})
    refuse_other_splits({"train"})
    with pytest.raises(InputError, match="nothing to learn from"):
        refuse_other_splits(set())


def test_a_recipe_of_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this is a recipe of chest-report"):
        recipe_as(ChestFindingsRecipe, recipe(tmp_path))
