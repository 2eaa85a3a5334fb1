"""However the images of a study come, in whatever parts, order and repetition: it is the study that they are together."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.report import CaseState
from medmm.domain.study import Study
from tests.dicom_files import film_file, picture
from tests.quick_assistant import quick_assistant

IMAGES = 4
parts = st.lists(st.sets(st.integers(0, IMAGES - 1), min_size=1), min_size=1, max_size=5)


def put(folder: Path, images: set[int]) -> Path:
    """A folder with these images, under names that tell nothing."""
    folder.mkdir()
    for place, image in enumerate(sorted(images, key=lambda n: (n * 7) % 5)):
        pixels = picture() // (
            1 + image
        )  # no roll: its seam would look like two films in one picture
        film_file(folder, f"IM{place}", pixels, SOPInstanceUID=f"1.2.3.3.{image}")
    return folder


@cache
def together(images: frozenset[int]) -> Study:
    """The study of these images when they come at once."""
    with (
        tempfile.TemporaryDirectory() as folder,
        quick_assistant(Path(folder) / "data") as assistant,
    ):
        study = assistant.admit(put(Path(folder) / "in", set(images)))
        assert isinstance(study, Study)
        return study


@settings(max_examples=5, deadline=None)
@given(parts)
def test_parts_give_what_the_whole_gives(came: list[set[int]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        quick_assistant(Path(folder) / "data") as assistant,
    ):
        seen: set[int] = set()
        for number, images in enumerate(came):
            before = assistant.cases()
            study = assistant.admit(put(Path(folder) / str(number), images))
            assert isinstance(study, Study)
            case = assistant.open_case(study.uid)
            grew, seen = not images <= seen, seen | images
            whole = together(frozenset(seen))
            assert study.volumes == whole.volumes == case.study.volumes
            assert study.acquired == whole.acquired
            assert len(assistant.cases()) == len(before) + grew
            states = [one.state for one in assistant.cases()]
            assert states.count(CaseState.OPENED) == 1
            assert set(states) <= {CaseState.OPENED, CaseState.SUPERSEDED}
        assert assistant.verify().ok
