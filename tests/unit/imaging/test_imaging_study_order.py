"""What the images of a study state of its order."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from medmm.domain.imaging_order import StudyOrder
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.study_order import stated_order


def image(**elements: Any) -> Tags:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return Tags(dataset)


def requested(**elements: Any) -> Tags:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return image(RequestAttributesSequence=[item])


def test_numbers_come_from_the_study_and_the_request() -> None:
    images = [
        image(AccessionNumber="A-1", PlacerOrderNumberImagingServiceRequest="P-1"),
        requested(AccessionNumber="A-1"),
        image(AccessionNumber=""),
        image(FillerOrderNumberImagingServiceRequest="F-1"),
    ]
    assert stated_order(images, mr=False) == StudyOrder(
        accession="A-1", placer_order="P-1", filler_order="F-1"
    )


@pytest.mark.parametrize(
    ("stated", "level"),
    [
        (("STAT",), "stat"),
        (("HIGH", "ROUTINE"), "urgent"),
        (("medium ",), "routine"),
        (("LOW", ""), "routine"),
        (("AT ONCE",), None),
        (("",), None),
    ],
)
def test_of_stated_priorities_the_most_urgent_counts(
    stated: tuple[str, ...], level: str | None
) -> None:
    images = [image(RequestedProcedurePriority=word) for word in stated]
    assert stated_order(images, mr=False).priority == level


def test_of_numbers_that_contradict_none_is_used() -> None:
    found = stated_order([image(AccessionNumber="A-1"), requested(AccessionNumber="A-2")], mr=False)
    assert (found.accession, found.contradicting) == (None, ("accession number",))


@pytest.mark.parametrize(
    ("words", "portable"),
    [
        ("CHEST PORTABLE AP", True),
        ("Thorax bedside", True),
        ("Mobile chest", True),
        ("CHEST PA", False),
        ("NON-PORTABLE CHEST", False),
        ("Port placement, chest", False),
        ("Immobile patient", False),
    ],
)
def test_a_description_says_whether_the_film_was_taken_at_the_bedside(
    words: str, portable: bool
) -> None:
    assert stated_order([image(StudyDescription=words)], mr=False).portable is portable


@pytest.mark.parametrize(
    ("agents", "contrast"),
    [
        ((None, None), "none"),
        (("NONE", ""), "none"),
        (("Gadovist", "Gadovist"), "all"),
        ((None, "Gadovist"), "some"),
        ((None, "UNKNOWN"), None),
    ],
)
def test_of_mr_the_contrast_module_says_whether_an_agent_was_used(
    agents: tuple[str | None, ...], contrast: str | None
) -> None:
    images = [image() if agent is None else image(ContrastBolusAgent=agent) for agent in agents]
    assert stated_order(images, mr=True).contrast == contrast
