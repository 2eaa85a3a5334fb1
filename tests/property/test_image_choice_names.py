"""The names of files, and their order, never change which image is read or what a draft says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.codec import to_json
from medmm.domain.draft import Case
from medmm.domain.reading import Finding, ModelIdentity, Reading
from medmm.domain.study import Study
from medmm.drafting import RuleWriter
from tests.dicom_files import film_file
from tests.mr_intakes import study
from tests.unit.imaging.test_imaging_newest_image import stack

CLOCKS = st.sampled_from([None, "080000", "093000", "093000.5", "180000"])
VIEWS = st.sampled_from(["PA", "AP", "LL", None])
FILMS = st.lists(st.tuples(VIEWS, CLOCKS, CLOCKS, st.integers(1, 3)), min_size=2, max_size=4)
FINDING = Finding(name="Effusion", probability=0.01, threshold=0.3)


def read_and_drafted(folder: Path) -> tuple[Study, Any]:
    """The study of a folder and the JSON of the rules' draft on the image that it says is read."""
    made = study(folder)
    read = made.frontal or next(
        (made.volume(choice.volume_sha256) for choice in made.sequences), None
    )
    reading = Reading(
        study_uid=made.uid,
        models=(ModelIdentity(name="test", manifest_sha256="0" * 64),),
        findings=(FINDING,),
        volumes_read=(read.sha256,) if read else (),
    )
    return made, to_json(RuleWriter().write(Case(id="case-1", study=made), reading))


def both_ways(order: list[int], write: Callable[[Path, str, int], Any]) -> list[tuple[Study, Any]]:
    """What comes of the same contents under names in their order, and under names in another."""
    found = []
    for names in (range(len(order)), order):
        with tempfile.TemporaryDirectory() as folder:
            for index, name in enumerate(names):
                write(Path(folder), f"{name:02d}", index)
            found.append(read_and_drafted(Path(folder)))
    return found


@settings(max_examples=25, deadline=None)
@given(films=FILMS, data=st.data())
def test_names_of_films_change_nothing(films: list[tuple[Any, ...]], data: st.DataObject) -> None:
    films = [("PA", *films[0][1:]), *films[1:]]  # a lateral film alone is refused
    order = data.draw(st.permutations(range(len(films))))

    def write(folder: Path, name: str, index: int) -> None:
        view, acquired, content, number = films[index]
        lies = ["A", "F"] if view == "LL" else ["L", "F"]
        film_file(
            folder,
            f"{name}.dcm",
            SOPInstanceUID=f"1.2.3.3.{index}",
            SeriesInstanceUID=f"1.2.3.2.{index % 2}",
            ViewPosition=view,
            PatientOrientation=lies,
            AcquisitionTime=acquired,
            ContentDate="20200304",
            ContentTime=content,
            InstanceNumber=number,
        )

    (one, first), (other, second) = both_ways(order, write)
    assert first == second
    assert one == other


@settings(max_examples=10, deadline=None)
@given(clocks=st.lists(CLOCKS, min_size=2, max_size=3), data=st.data())
def test_names_of_series_change_nothing(clocks: list[str | None], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(clocks))))

    def write(folder: Path, name: str, index: int) -> None:
        own = {"SeriesInstanceUID": f"1.2.4.2.{index}", "AcquisitionTime": clocks[index]}
        uids = {"SOPInstanceUID": lambda n: f"1.2.4.3.{index}.{n}"}
        stack(folder, name, 4, **own, **uids)

    (one, first), (other, second) = both_ways(order, write)
    assert first == second
    assert one == other
