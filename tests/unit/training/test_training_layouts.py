"""Layouts of public sets: what is read, what is left out and counted, and what a wrong folder is told."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.domain.vocabulary import finding_terms
from medmm.language.report_labeller import LABELS
from medmm.training.data.layouts import (
    LAYOUTS,
    FilmSource,
    Layout,
    ReportedFilm,
    chexpert,
    dicom_folder,
    nih,
    open_i,
    padchest,
    read_layout,
)
from medmm.training.data.layouts.label_map import Uncertain, labelled
from medmm.training.data.layouts.reported_film import Split
from medmm.training.data.layouts.sections import report_of
from medmm.training.data.layouts.splits import learning_split_of, split_of
from tests import layout_folders as make

MAKE: dict[str, Callable[[Path], Path]] = {
    "open-i": make.open_i,
    "mimic-cxr": make.mimic,
    "chexpert": make.chexpert,
    "nih-chestxray14": make.nih,
    "padchest": make.padchest,
}
SOON = {"Support_Devices", "Granuloma"}  # findings that the vocabulary is to have


def by_uid(layout: Layout) -> dict[str, ReportedFilm]:
    return {film.uid: film for film in layout.films}


def tables(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.name.endswith((".csv", ".csv.gz")))


def test_every_layout_has_a_folder_here() -> None:
    assert set(LAYOUTS) == {*MAKE, "dicom"}


def test_labels_mean_findings_of_the_vocabulary() -> None:
    text = files("medmm.training").joinpath("data/label_names.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert {row["finding"] for row in rows} - {""} <= {*finding_terms(), *SOON}
    assert all((row["sure"] in ("yes", "no")) == bool(row["finding"]) for row in rows)
    keys = [(row["source"], row["label"], row["finding"]) for row in rows]
    assert len(keys) == len(set(keys))
    assert [row["label"] for row in rows if row["source"] == "chexpert"] == list(LABELS)


@pytest.mark.parametrize("name", MAKE)
def test_films_are_frontal_and_can_be_opened(name: str, tmp_path: Path) -> None:
    layout = read_layout(name, MAKE[name](tmp_path))
    assert layout.films
    for film in layout.films:
        grey = film.film.grey()
        assert grey.shape == (5, 7)
        assert grey.dtype == np.float32
        assert 0 <= grey.min() < grey.max() <= 1
        assert film.view is not View.LATERAL


@pytest.mark.parametrize("name", MAKE)
def test_a_missing_film_is_an_error_or_counted(name: str, tmp_path: Path) -> None:
    whole = read_layout(name, MAKE[name](tmp_path))
    whole.films[0].film.path.unlink()
    with pytest.raises(InputError, match="film of the table is not there") as caught:
        read_layout(name, tmp_path)
    assert Path(caught.value.where["path"]).name == whole.films[0].film.path.name
    if len(whole.films) > 1:
        rest = read_layout(name, tmp_path, partial=True)
        assert [film.uid for film in rest.films] == [film.uid for film in whole.films[1:]]
        assert rest.left_out["film not there"] == 1


@pytest.mark.parametrize("name", MAKE)
def test_a_missing_table_or_column_names_its_place(name: str, tmp_path: Path) -> None:
    MAKE[name](tmp_path)
    for path in tables(tmp_path):
        kept = path.read_bytes()
        head = (gzip.decompress(kept) if path.suffix == ".gz" else kept).splitlines()[0]
        path.unlink()
        with pytest.raises(InputError, match="no table") as caught:
            read_layout(name, tmp_path)
        assert caught.value.where["path"] == str(tmp_path)
        path.write_bytes(head.split(b",")[-1] + b"\n")
        with pytest.raises(InputError, match="has no column") as caught:
            read_layout(name, tmp_path)
        assert caught.value.where["path"] == str(path)
        path.write_bytes(kept)


@pytest.mark.parametrize("name", MAKE)
def test_a_table_cut_short_is_an_error(name: str, tmp_path: Path) -> None:
    path = tables(MAKE[name](tmp_path))[-1]
    data = path.read_bytes().rstrip()
    path.write_bytes(data[:-12] if path.suffix == ".gz" else data[: data.rindex(b",")])
    with pytest.raises(InputError, match=r"can't be read|another number of columns") as caught:
        read_layout(name, tmp_path)
    assert caught.value.where["path"] == str(path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_may_be_packed(packed: bool, tmp_path: Path) -> None:
    make.nih(tmp_path)
    table = tmp_path / "Data_Entry_2017_v2020.csv"
    if packed:
        Path(f"{table}.gz").write_bytes(gzip.compress(table.read_bytes()))
        table.unlink()
    assert len(read_layout("nih-chestxray14", tmp_path).films) == 3


@pytest.mark.parametrize(("head", "line"), [(",", ""), ("", ","), (",", ",")])
def test_commas_that_end_a_line_are_no_columns(head: str, line: str, tmp_path: Path) -> None:
    table = make.nih(tmp_path) / "Data_Entry_2017_v2020.csv"
    first, *lines = table.read_text().splitlines()
    table.write_text("\n".join([first + head, *(text + line for text in lines)]))
    assert len(read_layout("nih-chestxray14", tmp_path).films) == 3


def test_films_of_chexpert(tmp_path: Path) -> None:
    layout = read_layout("chexpert", make.chexpert(tmp_path))
    films = by_uid(layout)
    ill, well = (
        films["patient00001/study1/view1_frontal"],
        films["patient00002/study1/view1_frontal"],
    )
    assert layout.left_out == {"lateral film": 1, "label Lung Lesion": 1}
    assert (ill.split, ill.age_years, ill.sex, ill.view, ill.report) == (
        "train",
        68,
        "F",
        View.AP,
        None,
    )
    assert ill.findings["Fracture"] == 1
    assert ill.findings["Effusion"] == 0
    assert ill.findings["Edema"] is None
    assert ill.findings["Pneumonia"] is None
    assert "Lung Lesion" not in ill.findings
    assert well.findings["Pneumonia"] == 0, "no finding says that"
    assert well.findings["Support_Devices"] is None, "no finding says nothing of devices"
    assert well.view is View.PA
    assert films["patient64541/study1/view1_frontal"].split == "val"
    assert read_layout("chexpert", tmp_path / "CheXpert-v1.0-small").films == layout.films
    assert ill.labels(["Fracture", "Effusion"]) == [1, 0]
    assert np.isnan(ill.labels(["Edema", "Nodule"])).all()


@pytest.mark.parametrize(("policy", "value"), [("ignore", None), ("positive", 1), ("negative", 0)])
def test_uncertain_labels_go_by_the_policy(
    policy: Uncertain, value: float | None, tmp_path: Path
) -> None:
    make.chexpert(tmp_path / "a")
    make.mimic(tmp_path / "b")
    films = by_uid(read_layout("chexpert", tmp_path / "a", uncertain=policy))
    assert films["patient00001/study1/view1_frontal"].findings["Edema"] == value
    films = by_uid(read_layout("mimic-cxr", tmp_path / "b", uncertain=policy))
    assert films["aa-1"].findings["Pneumonia"] == value
    assert films["aa-1"].findings["Edema"] is None


def test_films_of_mimic_cxr(tmp_path: Path) -> None:
    layout = read_layout("mimic-cxr", make.mimic(tmp_path))
    films = by_uid(layout)
    assert layout.left_out == {
        "lateral film": 1, "view not stated": 1, "report not there": 1, "film without labels": 1,
    }  # fmt: skip
    first, second = films["aa-1"], films["bb-1"]
    assert (first.patient, first.split, first.view) == ("p10000032", "train", View.PA)
    assert first.report is not None
    assert first.report.findings == "The lungs are clear. At 10:30 no change: none."
    assert first.report.impression == "No acute process."
    assert first.report.indication == "___ year old with cough"
    assert first.findings["Support_Devices"] == 1
    assert (second.split, second.view, second.report) == ("val", View.AP, None)
    assert set(second.findings) == set(labelled("chexpert"))
    assert set(second.findings.values()) == {None}


def test_reports_of_mimic_cxr_may_lie_beside_the_films(tmp_path: Path) -> None:
    make.mimic(tmp_path)
    text = tmp_path / "files/p10/p10000032/s50414267.txt"
    beside = tmp_path / "mimic-cxr-reports/files/p10/p10000032/s50414267.txt"
    beside.parent.mkdir(parents=True)
    text.rename(beside)
    report = by_uid(read_layout("mimic-cxr", tmp_path))["aa-1"].report
    assert report is not None
    assert report.impression == "No acute process."


def test_a_report_without_headings_has_no_sections() -> None:
    report = report_of("Portable film. The lungs are clear.")
    assert (report.findings, report.impression, report.indication) == ("", "", None)


def test_sections_of_one_name_are_joined_in_order() -> None:
    report = report_of(
        "HISTORY: Cough.\nFINDINGS: One.\nWET READ: gone\nFINDINGS AND IMPRESSION: Two."
    )
    assert (report.findings, report.indication) == ("One. Two.", "Cough.")


@pytest.mark.parametrize("sex_column", ["Patient Sex", "Patient Gender"])
def test_films_of_nih(sex_column: str, tmp_path: Path) -> None:
    layout = read_layout("nih-chestxray14", make.nih(tmp_path, sex_column=sex_column))
    films = by_uid(layout)
    assert layout.left_out == {"film in neither list": 1}
    assert [name for name, value in films["00000001_000"].findings.items() if value] == [
        "Cardiomegaly",
        "Effusion",
    ]
    assert set(films["00000001_001"].findings.values()) == {0}
    assert films["00000002_000"].findings["Pleural_Thickening"] == 1
    assert [film.age_years for film in layout.films] == [58, 58, None]
    assert [film.sex for film in layout.films] == ["M", "M", "F"]
    assert films["00000002_000"].split == "test"
    assert films["00000001_000"].split == films["00000001_001"].split == learning_split_of("1")


def test_nih_without_lists_is_split_by_patient(tmp_path: Path) -> None:
    layout = read_layout("nih-chestxray14", make.nih(tmp_path, lists=False))
    assert [film.split for film in layout.films] == [split_of(p) for p in ("1", "1", "2", "3")]


def test_nih_lists_that_split_a_patient_are_refused(tmp_path: Path) -> None:
    make.nih(tmp_path)
    (tmp_path / "train_val_list.txt").write_text("00000001_000.png\n")
    (tmp_path / "test_list.txt").write_text("00000001_001.png\n")
    with pytest.raises(InputError, match=r"a patient is in test and (train|val)") as caught:
        read_layout("nih-chestxray14", tmp_path)
    assert caught.value.where["uid"] == "00000001_001"
    (tmp_path / "train_val_list.txt").write_text("00000001_001.png\n")
    with pytest.raises(InputError, match="in both lists"):
        read_layout("nih-chestxray14", tmp_path)
    (tmp_path / "train_val_list.txt").unlink()
    with pytest.raises(InputError, match="one list of films without the other"):
        read_layout("nih-chestxray14", tmp_path)


def test_films_of_padchest(tmp_path: Path) -> None:
    layout = read_layout("padchest", make.padchest(tmp_path))
    films = by_uid(layout)
    assert layout.left_out == {
        "label aortic elongation": 1, "lateral film": 1, "projection EXCLUDE": 1, "film that the authors exclude": 1,
        "label unchanged": 1,
    }  # fmt: skip
    heart, tube, well, unchanged = (films[f"{n}_a"] for n in (0, 1, 2, 6))
    assert heart.findings["Cardiomegaly"] == 1
    assert heart.findings["Mass"] is None, "a mass, but it does not say where"
    assert heart.findings["Nodule"] == 0
    assert {n for n, v in tube.findings.items() if v} == {
        "Effusion",
        "Pneumothorax",
        "Support_Devices",
    }
    assert (tube.view, tube.sex) == (View.AP, None)
    assert set(well.findings.values()) == {0}
    assert set(unchanged.findings.values()) == {None}
    assert (heart.age_years, well.age_years, heart.sex) == (84, None, "F")
    assert heart.report is not None
    assert (heart.report.findings, heart.report.language) == ("sin hallazg .", "es")
    assert unchanged.report is None
    np.testing.assert_allclose(
        heart.film.grey(), make.picture(tmp_path / "x.png", bits=16, seed=0) / 65535, atol=1e-6
    )
    np.testing.assert_allclose(
        well.film.grey(), 1 - make.picture(tmp_path / "x.png", bits=16, seed=2) / 65535, atol=1e-6
    )


def test_films_of_open_i(tmp_path: Path) -> None:
    layout = read_layout("open-i", make.open_i(tmp_path))
    films = by_uid(layout)
    assert list(films) == ["CXR1_1_IM-0001-4001", "CXR2_IM-0652-1001"]
    assert layout.left_out == {
        "lateral film": 1,
        "label Aorta": 1,
        "report without a film": 1,
        "label No Indexing": 1,
    }
    first, second = layout.films
    assert {n for n, v in first.findings.items() if v} == {"Cardiomegaly", "Pleural_Thickening"}
    assert first.findings["Lung_Opacity"] is None, "behind the heart, not said to be of the lung"
    assert first.findings["Pneumonia"] == 0, "automatic terms do not count"
    assert set(second.findings.values()) == {None}
    assert (first.view, second.view) == (View.PA, View.AP)
    assert first.report is not None
    assert (first.report.findings, first.report.impression) == ("The heart is large.", "")
    assert first.report.indication == "Cough"
    assert first.split == split_of("CXR1")


def test_open_i_projections_can_be_made_by_looking(tmp_path: Path) -> None:
    made = read_layout("open-i", make.open_i(tmp_path))
    (tmp_path / "indiana_projections.csv").unlink()
    lateral = make.picture(tmp_path / "x.png", seed=0) / np.float32(255)
    looked = open_i.write_projections(
        tmp_path, lambda g: "lateral" if np.array_equal(g, lateral) else "frontal"
    )
    assert looked.name == "projections.csv"
    assert read_layout("open-i", tmp_path).films == made.films
    open_i.write_projections(tmp_path, lambda grey: "mirrored")
    with pytest.raises(InputError, match=r"no frontal film is left .*3 x projection mirrored"):
        read_layout("open-i", tmp_path)


@pytest.mark.parametrize("text", ["<eCitation>", "<eCitation/>"])
def test_a_report_of_open_i_that_is_none_names_its_place(text: str, tmp_path: Path) -> None:
    report = make.open_i(tmp_path) / "ecgen-radiology/2.xml"
    report.write_text(text)
    with pytest.raises(InputError, match=r"a report (can't be read|has no uId)") as caught:
        read_layout("open-i", tmp_path)
    assert caught.value.where["path"] == str(report)


@pytest.mark.parametrize("value", ["2", "yes", "1,0"])
def test_a_label_of_another_value_is_refused(value: str, tmp_path: Path) -> None:
    make.mimic(tmp_path)
    line = {"subject_id": "10000032", "study_id": "50414267", "Edema": value}
    make.table(
        tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz", ("subject_id", "study_id", *LABELS), [line]
    )
    with pytest.raises(InputError, match="a label Edema is not 1, 0, -1 or empty"):
        read_layout("mimic-cxr", tmp_path)


def test_a_wrong_split_is_refused(tmp_path: Path) -> None:
    make.mimic(tmp_path)
    make.table(
        tmp_path / "mimic-cxr-2.0.0-split.csv.gz",
        ("dicom_id", "split"),
        [{"dicom_id": "aa-1", "split": "dev"}],
    )
    with pytest.raises(InputError, match="no split 'dev'"):
        read_layout("mimic-cxr", tmp_path)
    make.table(tmp_path / "mimic-cxr-2.0.0-split.csv.gz", ("dicom_id", "split"), [])
    with pytest.raises(InputError, match="a film has no split"):
        read_layout("mimic-cxr", tmp_path)


def test_wrong_wishes_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no layout 'vindr'.*use open-i"):
        read_layout("vindr", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_layout("chexpert", tmp_path / "none")
    with pytest.raises(InputError, match="no policy 'maybe'"):
        read_layout("chexpert", tmp_path, uncertain="maybe")  # type: ignore[arg-type]


def reported(uid: str, patient: str, split: Split) -> ReportedFilm:
    return ReportedFilm(
        uid=uid, patient=patient, split=split, film=FilmSource(path=Path("x.png")), findings={}
    )


@given(st.lists(st.tuples(st.text(max_size=3), st.sampled_from(get_args(Split))), max_size=12))
def test_no_patient_is_in_two_splits(said: list[tuple[str, Split]]) -> None:
    films = tuple(reported(str(n), patient, split) for n, (patient, split) in enumerate(said))
    splits = {patient: {s for p, s in said if p == patient} for patient, _ in said}
    if all(len(found) == 1 for found in splits.values()):
        assert Layout(name="x", films=films, left_out={}).films == films
    else:
        with pytest.raises(InputError, match="a patient is in"):
            Layout(name="x", films=films, left_out={})


@given(st.lists(st.text(max_size=8), max_size=12))
def test_derived_splits_keep_a_patient_together(patients: list[str]) -> None:
    films = tuple(
        reported(str(n), patient, split_of(patient)) for n, patient in enumerate(patients)
    )
    assert len(Layout(name="x", films=films, left_out={}).films) == len(patients)
    for patient in patients:
        assert learning_split_of(patient) in ("train", "val")


def test_derived_splits_have_their_shares_and_stay() -> None:
    splits = [split_of(f"p{n}") for n in range(4000)]
    shares = {split: splits.count(split) / len(splits) for split in get_args(Split)}
    assert shares == pytest.approx({"train": 0.7, "val": 0.1, "test": 0.2}, abs=0.02)
    learning = [learning_split_of(f"p{n}") for n in range(4000)]
    assert learning.count("val") / len(learning) == pytest.approx(1 / 8, abs=0.02)
    assert splits[:8] == [split_of(f"p{n}") for n in range(8)]
    assert [split_of(p) for p in ("p10000032", "CXR1", "1")] == ["test", "train", "train"]


@pytest.mark.parametrize(
    "wrong", [{"split": "dev"}, {"view": View.LATERAL}, {"findings": {"Edema": -1.0}}]
)
def test_a_film_that_is_built_is_valid(wrong: dict[str, object]) -> None:
    whole = {
        "uid": "u",
        "patient": "p",
        "split": "train",
        "film": FilmSource(path=Path("x.png")),
        "findings": {},
    }
    with pytest.raises(InputError):
        ReportedFilm(**{**whole, **wrong})  # type: ignore[arg-type]


def test_a_film_listed_twice_is_refused() -> None:
    with pytest.raises(InputError, match="listed twice"):
        Layout(name="x", films=(reported("u", "p", "train"),) * 2, left_out={})


def test_the_page_tells_of_every_layout_and_column() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/training-data.md").read_text(
        encoding="utf-8"
    )
    for name in LAYOUTS:
        assert f"## `{name}`" in text
    named = {
        *nih.COLUMNS,
        *padchest.COLUMNS,
        *chexpert.COLUMNS[:5],
        *dicom_folder.COLUMNS,
        *dicom_folder.KEYS,
    }
    assert not {column for column in named if f"`{column}`" not in text}
