"""Every writer that settings may name stands in the table, meets the protocol, and is made of what it asks for."""

from __future__ import annotations

from typing import get_args

import pytest

from medmm.config import Settings
from medmm.domain.errors import ConfigError, InputError
from medmm.drafting import WRITERS, Asks, Speakers, Writer, name_of
from medmm.drafting.writers.language_model import NOT_INSTALLED
from medmm.drafting.writers.outside import NOT_READY
from tests.factories import make_case, make_reading


def test_the_table_has_what_settings_may_name_and_nothing_else() -> None:
    assert set(WRITERS) == set(get_args(Settings.model_fields["writer"].annotation))


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_drafts_without_a_model_and_says_whether_one_is_missing(name: str) -> None:
    writer: Writer = WRITERS[name].make(Speakers())
    case, reading = make_case(), make_reading()
    draft = writer.write(case, reading)
    assert (draft.writer, draft.case_id) == (writer.name, case.id)
    assert draft == writer.write(case, reading)
    assert all(statement.evidence for statement in draft.statements)
    asks = WRITERS[name].asks
    assert (NOT_INSTALLED in draft.warnings) is (asks is Asks.LANGUAGE_MODEL)
    assert (NOT_READY in draft.warnings) is (asks in (Asks.FOLDER, Asks.SERVER))
    with pytest.raises(InputError, match="another study"):
        writer.write(case, make_reading(study_uid="1.2.3"))


def test_a_writer_that_cannot_be_made_is_named_with_the_reason() -> None:
    def unmade() -> Writer:
        raise ConfigError("no report model 'nobody'", remedy="set language_model")

    assert name_of(lambda: WRITERS["rules"].make(Speakers())) == ("rule-writer", "")
    name, why = name_of(unmade)
    assert (name, "nobody" in why) == ("rule-writer", True)
