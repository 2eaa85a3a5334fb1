from __future__ import annotations

import pytest

from medmm.domain import errors
from medmm.domain.errors import EXIT_CODES, HTTP_STATUS, MedmmError, exit_code

KINDS = sorted(MedmmError.__subclasses__(), key=lambda kind: kind.__name__)


def test_the_tree_is_two_levels_deep_and_in_one_file() -> None:
    assert [kind.__module__ for kind in KINDS] == [errors.__name__] * 6
    assert all(not kind.__subclasses__() for kind in KINDS)


def test_every_kind_has_an_exit_code_and_an_http_status() -> None:
    assert set(EXIT_CODES) == set(HTTP_STATUS) == set(KINDS)
    assert sorted(EXIT_CODES.values()) == [3, 4, 5, 6, 7, 8]
    assert set(HTTP_STATUS.values()) <= {403, 409, 422, 500, 503}


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_where_and_the_remedy(kind: type[MedmmError]) -> None:
    error = kind("the file is empty", remedy="send it again", file="f1", study="1.2")
    assert str(error) == "the file is empty (file f1, study 1.2); send it again"
    assert (error.problem, error.remedy, error.where) == (
        "the file is empty",
        "send it again",
        {"file": "f1", "study": "1.2"},
    )
    assert exit_code(error) == EXIT_CODES[kind]


def test_an_error_without_a_place_has_no_brackets() -> None:
    assert str(errors.Unavailable("busy", remedy="wait")) == "busy; wait"


def test_the_file_draws_the_tree_as_it_is() -> None:
    drawn = errors.__doc__ or ""
    for kind in KINDS:
        line = next(line for line in drawn.splitlines() if kind.__name__ in line)
        assert f"exit {EXIT_CODES[kind]}, HTTP {HTTP_STATUS[kind]}" in line
