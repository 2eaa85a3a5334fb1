"""docs/corpus.md says what medmm does.

Without the shared data its part by pixels alone is checked, with them all of it and its rows.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.corpus import NOT_ARGUED, PAGE, ROWS, corpus_md
from tests.docs.pictures import by_pixels_md

REMEDY = "run `python -m tests.docs.corpus --data DIR`"


def test_the_part_by_pixels_alone_is_current() -> None:
    assert by_pixels_md() in PAGE.read_text(encoding="utf-8"), REMEDY


def test_every_difference_is_argued() -> None:
    assert NOT_ARGUED not in PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_page_and_rows_are_current(shared_data: Path) -> None:
    page, rows = corpus_md(shared_data)
    assert page == PAGE.read_text(encoding="utf-8"), REMEDY
    assert rows == ROWS.read_text(encoding="utf-8"), REMEDY
