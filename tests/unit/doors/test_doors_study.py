"""A look at a study: words and pictures of what came in, also of what is held; inert, and no draft."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from medmm.domain.study import (
    ChosenSequence,
    Modality,
    NotEvaluable,
    Notice,
    Sequence,
    SequenceRole,
)
from medmm.domain.study_inspection import Inspection, SeriesLook
from medmm.doors.study_page import half_blocks, study_page
from medmm.presentation.film_picture import grey_bytes
from medmm.presentation.study_html import study_html
from tests.factories import make_study, make_volume

HOSTILE = "<script>alert(1)</script>\x1b[31m"


def look(**changes: Any) -> SeriesLook:
    made = SeriesLook(
        series_uid="1.2",
        kind="CR of HAND, view PA",
        encoding="Explicit VR Little Endian",
        file_count=2,
        frame_count=2,
        polarity="MONOCHROME1: small values are shown white (inverted)",
        windows=("centre 10, width 20 (applied)", "centre 1, width 2"),
        objections=(
            Notice(code="a", text="refused: body part"),
            Notice(code="b", text="held: dated"),
        ),
        warnings=(Notice(code="c", text="The film is odd."),),
        volumes=(make_volume(),),
    )
    return replace(made, **changes)


def held(**changes: Any) -> Inspection:
    refused = NotEvaluable(uid="1.2", reason_code="a", reason="a person must look", held=True)
    return Inspection(
        path="film.dcm", not_evaluable=refused, series=(look(**changes),), file_count=2
    )


def printed(found: Inspection, *, colours: bool = False) -> str:
    text = io.StringIO()
    system = "truecolor" if colours else None
    study_page(
        found,
        Console(file=text, width=80, force_terminal=colours, color_system=system, highlight=False),
    )
    return text.getvalue()


def test_everything_that_was_understood_stands_on_both_pages() -> None:
    words = (
        "a person must look",
        "CR of HAND, view PA; 2 files, 2 frames",
        "small values are shown white",
        "centre 10, width 20 (applied)",
        "centre 1, width 2",
        "refused: body part",
        "held: dated",
        "The film is odd.",
        "48 columns x 64 rows, spacing 0.2 x 0.2 mm",
    )
    for page in (printed(held()), study_html([held()]).replace("&#x27;", "'")):
        for part in words:
            assert part in page, part
    assert "no draft" in study_html([held()])


def test_a_picture_is_in_the_terminal_only_where_it_has_colours_and_always_in_html() -> None:
    assert "▀" in printed(held(), colours=True)
    assert "▀" not in printed(held())
    assert study_html([held()]).count("data:image/png;base64,") == 1
    assert "No picture." in study_html([held(volumes=(), problem="cut short")])
    assert "cut short" in printed(held(volumes=(), problem="cut short"))


def test_warnings_of_an_accepted_study_stand_once() -> None:
    notice = Notice(code="c", text="The film is odd.")
    found = Inspection(
        path="film.dcm", study=make_study(warnings=(notice,)), series=(look(objections=()),)
    )
    assert printed(found).count("The film is odd.") == 1


@pytest.mark.parametrize(
    ("confirmed", "words"),
    [(True, "its pixels bear it out"), (False, "do not bear it out"), (None, "TE 92 ms)")],
)
def test_role_and_reason_of_each_series_the_choice_and_what_is_missing(
    confirmed: bool | None, words: str
) -> None:
    sequence = Sequence(role=SequenceRole.T2, reason="spin echo (TE 92 ms)", confirmed=confirmed)
    volume = make_volume(sequence=sequence, patient_left_on=None)
    chosen = ChosenSequence(
        role=SequenceRole.T2, volume_sha256=volume.sha256, reason="the only series of its role"
    )
    made = make_study(
        modality=Modality.MR,
        body_part="BRAIN",
        volumes=(volume,),
        sequences=(chosen,),
        missing=(SequenceRole.FLAIR, SequenceRole.T1_CONTRAST),
    )
    found = Inspection(
        path="mr",
        study=made,
        series=(look(volumes=(make_volume(sha256="b" * 64),)), look(volumes=(volume,))),
    )
    for page in (printed(found), study_html([found])):
        plain = " ".join(re.sub(r"<[^>]+>", " ", page).split())
        assert "T2: spin echo (TE 92 ms)" in plain
        assert words in plain
        assert "T2: series 2, the only series of its role" in plain
        assert "FLAIR, T1 post-contrast" in plain


def test_hostile_words_are_inert_on_both_pages() -> None:
    found = replace(held(kind=HOSTILE, encoding=HOSTILE, problem=HOSTILE), path=HOSTILE)
    page = study_html([found])
    assert "<script" not in page
    assert "\x1b" not in printed(found)
    assert "default-src 'none'" in page


@pytest.mark.parametrize(("aspect", "shape"), [(1.0, (64, 48)), (2.0, (128, 48)), (0.5, (64, 96))])
def test_pixels_that_are_not_square_are_shown_in_their_shape(
    aspect: float, shape: tuple[int, int]
) -> None:
    page = study_html([held(volumes=(make_volume(pixel_aspect=aspect),))])
    match = re.search(r"base64,([^\"]+)", page)
    assert match is not None
    shown = Image.open(io.BytesIO(base64.b64decode(match[1])))
    assert (shown.height, shown.width) == shape


@pytest.mark.parametrize("aspect", [0.3, 0.5, 1.0, 1.5, 4.0])
@pytest.mark.parametrize("longest", [20, 50, 400])
def test_a_picture_keeps_its_shape_at_every_size(aspect: float, longest: int) -> None:
    grey = np.linspace(0, 1, 120 * 100, dtype=np.float32).reshape(120, 100)
    rows, columns = grey_bytes(grey, longest, aspect=aspect).shape
    assert max(rows, columns) <= longest
    assert rows / columns == pytest.approx(1.2 * aspect, rel=0.15)


def test_half_blocks_fit_the_width_and_mirror_with_the_film() -> None:
    grey = np.linspace(0, 1, 500 * 400, dtype=np.float32).reshape(500, 400) ** 2
    rows = "".join(segment.text for segment in half_blocks(grey, 1.0, 40).segments).splitlines()
    assert {len(row) for row in rows} <= {40, 39, 37, 36}
    assert 20 <= len(rows) <= 26


def test_letters_stand_on_the_side_that_the_film_says() -> None:
    page = study_html([held(volumes=(make_volume(patient_left_on="left"),))])
    assert page.index(">L<") < page.index(">R<")
    page = study_html([held(volumes=(make_volume(patient_left_on="right"),))])
    assert page.index(">R<") < page.index(">L<")
    unknown = study_html([held(volumes=(make_volume(patient_left_on=None),))])
    assert 'class="letter"' not in unknown
