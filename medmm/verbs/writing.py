"""Drafts: read, write and check, and what the record does to one."""

from __future__ import annotations

from medmm import drafting, grounding, review
from medmm.domain.draft import CheckedDraft
from medmm.domain.record_influence import Influence
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import Asked, kept, look, verb


@verb(
    "draft",
    kept(CheckedDraft),
    request=lambda house, case_id, again, made_by: {"case": case_id, "drafted_from": made_by},
)
def _draft(house: House, call: VerbCall, case_id: str, again: bool, made_by: str) -> CheckedDraft:
    file = house.store.case_file(case_id)
    if (
        not again
        and file.draft
        and (file.decided or house.store.drafted_from(case_id) in (None, made_by))
    ):
        with house.store.step() as step:
            call.done(step, file.draft, case_id, unchanged=True)
        return file.draft
    state = review.advance(file.state, review.Act.DRAFT)
    case = house.attached(file.case)
    reading = house.networks.reader.read(case.study)
    written = house.writer().write(case, reading)
    drafted = drafting.following(written, file.draft.draft if file.draft else None)
    checked = grounding.check(drafted, case, reading)
    with house.store.step() as step:
        step.save_reading(case_id, reading)
        step.save_draft(case_id, checked)
        step.set_state(case_id, state, expected=file.state)
        failed = sum(bool(checked.failed(s.id)) for s in checked.statements)
        said = {m.name: m.manifest_sha256 for m in reading.models} | {"drafted_from": made_by}
        call.done(step, checked, case_id, statements=len(checked.statements), failed=failed, **said)
    return checked


def draft(house: House, asked: Asked, case_id: str, again: bool) -> CheckedDraft:
    """Read, write and check; see `Assistant.draft`. One digest of settings and models stands in request and entry."""
    return _draft(house, asked, case_id, again, house.drafted_from())


@look("influence", lambda case_id: case_id)
def influence(house: House, call: VerbCall, case_id: str) -> Influence:
    """Draft a case from image, record and both; see `Assistant.influence`."""
    case = house.attached(house.store.case_file(case_id).case)
    return drafting.influence(case, house.networks.reader.read(case.study), house.language_model())
