"""Decisions against failed checks."""

from __future__ import annotations

import pytest

from medmm.domain.errors import StateError
from medmm.domain.report import Edit
from medmm.review import decide
from tests.factories import make_case_file, make_checked_draft, make_draft


def test_an_edit_that_changes_no_word_does_not_get_round_a_failed_check() -> None:
    file = make_case_file(draft=make_checked_draft(failed=("s2",)))
    words = make_draft().statements[1].text
    with pytest.raises(StateError, match="G2"):
        decide(file, [Edit("s2", f"  {words} ")])
    assert decide(file, [Edit("s2", "Small left pleural effusion.")])
