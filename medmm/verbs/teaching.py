"""A case to learn from, shown without who the patient is."""

from __future__ import annotations

from dataclasses import replace

from medmm.domain.instruction import Pictures
from medmm.domain.teaching_case import TeachingCase
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import look


@look("case", lambda case_id: case_id)
def teaching_case(house: House, call: VerbCall, case_id: str) -> TeachingCase:
    """Look at a case to learn from it; see `Assistant.teaching_case`.

    The identity is not read for it.
    """
    call.seen["teaching"] = True
    file = house.store.case_file(case_id)
    file = replace(file, case=house.attached(file.case))
    known = house.settings.server.pictures_without_statement
    pictures = Pictures.NOT_STATED_WITH_TEXT if known else Pictures.STATED_WITHOUT_TEXT
    return TeachingCase.of(file, pictures)
