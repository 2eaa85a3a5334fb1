"""What holds for every film: mirrors flip sides, grey is monotone, and no bytes give anything but an InputError."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medmm.domain.errors import InputError
from medmm.domain.study import NotEvaluable, Study
from medmm.imaging import read_studies
from medmm.imaging.dicom.geometry import make_plane, patient_left_on, stack_affine
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.pixels import display
from tests.dicom_files import FILM, dataset, file_bytes

WHOLE = file_bytes(dataset(FILM))
OPPOSITE = {"L": "R", "R": "L", "left": "right", "right": "left", None: None}
DIRECTIONS = st.sampled_from(["L", "R", "A", "P", "H", "F", ""])
STORED = arrays(np.uint16, (4, 5), elements=st.integers(0, 4095))
WINDOWS = st.fixed_dictionaries(
    {"WindowCenter": st.integers(-500, 5000), "WindowWidth": st.integers(2, 6000)},
    optional={"VOILUTFunction": st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"])},
)


@given(row=st.sampled_from(["L", "R"]), column=DIRECTIONS)
def test_a_mirrored_film_shows_the_left_on_the_other_edge(row: str, column: str) -> None:
    film = patient_left_on(Tags(dataset(FILM, PatientOrientation=[row, column])))
    mirrored = patient_left_on(Tags(dataset(FILM, PatientOrientation=[OPPOSITE[row], column])))
    assert mirrored == OPPOSITE[film]


@given(stored=STORED, window=WINDOWS)
def test_grey_is_monotone_and_monochrome1_is_its_complement(
    stored: np.ndarray, window: dict[str, object]
) -> None:
    grey = display(stored, dataset(FILM, stored, **window), Path("made"))
    inverse = display(
        stored,
        dataset(FILM, stored, PhotometricInterpretation="MONOCHROME1", **window),
        Path("made"),
    )
    order = np.argsort(stored.ravel(), kind="stable")
    assert (np.diff(grey.ravel()[order]) >= 0).all()
    assert grey.min() >= 0
    assert grey.max() <= 1
    np.testing.assert_allclose(inverse, 1 - grey, atol=1e-6)


@given(
    start=st.tuples(*[st.floats(-500, 500)] * 3),
    step=st.floats(0.5, 20),
    angle=st.floats(-3.0, 3.0),
    slices=st.integers(2, 30),
)
def test_an_affine_puts_every_slice_where_its_header_does(
    start: tuple[float, float, float], step: float, angle: float, slices: int
) -> None:
    orientation = (np.cos(angle), np.sin(angle), 0.0, 0.0, 0.0, -1.0)
    normal = np.cross(orientation[:3], orientation[3:])
    positions = [
        tuple(float(v) for v in np.array(start) + i * step * normal) for i in range(slices)
    ]
    made = [
        make_plane(orientation=orientation, position=p, spacing=(0.5, 0.7), thickness=1)
        for p in positions
    ]
    planes = [plane for plane in made if plane is not None]
    affine = np.array(stack_affine(planes))
    for i, position in enumerate(positions):
        np.testing.assert_allclose((affine @ [0, 0, i, 1])[:3], position, atol=1e-6)


def outcomes(data: bytes) -> list[object]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.dcm"
        path.write_bytes(data)
        return [intake.outcome for intake in read_studies(path, patient_secret=b"x")]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600), st.booleans())
def test_random_bytes_give_an_input_error_and_nothing_else(data: bytes, prefixed: bool) -> None:
    (outcome,) = outcomes(bytes(128) + b"DICM" + data if prefixed else data)
    assert isinstance(outcome, InputError)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(WHOLE) - 1) | st.integers(0, 1200))
def test_every_prefix_of_a_film_gives_an_input_error(end: int) -> None:
    (outcome,) = outcomes(WHOLE[:end])
    assert isinstance(outcome, InputError)


@settings(max_examples=80, deadline=None)
@given(st.integers(132, 1200), st.binary(min_size=1, max_size=8))
def test_a_film_with_damaged_header_bytes_has_one_decided_outcome(
    place: int, damage: bytes
) -> None:
    (outcome,) = outcomes(WHOLE[:place] + damage + WHOLE[place + len(damage) :])
    assert isinstance(outcome, InputError | NotEvaluable | Study)
