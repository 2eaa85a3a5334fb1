"""One's own DICOM films with a table of reports, and the pixels of films wherever they lie."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medmm.domain.errors import InputError
from medmm.domain.study import View
from medmm.training.data.layouts import FilmSource, Layout, counted, read_layout
from medmm.training.data.layouts.label_map import Uncertain
from medmm.training.data.layouts.splits import split_of
from tests.dicom_files import film_file, mr_file
from tests.layout_folders import picture, table

COLUMNS = ("file", "findings", "impression", "indication", "split", "Edema", "Effusion", "ward")


def own_films(folder: Path) -> Path:
    """PA films of two patients, a lateral of the first and an MR slice."""
    film_file(
        folder / "films",
        "a.dcm",
        SOPInstanceUID="1.2.3.11",
        PatientAge="060Y",
        AcquisitionDate="29990101",
    )
    film_file(
        folder / "films",
        "b.dcm",
        SOPInstanceUID="1.2.3.12",
        StudyInstanceUID="1.2.3.9",
        PatientID="ZZ-9",
    )
    film_file(folder / "films", "c.dcm", SOPInstanceUID="1.2.3.13", ViewPosition="LL")
    mr_file(folder / "films", "d.dcm", 1.0, SOPInstanceUID="1.2.4.14")
    return folder


def reports(
    folder: Path, lines: list[Mapping[str, object]], columns: tuple[str, ...] = COLUMNS
) -> Path:
    return table(folder / "reports.csv", columns, lines)


def whole(folder: Path, **changes: object) -> Path:
    """The films with a line each."""
    own_films(folder)
    lines: list[Mapping[str, object]] = [
        {
            "file": f"films/{name}.dcm",
            "findings": f" Words of {name}. ",
            "impression": "None.",
            "split": "train",
        }
        for name in "abcd"
    ]
    lines[0] = {**lines[0], "Edema": "1", "Effusion": "-1.0", "ward": "3 B", **changes}
    reports(folder, lines)
    return folder


def test_films_that_the_table_names(tmp_path: Path) -> None:
    layout = read_layout("dicom", whole(tmp_path, indication="Cough"))
    assert layout.left_out == {"column ward": 1, "lateral film": 1, "no radiograph": 1}
    first, second = layout.films
    assert (first.uid, first.view, first.sex, first.age_years) == ("1.2.3.11", View.PA, "F", 60)
    assert first.findings == {"Edema": 1, "Effusion": None}
    assert second.findings == {"Edema": None, "Effusion": None}
    assert first.report is not None
    assert (first.report.findings, first.report.indication) == ("Words of a.", "Cough")
    assert first.film.grey().shape == (256, 260)
    assert first.patient != second.patient
    assert "ZZ" not in first.patient + second.patient


@pytest.mark.parametrize(("policy", "value"), [("ignore", None), ("positive", 1), ("negative", 0)])
def test_uncertain_labels_go_by_the_policy(
    policy: Uncertain, value: float | None, tmp_path: Path
) -> None:
    layout = read_layout("dicom", whole(tmp_path), uncertain=policy)
    assert layout.films[0].findings == {"Edema": 1, "Effusion": value}


@pytest.mark.parametrize("key", ["SOPInstanceUID", "StudyInstanceUID"])
def test_films_may_be_named_by_uid(key: str, tmp_path: Path) -> None:
    own_films(tmp_path)
    (tmp_path / "films/notes.txt").write_text("words")
    uids = {"SOPInstanceUID": "1.2.3.11", "StudyInstanceUID": "1.2.3.1"}
    reports(
        tmp_path,
        [{key: uids[key], "findings": "One.", "impression": ""}],
        (key, "findings", "impression"),
    )
    layout = read_layout("dicom", tmp_path)
    assert [film.uid for film in layout.films] == ["1.2.3.11"]
    assert layout.films[0].split == split_of(layout.films[0].patient)
    assert layout.left_out["file that is no DICOM"] == 1
    assert layout.left_out["file without a report"] == (3 if key == "SOPInstanceUID" else 2)
    assert layout.left_out.get("lateral film", 0) == (0 if key == "SOPInstanceUID" else 1)


def test_a_copy_of_a_film_is_counted_and_another_film_under_its_uid_refused(tmp_path: Path) -> None:
    for name in ("a.dcm", "b.dcm"):
        film_file(tmp_path, name)
    reports(tmp_path, [{"SOPInstanceUID": "1.2.3.3"}], ("SOPInstanceUID", "findings", "impression"))
    layout = read_layout("dicom", tmp_path)
    assert (len(layout.films), layout.left_out) == (1, {"copy of a file": 1})
    film_file(tmp_path, "b.dcm", WindowWidth=1000)
    with pytest.raises(InputError, match="listed twice"):
        read_layout("dicom", tmp_path)


@pytest.mark.parametrize("key", ["file", "SOPInstanceUID", "StudyInstanceUID"])
def test_a_film_that_is_not_there(key: str, tmp_path: Path) -> None:
    own_films(tmp_path)
    there = {"file": "films/a.dcm", "SOPInstanceUID": "1.2.3.11", "StudyInstanceUID": "1.2.3.1"}[
        key
    ]
    reports(tmp_path, [{key: there}, {key: "1.9"}], (key, "findings", "impression"))
    with pytest.raises(InputError, match="film of the table is not there") as caught:
        read_layout("dicom", tmp_path)
    assert caught.value.where["path"].endswith("1.9")
    partial = read_layout("dicom", tmp_path, partial=True)
    assert len(partial.films) == 1
    assert partial.left_out["film not there"] == 1


def test_a_patient_in_two_splits_is_refused(tmp_path: Path) -> None:
    own_films(tmp_path)
    film_file(tmp_path / "films", "e.dcm", SOPInstanceUID="1.2.3.15")
    lines = [
        {"file": f"films/{name}.dcm", "split": split}
        for name, split in (("a", "train"), ("e", "test"))
    ]
    reports(tmp_path, lines)
    with pytest.raises(InputError, match="a patient is in test and train") as caught:
        read_layout("dicom", tmp_path)
    assert caught.value.where == {"layout": "dicom", "uid": "1.2.3.15"}


def test_a_film_without_a_patient_id_is_left_out_unless_the_table_names_one(tmp_path: Path) -> None:
    film_file(tmp_path, "a.dcm", PatientID=None)
    columns = ("file", "findings", "impression", "patient")
    reports(tmp_path, [{"file": "a.dcm", "patient": "ZZ7"}], columns)
    assert read_layout("dicom", tmp_path).films[0].patient == "ZZ7"
    reports(tmp_path, [{"file": "a.dcm"}], columns)
    with pytest.raises(
        InputError, match=r"no frontal film is left \(1 x film without UID or patient ID\)"
    ):
        read_layout("dicom", tmp_path)


@pytest.mark.parametrize(
    ("tags", "word", "left_out"),
    [
        ({"ViewPosition": None, "BodyPartExamined": "CHEST"}, "", "view not stated"),
        ({"ViewPosition": None}, "LATERAL", "lateral film"),
        ({"ViewPosition": "LL"}, "PA", "lateral film"),
        ({"BodyPartExamined": "ELBOW"}, "PA", "gate body-part"),
        ({"PatientOrientation": ["A", "F"]}, "", "gate view-contradiction"),
        ({"ViewPosition": None}, "AP", None),
        ({"ViewPosition": "PA"}, "AP", None),
    ],
)
def test_a_view_of_the_table_counts_where_the_film_states_none(
    tags: dict[str, Any], word: str, left_out: str | None, tmp_path: Path
) -> None:
    film_file(tmp_path, "a.dcm", **tags)
    film_file(tmp_path, "b.dcm", SOPInstanceUID="1.2.3.4")
    reports(
        tmp_path,
        [{"file": "a.dcm", "view": word}, {"file": "b.dcm"}],
        ("file", "findings", "impression", "view"),
    )
    layout = read_layout("dicom", tmp_path)
    assert layout.left_out == ({left_out: 1} if left_out else {})
    assert [film.view.value for film in layout.films[:-1]] == (
        [] if left_out else [tags["ViewPosition"] or word]
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "dev"}, "no split 'dev'"),
        ({"Edema": "0.5"}, "a label Edema is not 1, 0, -1 or empty"),
        ({"file": "films/b.dcm"}, "a film is listed twice"),
    ],
)
def test_a_wrong_cell_is_told(changes: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_layout("dicom", whole(tmp_path, **changes))


@pytest.mark.parametrize(
    ("columns", "lines", "said"),
    [
        (("file", "findings"), [{"file": "a"}], "has no column impression"),
        (
            ("findings", "impression"),
            [{"findings": "a"}],
            "no column file or SOPInstanceUID or StudyInstanceUID",
        ),
        (COLUMNS, [], "table of reports is empty"),
    ],
)
def test_a_table_without_what_it_needs(
    columns: tuple[str, ...], lines: list[Mapping[str, object]], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no table"):
        read_layout("dicom", tmp_path)
    reports(tmp_path, lines, columns)
    with pytest.raises(InputError, match=said) as caught:
        read_layout("dicom", tmp_path)
    assert caught.value.where["path"] == str(tmp_path / "reports.csv")


def test_a_layout_shows_no_patient_id_in_its_errors(tmp_path: Path) -> None:
    layout = read_layout("dicom", whole(tmp_path))
    films = (layout.films[0], *layout.films)
    with pytest.raises(InputError) as caught:
        Layout(name="dicom", films=films, left_out={})
    assert "ZZ" not in str(caught.value)


def test_monochrome1_is_shown_as_monochrome2(tmp_path: Path) -> None:
    plain = FilmSource(path=film_file(tmp_path, "a.dcm")).grey()
    turned = FilmSource(
        path=film_file(tmp_path, "b.dcm", PhotometricInterpretation="MONOCHROME1")
    ).grey()
    np.testing.assert_allclose(turned, 1 - plain, atol=1e-6)
    assert plain[0, 0] < plain[-1, -1]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_pictures_of_8_bits(suffix: str, tmp_path: Path) -> None:
    values = np.full((16, 24), 51, np.uint8)
    Image.fromarray(values).save(tmp_path / f"x{suffix}")
    grey = FilmSource(path=tmp_path / f"x{suffix}").grey()
    assert (grey.shape, grey.dtype) == ((16, 24), np.float32)
    np.testing.assert_allclose(grey, 0.2, atol=0.01)


def test_pictures_of_16_bits_and_inverted_ones(tmp_path: Path) -> None:
    values = picture(tmp_path / "x.png", bits=16)
    grey = FilmSource(path=tmp_path / "x.png").grey()
    np.testing.assert_allclose(grey, values / 65535, atol=1e-6)
    np.testing.assert_allclose(
        FilmSource(path=tmp_path / "x.png", inverted=True).grey(), 1 - grey, atol=1e-6
    )


@pytest.mark.parametrize("name", ["x.png", "film.dcm"])
@pytest.mark.parametrize("archive", ["a.zip", "a.tar", "a.tar.gz"])
def test_films_in_an_archive(name: str, archive: str, tmp_path: Path) -> None:
    picture(tmp_path / "x.png", bits=16)
    film_file(tmp_path)
    plain, packed = tmp_path / name, tmp_path / archive
    if packed.suffix == ".zip":
        with zipfile.ZipFile(packed, "w") as made:
            made.write(plain, f"p/{name}")
    else:
        with tarfile.open(packed, "w:gz" if packed.suffix == ".gz" else "w") as shard:
            shard.add(plain, f"p/{name}")
    np.testing.assert_array_equal(
        FilmSource(path=packed, member=f"p/{name}").grey(), FilmSource(path=plain).grey()
    )
    with pytest.raises(InputError, match="a film can't be read") as caught:
        FilmSource(path=packed, member="q").grey() if name == "q" else FilmSource(
            path=packed, member=f"q/{name}"
        ).grey()
    assert caught.value.where == {"path": str(packed), "member": f"q/{name}"}


def test_broken_films_are_told(tmp_path: Path) -> None:
    picture(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    deep = io.BytesIO()
    Image.fromarray(np.ones((4, 4), np.float32)).save(deep, "TIFF")
    for broken in (data[:40], b"", b"words", deep.getvalue()):
        (tmp_path / "y.png").write_bytes(broken)
        with pytest.raises(InputError, match="can't be decoded") as caught:
            FilmSource(path=tmp_path / "y.png").grey()
        assert caught.value.where == {"path": str(tmp_path / "y.png")}
    with pytest.raises(InputError, match="can't be read"):
        FilmSource(path=tmp_path / "none.png").grey()
    (tmp_path / "y.dcm").write_bytes(b"words")
    with pytest.raises(InputError, match="not a DICOM file"):
        FilmSource(path=tmp_path / "y.dcm").grey()


def test_a_film_of_several_frames_is_refused(tmp_path: Path) -> None:
    frames = np.zeros((2, 8, 8), np.uint16)
    path = film_file(tmp_path, "a.dcm", frames, NumberOfFrames=2)
    with pytest.raises(InputError, match="2 frames in a film"):
        FilmSource(path=path).grey()


NAMED = (
    "file",
    "findings",
    "impression",
    "split",
    "Pleural Effusion",
    "pulmonary edema",
    "Pacemaker",
)


def test_a_column_under_another_name_of_a_finding_is_that_finding(tmp_path: Path) -> None:
    own_films(tmp_path)
    line = {"findings": "Words.", "impression": "", "split": "train"}
    lines = [
        {
            **line,
            "file": "films/a.dcm",
            "Pleural Effusion": "1",
            "pulmonary edema": "0",
            "Pacemaker": "1",
        },
        {**line, "file": "films/b.dcm", "Pleural Effusion": "0", "Pacemaker": "1"},
    ]
    reports(tmp_path, lines, NAMED)
    layout = read_layout("dicom", tmp_path)
    assert [film.findings for film in layout.films] == [
        {"Effusion": 1, "Edema": 0},
        {"Effusion": 0, "Edema": None},
    ]
    # a pacemaker is a support device, but a film without one may show another: the column is no finding's
    assert layout.left_out == {"column Pacemaker": 1, "label Pacemaker": 2}
    assert counted(layout.left_out) == "2 x label Pacemaker; 1 x column Pacemaker"


def test_two_columns_of_one_finding_are_refused(tmp_path: Path) -> None:
    reports(
        own_films(tmp_path),
        [{"file": "films/a.dcm"}],
        ("file", "findings", "impression", "Effusion", "pleural effusion"),
    )
    with pytest.raises(InputError, match="Effusion and pleural effusion both mean Effusion"):
        read_layout("dicom", tmp_path)


@pytest.mark.parametrize(
    ("stated", "text", "language"),
    [
        (None, "The heart is normal in size. The lungs are clear.", "en"),
        (None, "Herz normal groß. Kein Erguss, kein Infiltrat.", "de"),
        (None, "Corazón normal. Pulmones sin infiltrados.", "es"),
        (None, "", "en"),
        ("de", "Normal.", "de"),
    ],
)
def test_a_report_has_the_language_that_is_stated_or_that_its_text_is_in(
    tmp_path: Path, stated: str | None, text: str, language: str
) -> None:
    columns = ("file", "findings", "impression", "split", *(("language",) if stated else ()))
    line = {
        "file": "films/a.dcm",
        "findings": text,
        "impression": "",
        "split": "train",
        "language": stated or "",
    }
    reports(own_films(tmp_path), [{name: line[name] for name in columns}], columns)
    (film,) = read_layout("dicom", tmp_path).films
    assert film.report is not None
    assert film.report.language == language
