"""A draft that is made again is another version: it names the one before, and no two go by one id."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import Author, AuthorKind, Draft
from medmm.domain.errors import InputError
from medmm.drafting import LanguageWriter, RuleWriter, following
from tests.dicom_files import film_file
from tests.factories import make_case, make_draft, make_reading
from tests.language_models import NAME, Told, say
from tests.quick_assistant import opened, quick_assistant
from tests.unit.drafting.test_drafting_language_writer import POSSIBLE


def written() -> Draft:
    return RuleWriter().write(make_case(), make_reading())


def test_the_first_version_is_what_the_writer_wrote() -> None:
    draft = written()
    assert following(draft, None) == draft
    assert (draft.version, draft.parent) == (1, None)
    assert draft.author == Author(kind=AuthorKind.WRITER, id="rule-writer")
    worded = LanguageWriter(Told(say("Effusion", POSSIBLE))).write(make_case(), make_reading())
    assert worded.author == Author(kind=AuthorKind.WRITER, id=NAME)


def test_the_same_words_again_are_another_version() -> None:
    first = written()
    second = following(written(), first)
    third = following(written(), second)
    assert [d.version for d in (first, second, third)] == [1, 2, 3]
    assert [d.parent for d in (first, second, third)] == [None, first.id, second.id]
    assert len({d.id for d in (first, second, third)}) == 3
    assert following(written(), first) == second
    assert second.statements == first.statements


@pytest.mark.parametrize(("version", "parent"), [(0, None), (1, "draft-1"), (2, None), (-1, "x")])
def test_versions_count_from_one_and_name_the_one_before(version: int, parent: str | None) -> None:
    with pytest.raises(InputError, match="of a draft"):
        make_draft(version=version, parent=parent)


def test_a_draft_of_a_release_without_versions_is_the_first_of_its_writer() -> None:
    draft = make_draft(writer="chest-report")
    new = {"author", "version", "parent", "sentences", "form"}
    early = {name: value for name, value in to_json(draft).items() if name not in new}
    author = Author(kind=AuthorKind.WRITER, id="chest-report")
    assert from_json(Draft, early) == replace(draft, author=author)


def test_drafting_a_case_again_keeps_the_line_of_its_versions(tmp_path: Path) -> None:
    with quick_assistant(tmp_path / "data", writer="rules") as assistant:
        case_id = opened(assistant, film_file(tmp_path))
        first = assistant.draft(case_id, key="one").draft
        second = assistant.draft(case_id).draft
        assert (second.version, second.parent) == (2, first.id)
        assert assistant.draft(case_id, again=False).draft == second
        assert assistant.draft(case_id, key="one").draft == first
        assert second.statements == first.statements
        assert assistant.case(case_id, pixels=False).draft is not None
        assert assistant.verify().ok
