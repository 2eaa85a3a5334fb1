"""A label table is read as its writer means it, or refused with line, column, what and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmm.acceptance.labels import Half, read_labels
from medmm.acceptance.report_labels import SignedText, labelled_findings, labels_of_reports
from medmm.acceptance.split import half_of
from medmm.domain.acceptance import LabelsFrom
from medmm.domain.errors import InputError
from medmm.domain.reading import Side
from medmm.domain.reading_model import Declaration
from medmm.domain.study import Modality

FILMS = Declaration(
    modality=Modality.RADIOGRAPH, body_parts=("CHEST",), findings=("Effusion", "Cardiomegaly")
)
HIPPOCAMPUS = Declaration(
    modality=Modality.MR, body_parts=("HIPPOCAMPUS",), quantities=("hippocampus volume",)
)


def table(folder: Path, text: str | bytes, *, films: int = 3) -> Path:
    for n in range(1, films + 1):
        (folder / f"{n}.dcm").write_bytes(f"film {n}".encode())
    path = folder / "films.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_table_is_read_with_all_that_it_says(tmp_path: Path) -> None:
    text = (
        "path,patient,Sex,age,view,scanner,split,Effusion,cardiomegaly\n"
        "1.dcm,a,F,61.5,pa,Acme DR,measure,1,0\n"
        "2.dcm,b,male,,,,calibrate,,1\n"
        "\n"
        "3.dcm,b,M,,,,calibrate,0,0\n"
    )
    read = read_labels(table(tmp_path, text), FILMS)
    first, second, third = read.studies
    assert read.origin is LabelsFrom.TABLE
    assert first.path == tmp_path / "1.dcm"
    assert (first.sex, first.age_years, first.view, first.scanner) == ("F", 61.5, "PA", "Acme DR")
    assert first.findings == {"Effusion": True, "Cardiomegaly": False}
    assert (first.half, second.half) == (Half.MEASURE, Half.CALIBRATE)
    assert second.findings == {"Cardiomegaly": True}
    assert second.sex == "M"
    assert third.line == 5
    assert [one.bare_of(FILMS.findings) for one in read.studies] == [False, False, True]


def test_an_unlooked_for_finding_leaves_a_study_not_bare_unless_it_is_said(tmp_path: Path) -> None:
    text = "path,patient,no_finding,Effusion\n1.dcm,a,,0\n2.dcm,b,1,\n"
    half_labelled, said = read_labels(table(tmp_path, text), FILMS).studies
    assert not half_labelled.bare_of(FILMS.findings)
    assert said.bare_of(FILMS.findings)
    assert said.findings == {"Effusion": False}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffpath,patient,Effusion\n1.dcm,a,1\n",
        "path,patient,Effusion\r\n1.dcm,a,1\r\n",
        'PATH , Patient,"pleural effusion"\n"1.dcm",a, 1 \n',
        "Effusion,patient,path\n1.0,a,1.dcm\n",
    ],
)
def test_tables_of_spreadsheets_are_read(tmp_path: Path, text: str) -> None:
    (study,) = read_labels(table(tmp_path, text), FILMS).studies
    assert study.findings == {"Effusion": True}
    assert study.patient == "a"


WRONG = [
    ("path,patient,Efusion\n1.dcm,a,1\n", ["Efusion", "Effusion"]),
    ("path,patient,Effusion,colour of hair\n1.dcm,a,1,1\n", ["colour of hair", "vocabulary"]),
    ("path,Effusion\n1.dcm,1\n", ["no column patient"]),
    ("path,patient\n1.dcm,a\n", ["labels nothing", "Effusion"]),
    ("path,patient,Mass\n1.dcm,a,1\n", ["labels nothing"]),
    ("path,patient,Effusion,pleural effusion\n1.dcm,a,1,1\n", ["twice"]),
    ("path,patient,Effusion,\n1.dcm,a,1,\n", ["column 4 has no name"]),
    ("path,patient,Effusion\n9.dcm,a,1\n", ["nothing is there", "line 2", "column path"]),
    ("path,patient,Effusion\n1.dcm,,1\n", ["empty", "line 2", "column patient"]),
    ("path,patient,Effusion\n1.dcm,a,2\n", ["'2'", "line 2", "column Effusion"]),
    ("path,patient,Effusion\n1.dcm,a,yes\n", ["'yes'", "1 with the finding"]),
    ("path,patient,Effusion\n1.dcm,a\n", ["2 cells under 3 names", "line 2"]),
    ("path,patient,Effusion\n", ["no study"]),
    ("", ["empty"]),
    ("path;patient;Effusion\n1.dcm;a;1\n", ["semicolons", "commas"]),
    ("path\tpatient\tEffusion\n1.dcm\ta\t1\n", ["tabs"]),
    ("path,patient,Effusion\n1.dcm,Jos\xe9,1\n".encode("latin-1"), ["UTF-8", "line 2"]),
    ("path,patient,Effusion\n1.dcm,a,1\n".encode("utf-16"), ["UTF-8"]),
    ('path,patient,Effusion\n1.dcm,"a,1\n', ["CSV"]),
    ("path,patient,Effusion\n1.dcm,a,1\n1.dcm,b,0\n", ["that of line 2", "line 3"]),
    ("path,patient,split,Effusion\n1.dcm,a,measure,1\n2.dcm,a,calibrate,0\n", ["another half"]),
    ("path,patient,split,Effusion\n1.dcm,a,measure,1\n2.dcm,a,,0\n", ["another half"]),
    ("path,patient,split,Effusion\n1.dcm,a,test,1\n", ["'test'", "calibrate, measure"]),
    ("path,patient,sex,Effusion\n1.dcm,a,F,1\n2.dcm,a,M,0\n", ["another sex", "line 3"]),
    ("path,patient,sex,Effusion\n1.dcm,a,x,1\n", ["'x'", "column sex"]),
    ("path,patient,age,Effusion\n1.dcm,a,061Y,1\n", ["'061Y'", "column age"]),
    ("path,patient,age,Effusion\n1.dcm,a,610,1\n", ["610", "years from 0 to 120"]),
    ("path,patient,age,Effusion\n1.dcm,a,nan,1\n", ["not finite"]),
    ("path,patient,view,Effusion\n1.dcm,a,oblique,1\n", ["'oblique'", "column view"]),
    ("path,patient,no_finding,Effusion\n1.dcm,a,1,1\n", ["without any finding has one"]),
    ("path,patient,hippocampus volume:middle\n1.dcm,a,1\n", ["no such side"]),
    ("path,patient,LVEF:left\n1.dcm,a,1\n", ["no such side"]),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=range(len(WRONG)))
def test_what_can_t_be_used_is_refused_by_its_place(
    tmp_path: Path, text: str | bytes, said: list[str]
) -> None:
    with pytest.raises(InputError) as refused:
        read_labels(table(tmp_path, text), FILMS)
    assert all(words in str(refused.value) for words in said), str(refused.value)


def test_a_film_is_not_labelled_twice_under_two_names(tmp_path: Path) -> None:
    path = table(tmp_path, "path,patient,Effusion\n1.dcm,a,1\ncopy.dcm,b,0\n")
    (tmp_path / "copy.dcm").write_bytes((tmp_path / "1.dcm").read_bytes())
    with pytest.raises(InputError, match=r"that of line 2.*line 3"):
        read_labels(path, FILMS)


def test_a_table_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_labels(tmp_path, FILMS)


def test_no_error_repeats_the_key_of_a_patient(tmp_path: Path) -> None:
    text = "path,patient,sex,Effusion\n1.dcm,Anna Example,F,1\n2.dcm,Anna Example,M,0\n"
    with pytest.raises(InputError) as refused:
        read_labels(table(tmp_path, text), FILMS)
    assert "Anna" not in str(refused.value)


def test_reference_values_have_their_side(tmp_path: Path) -> None:
    text = "path,patient,hippocampus volume:left,Hippocampus_Volume:right\n1.dcm,a,3.1,\n"
    (study,) = read_labels(table(tmp_path, text), HIPPOCAMPUS).studies
    assert study.quantities == {("hippocampus volume", Side.LEFT): 3.1}


def test_the_digest_is_that_of_the_table(tmp_path: Path) -> None:
    one = read_labels(table(tmp_path, "path,patient,Effusion\n1.dcm,a,1\n"), FILMS)
    other = read_labels(table(tmp_path, "path,patient,Effusion\n1.dcm,a,0\n"), FILMS)
    assert one.sha256 != other.sha256


REPORTS = [
    (
        "The heart is enlarged. No pleural effusion.",
        {"Cardiomegaly": True, "Effusion": False},
        False,
    ),
    ("Small left pleural effusion. Possible pneumonia.", {"Effusion": True}, False),
    ("Severe emphysema. No effusion.", {"Effusion": False}, False),
    (
        "Heart size is normal. The lungs are clear.",
        {"Effusion": False, "Pneumothorax": False},
        True,
    ),
]


@pytest.mark.parametrize(("text", "labels", "bare"), REPORTS, ids=range(len(REPORTS)))
def test_reports_are_labelled_by_their_words(
    text: str, labels: dict[str, bool], bare: bool
) -> None:
    found, nothing = labelled_findings(text)
    assert labels.items() <= found.items()
    assert nothing is bare
    assert "Emphysema" not in found


def test_what_a_report_is_not_sure_of_has_no_label() -> None:
    found, bare = labelled_findings("Possible pneumonia.")
    assert "Pneumonia" not in found
    assert not bare


def test_one_report_a_study() -> None:
    one = SignedText(study_uid="1.2", patient="a", text="No effusion.")
    assert len(labels_of_reports([one]).studies) == 1
    with pytest.raises(InputError, match="two signed reports"):
        labels_of_reports([one, one])


def test_the_digest_of_reports_does_not_follow_their_order() -> None:
    two = [SignedText(study_uid=str(n), patient="a", text="No effusion.") for n in (1, 2)]
    assert labels_of_reports(two).sha256 == labels_of_reports(two[::-1]).sha256


def test_a_patient_is_in_one_half_whatever_else_is_there(tmp_path: Path) -> None:
    rows = "".join(f"{n}.dcm,p{n % 40},{n % 2}\n" for n in range(1, 201))
    studies = read_labels(
        table(tmp_path, f"path,patient,Effusion\n{rows}", films=200), FILMS
    ).studies
    halves = {one.patient: half_of(one) for one in studies}
    assert all(half_of(one) is halves[one.patient] for one in studies)
    assert 10 <= sum(half is Half.MEASURE for half in halves.values()) <= 30
