"""Reports and labelled films of public sets for the recipes: what enters, and that nothing held back comes back."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medmm.domain.errors import InputError
from medmm.models.film.preprocessing import prepare_film
from medmm.training.data.holdout import Holdout, person
from medmm.training.data.layouts import FilmSource, Layout, ReportedFilm, ReportText
from medmm.training.data.layouts.reported_film import Split
from medmm.training.data.public_sets import MoreFilms
from medmm.training.film import chest_findings
from medmm.training.film.chest_findings import label_matrix, logistic_head
from medmm.training.recipes import LayoutFolder
from medmm.training.reports.corpus import film_greys, read_reports
from medmm.training.reports.sources import LayoutReports, report_source
from tests import layout_folders as make

NOTHING = Holdout(people=frozenset(), names=frozenset(), learned=frozenset())
CONFIG: dict[str, Any] = {
    "task": "chest-findings", "findings": ["Effusion", "Cardiomegaly"], "init": "init/x.safetensors", "size_px": 32,
    "stored_px": 40, "batch": 2, "penalty": [0.01], "learning_rate": 0.001, "weight_decay": 0.0, "average": 0.9,
    "runs": [{"seed": 0, "epochs": 1}],
    "augmentation": {"rotation_degrees": 0, "log_zoom": 0, "shift": 0, "log_gamma": 0, "log_contrast": 0, "brightness": 0},
}  # fmt: skip


def film(uid: str, patient: str = "ZZ1", split: Split = "train", **changes: Any) -> ReportedFilm:
    given: dict[str, Any] = {
        "film": FilmSource(path=Path(f"{uid}.png")), "findings": {"Effusion": 1.0},
        "report": ReportText(findings="No effusion.", impression="Clear."),
    }  # fmt: skip
    return ReportedFilm(uid=uid, patient=patient, split=split, **{**given, **changes})


def layout(*films: ReportedFilm, name: str = "mimic-cxr") -> Layout:
    return Layout(name=name, films=films, left_out={})


def nih_tables(data_dir: Path, rows: list[tuple[str, str, str]]) -> Path:
    """Tables of the shared data with these (file, patient, split) and no shards."""
    columns = ("file", "patient", "labels", "split")
    lines = [{"file": f, "patient": p, "labels": "Effusion", "split": s} for f, p, s in rows]
    make.table(data_dir / "cxr" / "labels.csv", columns, lines)
    make.table(data_dir / "cxr_more" / "labels.csv", columns, [])
    return data_dir


def test_english_reports_with_findings_enter_once_each_with_their_first_film() -> None:
    spanish = ReportText(findings="sin hallazgos", language="es")
    source = LayoutReports.of(
        layout(
            film("a", patient="1"),
            film("b", patient="1"),
            film(
                "c", patient="1", report=ReportText(findings="No effusion.", impression="Stable.")
            ),
            film("d", patient="2", report=spanish),
            film("e", patient="3", report=None),
            film("f", patient="4", report=ReportText(findings=" ", impression="Clear.")),
            film(
                "g",
                patient="5",
                split="val",
                report=ReportText(findings="No mass.", language="en-GB"),
            ),
        ),
        NOTHING,
    )
    assert [r.uid for r in source.reports("train")] == ["mimic-cxr/a", "mimic-cxr/c"]
    assert [r.uid for r in source.reports("val")] == ["mimic-cxr/g"]
    assert source.left_out == {
        "further film of a report": 1,
        "language es": 1,
        "no findings text": 2,
    }
    (report,) = source.reports("val")
    assert (report.findings, report.split, report.split_source, report.scored) == (
        "No mass.",
        "val",
        "mimic-cxr",
        True,
    )
    with pytest.raises(InputError, match="no English report"):
        LayoutReports.of(layout(film("d", report=spanish)), NOTHING)


def test_the_shared_reports_are_read_as_they_are(tmp_path: Path) -> None:
    make.shared_reports(tmp_path, {11: "train", 2: "train", 3: "val"})
    source = report_source(["shared"], tmp_path)
    assert source.reports("train") == read_reports(tmp_path, {"train"})
    assert [r.uid for r in source.reports("train")] == ["2", "11"]
    for mine, theirs in zip(
        source.greys(source.reports("train")),
        film_greys(tmp_path, source.reports("train")),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_pixels_of_a_folder_are_its_films(tmp_path: Path) -> None:
    folder = make.open_i_reports(tmp_path / "o", train=2, val=1, test=1)
    source = report_source([LayoutFolder(layout="open-i", folder=folder)], tmp_path)
    reports = source.reports("train")
    for report, grey in zip(reports, source.greys(reports), strict=True):
        assert report.film is not None
        np.testing.assert_array_equal(grey, FilmSource(path=Path(report.film[0])).grey())


def test_open_i_reports_that_the_shared_data_hold_back_never_enter(tmp_path: Path) -> None:
    train, val = make.numbers("train", 3), make.numbers("val", 2)
    make.shared_reports(
        tmp_path, {train[0]: "test", train[1]: "val", val[0]: "test", train[2]: "train"}
    )
    folder = make.open_i_reports(tmp_path / "o", train=3, val=2, test=1)
    source = report_source([LayoutFolder(layout="open-i", folder=folder)], tmp_path)
    assert source.people("train") == {person("open-i", str(train[2]))}
    assert source.people("val") == {person("open-i", str(val[1]))}


def test_sources_that_put_a_patient_into_train_and_val_are_refused(tmp_path: Path) -> None:
    """The shared reports are Open-i's: one of train there may be one of val in the folder."""
    (number,) = make.numbers("val", 1)
    make.shared_reports(tmp_path, {number: "train"})
    folder = make.open_i_reports(tmp_path / "o", train=1, val=1, test=1)
    with pytest.raises(InputError, match="in train by another source"):
        report_source(["shared", LayoutFolder(layout="open-i", folder=folder)], tmp_path)


def test_joined_sources_give_each_report_its_own_film(tmp_path: Path) -> None:
    make.shared_reports(tmp_path, {9001: "train", 9002: "train"})
    folder = make.open_i_reports(tmp_path / "o", train=2, val=1, test=1)
    source = report_source(["shared", LayoutFolder(layout="open-i", folder=folder)], tmp_path)
    reports = source.reports("train")
    assert len(reports) == 4
    alone = [next(iter(source.greys([report]))) for report in reports]
    mixed = [reports[i] for i in (3, 0, 2, 1)]
    for grey, place in zip(source.greys(mixed), (3, 0, 2, 1), strict=True):
        np.testing.assert_array_equal(grey, alone[place])
    with pytest.raises(InputError, match="in two sources"):
        report_source(["shared", "shared"], tmp_path).reports("train")


def test_nih_films_that_the_shared_data_hold_back_never_enter(tmp_path: Path) -> None:
    rows = [
        ("00000007_000.webp", "7", "test"),
        ("00000008_000.webp", "8", "val"),
        ("00000009_000.webp", "9", "train"),
    ]
    held = Holdout.of(nih_tables(tmp_path, rows))
    films = [
        film("00000007_003", patient="00000007"),
        film("00000008_001", patient="8"),
        film("00000009_000", patient="9"),
        film("00000009_001", patient="9"),
    ]
    kept, why = held.without(layout(*films, name="nih-chestxray14"), films)
    assert [f.uid for f in kept] == ["00000009_001"]
    assert why == {"patient held back by the shared data": 2, "film of the shared data": 1}
    copies = [film("00000007_000", patient="ZZ7"), film("b", patient="7")]
    kept, why = held.without(layout(*copies, name="dicom"), copies)
    assert [f.uid for f in kept] == ["b"]  # patient 7 of another set is another person
    assert why == {"film held back by the shared data": 1}


def test_open_i_films_of_the_external_test_set_never_enter(tmp_path: Path) -> None:
    make.table(
        tmp_path / "cxr" / "external.csv",
        ("file", "patient"),
        [{"file": "openi_12.webp", "patient": "openi_12"}],
    )
    films = [film("CXR12_IM-1", patient="CXR12"), film("CXR13_IM-1", patient="CXR13")]
    kept, _ = Holdout.of(tmp_path).without(layout(*films, name="open-i"), films)
    assert [f.patient for f in kept] == ["CXR13"]


def test_no_held_back_patient_of_the_real_data_comes_back(shared_data: Path) -> None:
    with (shared_data / "cxr" / "labels.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    films = [film(row["file"].removesuffix(".webp"), patient=row["patient"]) for row in rows]
    again = [replace(f, uid=f"{f.uid}_again") for f in films]
    kept, why = Holdout.of(shared_data).without(layout(name="nih-chestxray14"), [*films, *again])
    held = {row["patient"] for row in rows if row["split"] in ("val", "test")}
    assert held
    assert held.isdisjoint(f.patient for f in kept)
    assert {f.uid.removesuffix("_again") for f in kept}.isdisjoint(set(why))
    assert all(f.uid.endswith("_again") for f in kept)


def test_a_recipe_without_folders_has_no_more_films(tmp_path: Path) -> None:
    more = MoreFilms.of(CONFIG, tmp_path)
    first = np.zeros((2, 4, 4), dtype=np.float32)
    assert more.films == ()
    assert more.behind(first, quiet=True, file=None) is first
    assert more.as_json() == {}


def test_labelled_films_of_train_stand_behind_the_others(tmp_path: Path) -> None:
    folder = make.chexpert(tmp_path / "chexpert")
    config = {**CONFIG, "layouts": [{"layout": "chexpert", "folder": str(folder)}]}
    more = MoreFilms.of(config, tmp_path)
    assert [f.split for f in more.films] == ["train", "train"]
    truth = label_matrix(list(more.films), ["Effusion", "Cardiomegaly", "Edema"])
    np.testing.assert_array_equal(truth, [[0, np.nan, np.nan], [0, 0, 0]])

    first = np.ones((1, 32, 32), dtype=np.float32)
    memory = more.behind(first, quiet=True, file=None)
    disk = more.behind(first, quiet=True, file=tmp_path / "run" / "films.npy")
    np.testing.assert_array_equal(memory, disk)
    np.testing.assert_array_equal(memory[0], first[0])
    for prepared, one in zip(memory[1:], more.films, strict=True):
        np.testing.assert_array_equal(prepared, prepare_film(one.film.grey(), 32)[0])
    unknown = MoreFilms.of({**config, "findings": ["Hernia"]}, tmp_path)
    assert unknown.films == ()
    assert list(unknown.left_out.values()) == [
        {"no label is known": 2, "label Lung Lesion": 1, "lateral film": 1}
    ]


def test_the_logistic_start_learns_of_known_labels_alone() -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(40, 3))
    truth = (features[:, :2] + draw.normal(size=(40, 2)) > 0).astype(float)
    masked = truth.copy()
    masked[25:, 1] = np.nan
    weight, bias = logistic_head(features, masked, 1.0)
    whole, part = logistic_head(features, truth, 1.0), logistic_head(features[:25], truth[:25], 1.0)
    np.testing.assert_array_equal(weight, [whole[0][0], part[0][1]])
    np.testing.assert_array_equal(bias, [whole[1][0], part[1][1]])
    with pytest.raises(InputError, match="number 2"):
        logistic_head(
            features, np.stack([truth[:, 0], np.where(truth[:, 1] > 0, 1.0, np.nan)], 1), 1.0
        )


def test_fine_tuning_learns_nothing_of_unknown_labels() -> None:
    """Whatever stands where nobody said, the weights are the same; and they are others than without the mask."""
    torch.manual_seed(0)
    start = chest_findings.chest_findings.build({"findings": CONFIG["findings"]})
    draw = np.random.default_rng(0)
    films = draw.normal(size=(4, 40, 40)).astype(np.float32)
    val, val_truth = films[:2, :32, :32], np.array([[0.0, 1.0], [1.0, 0.0]])
    truth = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    unknown = truth.copy()
    unknown[:, 1] = np.nan

    def tuned(labels: np.ndarray) -> torch.nn.Module:
        run = CONFIG["runs"][0]
        return chest_findings.fine_tuned(
            start, films, labels, val, val_truth, CONFIG, run, [], True
        )

    network = tuned(unknown)
    assert torch.isfinite(network.head.weight).all()
    assert torch.equal(network.head.weight[1], start.head.weight[1])
    assert not torch.equal(network.head.weight[0], start.head.weight[0])
    assert not torch.equal(tuned(truth).head.weight[1], start.head.weight[1])
