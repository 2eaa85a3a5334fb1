"""Which image of several is read: films and series by their times, acquisitions apart, never by the name of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmm.domain.study import NotEvaluable, SequenceRole, Study, View
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.newest_image import newest, order_of
from tests.dicom_files import FILM, MR_SLICE, dataset, file_bytes, film_file
from tests.enhanced_files import FrameSpec, axial, enhanced_file
from tests.mr_intakes import only, study

FLAIR: dict[str, Any] = {
    "SeriesDescription": "AX FLAIR",
    "ScanningSequence": ["SE", "IR"],
    "SequenceVariant": "SK",
    "MRAcquisitionType": "2D",
    "EchoTime": 120,
    "RepetitionTime": 9000,
    "InversionTime": 2500,
    "AcquisitionTime": "101500",
    "SpacingBetweenSlices": 5,
    "PixelSpacing": [1.0, 1.0],
}


def tags(**changes: Any) -> Tags:
    return Tags(dataset(FILM, **changes))


def stack(
    folder: Path, name: str, count: int = 6, first: float = 0.0, step: float = 5.0, **changes: Any
) -> None:
    """FLAIR slices that lie above each other; `AcquisitionTime` may be a function of the slice."""
    for n in range(count):
        own = {k: v(n) if callable(v) else v for k, v in changes.items()}
        pixels = np.random.default_rng(n).integers(0, 4000, (64, 64)).astype(np.uint16)
        pixels = (pixels // 8 + np.linspace(0, 3000, 64)[None]).astype(np.uint16)
        place = {"ImagePositionPatient": [-32, -32, first + step * n], "InstanceNumber": n + 1}
        uid = f"1.2.4.3.{sum(name.encode())}.{n + 1}"
        made = dataset(MR_SLICE, pixels, **{**FLAIR, **place, "SOPInstanceUID": uid, **own})
        (folder / f"{name}{n:03d}.dcm").write_bytes(file_bytes(made))


@pytest.mark.parametrize(
    ("older", "newer", "by"),
    [
        ({"AcquisitionTime": "080000"}, {"AcquisitionTime": "093000"}, "acquisition time"),
        (
            {"AcquisitionDate": "20200303", "AcquisitionTime": "235900"},
            {"AcquisitionTime": "000100"},
            "acquisition time",
        ),
        (
            {"AcquisitionTime": "100000", "TimezoneOffsetFromUTC": "+0200"},
            {"AcquisitionTime": "093000", "TimezoneOffsetFromUTC": "+0000"},
            "acquisition time",
        ),
        (
            {"AcquisitionDateTime": "20200304080000"},
            {"AcquisitionTime": "090000"},
            "acquisition time",
        ),
        (
            {"AcquisitionDate": None, "StudyDate": "20200304", "AcquisitionTime": "080000"},
            {"AcquisitionDate": None, "StudyDate": "20200304", "AcquisitionTime": "093000"},
            "acquisition time",
        ),
        (
            {"AcquisitionDate": None, "ContentDate": "20200304", "ContentTime": "080000"},
            {"ContentDate": "20200304", "ContentTime": "093000"},
            "content time",
        ),
        (
            {"SeriesDate": "20200304", "SeriesTime": "08"},
            {"SeriesDate": "20200304", "SeriesTime": "09"},
            "series time",
        ),
        ({"InstanceNumber": 2}, {"InstanceNumber": 11}, "instance number"),
    ],
)
def test_the_first_time_that_all_state_and_that_differs_tells(
    older: dict[str, Any], newer: dict[str, Any], by: str
) -> None:
    one, other = order_of(tags(**older)), order_of(tags(**newer))
    assert (newest([one, other]).index, newest([one, other]).by) == (1, by)
    assert (newest([other, one]).index, newest([other, one]).by) == (0, by)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"AcquisitionTime": None}, {}),  # of the same day, one without a time
        ({"AcquisitionDate": None, "AcquisitionTime": None}, {}),
        (
            {"AcquisitionDate": "19000101", "AcquisitionTime": "080000"},
            {},
        ),  # what de-identification leaves
        ({"AcquisitionTime": "nonsense"}, {"AcquisitionTime": "093000"}),
    ],
)
def test_no_order_is_made_up(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert newest([order_of(tags(**one)), order_of(tags(**other))]).by is None


def two_films(
    folder: Path, first: dict[str, Any], second: dict[str, Any], names: tuple[str, str]
) -> Study:
    for name, number, changes in zip(names, (3, 4), (first, second), strict=True):
        film_file(
            folder,
            name,
            SOPInstanceUID=f"1.2.3.{number}",
            SeriesInstanceUID=f"1.2.3.2.{number}",
            **changes,
        )
    return study(folder)


@pytest.mark.parametrize("names", [("a.dcm", "b.dcm"), ("b.dcm", "a.dcm")])
def test_films_whose_order_nothing_tells_are_said_to_be_so(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    made = two_films(tmp_path, {"ViewPosition": "AP"}, {}, names)
    assert made.frontal is not None
    assert made.frontal.view is View.PA
    assert made.film is not None
    assert not made.film.order_known
    assert "film-order-unknown" in {notice.code for notice in made.warnings}


@pytest.mark.parametrize("names", [("a.dcm", "b.dcm"), ("b.dcm", "a.dcm")])
def test_the_time_that_told_films_apart_is_their_own(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    stated = {
        "AcquisitionDate": None,
        "AcquisitionTime": None,
        "StudyDate": "20200304",
        "StudyTime": "080000",
    }
    clocks = ({"ContentDate": "20200304", "ContentTime": clock} for clock in ("080500", "093000"))
    made = two_films(tmp_path, *({**stated, **clock} for clock in clocks), names)  # type: ignore[arg-type]
    assert made.frontal is not None
    assert made.frontal.sop_uids == ("1.2.3.4",)
    assert made.image_time is not None
    assert made.image_time.moment.strftime("%H:%M") == "09:30"
    assert made.image_time.source_tag == "ContentTime"


def test_a_lateral_film_is_no_rival(tmp_path: Path) -> None:
    lateral = {"ViewPosition": "LL", "PatientOrientation": ["A", "F"], "AcquisitionTime": "120000"}
    made = two_films(tmp_path, {}, lateral, ("a.dcm", "b.dcm"))
    assert made.film is not None
    assert made.film.unread_sha256s == ()
    assert not {"films-not-read", "film-order-unknown"} & {notice.code for notice in made.warnings}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2, "AcquisitionTime": "102000"}),
        ({}, {"AcquisitionTime": "113000"}),  # no number, an hour and more between
        ({}, {"AcquisitionTime": "102500"}),  # ten minutes between: slices lie denser than stated
        ({}, {"AcquisitionDate": "20200601"}),
        ({"AcquisitionTime": None}, {"AcquisitionTime": None, "AcquisitionDate": "20200601"}),
        (
            {"AcquisitionTime": None, "AcquisitionDate": None, "SeriesDate": "20200304"},
            {"AcquisitionTime": None, "AcquisitionDate": None, "SeriesDate": "20200601"},
        ),
    ],
)
@pytest.mark.parametrize("offset", [0.0, 2.5, 1.3])
def test_two_acquisitions_are_never_one_volume(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any], offset: float
) -> None:
    stack(tmp_path, "b", **one)
    stack(tmp_path, "a", first=offset, **other)
    if offset == 0 and "SeriesDate" in one:  # the same places, and nothing of their own
        outcome = only(tmp_path).outcome
        assert isinstance(outcome, NotEvaluable)
        assert outcome.held
        return
    made = study(tmp_path)
    assert [volume.shape_zyx[0] for volume in made.volumes] == [6, 6]
    for volume in made.volumes:
        assert len({uid.rsplit(".", 2)[1] for uid in volume.sop_uids}) == 1
        assert volume.spacing_z_mm == pytest.approx(5)
    assert {"several-acquisitions", "series-not-read"} & {notice.code for notice in made.warnings}


def test_an_aborted_scan_and_its_repeat_at_the_same_places_are_two_volumes(tmp_path: Path) -> None:
    stack(tmp_path, "b", 4, AcquisitionTime=lambda n: f"1015{n:02d}")
    stack(tmp_path, "a", 8, AcquisitionTime=lambda n: f"1020{n:02d}")
    made = study(tmp_path)
    assert sorted(volume.shape_zyx[0] for volume in made.volumes) == [4, 8]
    chosen = made.chosen(SequenceRole.FLAIR)
    assert chosen is not None
    assert chosen.shape_zyx[0] == 8


def test_an_aborted_repeat_is_not_read_before_the_whole_scan(tmp_path: Path) -> None:
    stack(tmp_path, "a", 8)
    stack(tmp_path, "b", 3, AcquisitionTime="113000")
    chosen = study(tmp_path).chosen(SequenceRole.FLAIR)
    assert chosen is not None
    assert chosen.shape_zyx[0] == 8


def test_a_missing_slice_does_not_tear_odd_from_even_slices(tmp_path: Path) -> None:
    stack(tmp_path, "a", AcquisitionNumber=lambda n: n % 2 + 1)
    (tmp_path / "a002.dcm").unlink()
    (volume,) = study(tmp_path).volumes
    assert volume.shape_zyx[0] == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"AcquisitionNumber": lambda n: n % 2 + 1, "AcquisitionTime": lambda n: f"10{15 + n % 2}00"},  # odd, then even
        {"AcquisitionTime": lambda n: f"1015{n:02d}"},  # a time for each slice
        {"AcquisitionTime": lambda n: f"10{15 + 3 * n}00", "AcquisitionNumber": lambda n: n + 1},  # one for each breath
        {"AcquisitionDate": lambda n: "20200304" if n < 3 else "20200305",
         "AcquisitionTime": lambda n: "235900" if n < 3 else "000200"},
        {"SpacingBetweenSlices": 2.5, "step": 2.5},  # slices that overlap by half, in one scan
    ],
)  # fmt: skip
def test_one_acquisition_stays_one_volume(tmp_path: Path, changes: dict[str, Any]) -> None:
    stack(tmp_path, "a", **changes)
    (volume,) = study(tmp_path).volumes
    assert volume.shape_zyx[0] == 6
    assert volume.spacing_z_mm is not None


def test_of_two_series_the_newest_is_read_whatever_the_names(tmp_path: Path) -> None:
    stack(tmp_path, "a", SeriesInstanceUID="1.2.4.2.1", AcquisitionTime="113000")
    stack(tmp_path, "b", SeriesInstanceUID="1.2.4.2.2", AcquisitionTime="101500")
    made = study(tmp_path)
    chosen = made.chosen(SequenceRole.FLAIR)
    assert chosen is not None
    assert chosen.series_uid == "1.2.4.2.1"
    assert made.sequences[0].reason.endswith("the newest by acquisition time")
    assert made.image_time == chosen.acquired
    assert made.acquired is not None
    assert made.acquired.moment.strftime("%H:%M") == "10:15"  # facts are cut at the earliest image


def test_frames_of_two_days_in_one_image_are_two_volumes(tmp_path: Path) -> None:
    def frame(n: int, first: float, when: str) -> FrameSpec:
        return axial(first + 5.0 * n, n, FrameContentSequence={"FrameAcquisitionDateTime": when})

    january = [frame(n, 0.0, f"202001021015{n:02d}") for n in range(5)]
    june = [frame(n, 2.5, f"202006011015{n:02d}") for n in range(5)]
    enhanced_file(
        tmp_path / "a.dcm", [frame for pair in zip(january, june, strict=True) for frame in pair]
    )
    made = study(tmp_path)
    assert [volume.shape_zyx[0] for volume in made.volumes] == [5, 5]
    days = {f"{v.acquired.moment:%Y-%m-%d}": v.frame_numbers for v in made.volumes if v.acquired}
    assert days == {"2020-01-02": (1, 3, 5, 7, 9), "2020-06-01": (2, 4, 6, 8, 10)}
