"""Acquisition time, identity and age from the header."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pydicom
import pytest

from medmm.imaging.dicom.acquisition_time import study_time
from medmm.imaging.dicom.files import open_dicom
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.patient import age_years, identity_of, same_patient
from tests.dicom_files import FILM, dataset, file_bytes, film_file

DATES: dict[str, Any] = {
    "AcquisitionDateTime": None,
    "AcquisitionDate": None,
    "AcquisitionTime": None,
    "TimezoneOffsetFromUTC": None,
}


def header(path: Path, **changes: Any) -> Tags:
    """Through a file, since reading is where malformed values must not hurt."""
    return Tags(open_dicom(film_file(path, **{**DATES, **changes})).header)


@pytest.mark.parametrize(
    ("changes", "moment", "tag", "precise"),
    [
        (
            {"AcquisitionDateTime": "20200102030405.5+0200"},
            (2020, 1, 2, 3, 4, 5, 500000),
            "AcquisitionDateTime",
            True,
        ),
        ({"AcquisitionDateTime": "20200102"}, (2020, 1, 2), "AcquisitionDateTime", False),
        (
            {"AcquisitionDate": "20200102", "AcquisitionTime": "0304"},
            (2020, 1, 2, 3, 4),
            "AcquisitionDate",
            True,
        ),
        (
            {"AcquisitionDate": "20200102", "StudyTime": "030405"},
            (2020, 1, 2),
            "AcquisitionDate",
            False,
        ),
        ({"AcquisitionDate": "1996.06.11"}, (1996, 6, 11), "AcquisitionDate", False),
        (
            {"AcquisitionDate": "nonsense", "SeriesDate": "20200102"},
            (2020, 1, 2),
            "SeriesDate",
            False,
        ),
        (
            {"AcquisitionDateTime": "2020", "StudyDate": "20200304"},
            (2020, 3, 4),
            "StudyDate",
            False,
        ),
        (
            {"AcquisitionDate": "19010101", "StudyDate": "20200304"},
            (2020, 3, 4),
            "StudyDate",
            False,
        ),
    ],
)
def test_the_first_usable_date_counts_with_its_own_time(
    tmp_path: Path, changes: dict[str, Any], moment: tuple[int, ...], tag: str, precise: bool
) -> None:
    when, _ = study_time(header(tmp_path, **changes))
    assert when is not None
    assert when.moment.replace(tzinfo=None) == datetime(*moment)  # type: ignore[arg-type,misc]
    assert when.moment.tzinfo is not None
    assert (when.source_tag, when.precise) == (tag, precise)


@pytest.mark.parametrize(
    ("offset", "zone", "codes"),
    [
        ("-0400", timezone(timedelta(hours=-4)), []),
        ("+0530", timezone(timedelta(hours=5, minutes=30)), []),
        (None, UTC, ["time-zone-unknown"]),
        ("+9900", UTC, ["time-zone-unknown"]),
        ("EST", UTC, ["time-zone-unknown"]),
    ],
)
def test_a_moment_is_always_aware(
    tmp_path: Path, offset: str | None, zone: timezone, codes: list[str]
) -> None:
    when, notices = study_time(header(tmp_path, StudyDate="20200304", TimezoneOffsetFromUTC=offset))
    assert when is not None
    assert when.moment == datetime(2020, 3, 4, tzinfo=zone)
    assert [notice.code for notice in notices] == codes


def test_no_date_is_said(tmp_path: Path) -> None:
    when, notices = study_time(header(tmp_path))
    assert when is None
    assert [notice.code for notice in notices] == ["date-unknown"]


def test_identity_with_issuer_and_other_ids() -> None:
    other = pydicom.Dataset()
    other.PatientID, other.IssuerOfPatientID = "ZZ-7", "OTHER"
    made = dataset(FILM, IssuerOfPatientID="HERE", OtherPatientIDsSequence=[other], PatientSex="U")
    who = identity_of(Tags(made))
    assert (who.patient_id, who.issuer, who.identifiers) == ("ZZ-1", "HERE", (("OTHER", "ZZ-7"),))
    assert (who.family_name, who.given_name, who.sex) == ("ZZTEST", "FILM", None)
    assert who.birth_date == date(1960, 1, 2)


def test_control_characters_and_direction_marks_are_taken_out(tmp_path: Path) -> None:
    made = dataset(
        FILM,
        PatientID="ZZ-1\nforged line",
        PatientName="ZZ\x1b[31mRED^\u202eTXET",
        SpecificCharacterSet="ISO_IR 192",
    )
    path = tmp_path / "film.dcm"
    path.write_bytes(file_bytes(made))
    who = identity_of(Tags(open_dicom(path).header))
    assert who.patient_id == "ZZ-1 forged line"
    assert "\x1b" not in (who.family_name or "")
    assert "\u202e" not in (who.given_name or "")


@pytest.mark.parametrize("charset", ["ISO_IR 999", "ISO_IR 192"])
def test_a_name_in_a_wrong_character_set_does_not_hurt(tmp_path: Path, charset: str) -> None:
    data = file_bytes(dataset(FILM, SpecificCharacterSet="ISO_IR 100", PatientName="ZZM\xfcller^X"))
    path = tmp_path / "film.dcm"
    path.write_bytes(data.replace(b"ISO_IR 100", charset.encode()))
    assert identity_of(Tags(open_dicom(path).header)).patient_id == "ZZ-1"


def test_the_same_patient_written_in_other_case_is_the_same() -> None:
    one, other = (identity_of(Tags(dataset(FILM, PatientName=n))) for n in ("ZZTEST^A", "Zztest^B"))
    assert same_patient(one, other)


@pytest.mark.parametrize(
    ("age", "birth", "years"),
    [
        ("040Y", None, 40),
        ("006M", None, 0.5),
        (None, "19600304", 60),
        ("999Y", "19600304", None),
        ("58", None, None),
        (None, "20210101", None),
        (None, None, None),
    ],
)
def test_age(tmp_path: Path, age: str | None, birth: str | None, years: float | None) -> None:
    tags = header(tmp_path, PatientAge=age, PatientBirthDate=birth)
    assert age_years(tags, date(2020, 3, 4)) == (
        years if years is None else pytest.approx(years, abs=0.01)
    )
