"""Drafts: read, write and check, and what the record does to one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from medmm import drafting, grounding, review
from medmm.domain.draft import Case, CheckedDraft
from medmm.domain.draft_progress import DraftProgress, DraftStage
from medmm.domain.draft_version import DraftVersion
from medmm.domain.errors import MedmmError, StateError
from medmm.domain.input_figures import input_figures
from medmm.domain.reading import Reading
from medmm.domain.record_influence import Influence
from medmm.domain.report import CaseFile
from medmm.domain.shown import Shown
from medmm.store import DRAFT, Work, digest
from medmm.verbs import outgoing, shadow, showing
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import Asked, By, kept, look, verb


def _asked(
    house: House, case_id: str, again: bool, made_by: str, shown: Shown | None
) -> dict[str, object]:
    """Say what a draft is asked for: any that still holds is another request than a new one."""
    any_one = {} if again else {"again": False}
    return {"case": case_id, "drafted_from": made_by, **any_one}


@verb("draft", kept(CheckedDraft), request=_asked)
def _draft(
    house: House, call: VerbCall, case_id: str, again: bool, made_by: str, shown: Shown | None
) -> CheckedDraft:
    file = house.store.case_file(case_id)
    showing.refuse_unlike(house, shown, file)
    if not again and (kept_one := _still_good(house, file, made_by)) is not None:
        return _given_back(house, call, case_id, kept_one)
    with house.store.working(case_id, DRAFT, call.actor.id, house.clock) as work:
        file = house.store.case_file(case_id)  # another may have drafted it meanwhile
        if not again and (kept_one := _still_good(house, file, made_by)) is not None:
            return _given_back(house, call, case_id, kept_one)
        showing.refuse_unlike(house, shown, file)
        return _drafted(house, call, file, made_by, work)


def _still_good(house: House, file: CaseFile, made_by: str) -> CheckedDraft | None:
    """Find the draft that the same settings and models made, or that a person decided on."""
    same = file.decided or house.store.drafted_from(file.case.id) in (None, made_by)
    return file.draft if same else None


def _given_back(house: House, call: VerbCall, case_id: str, checked: CheckedDraft) -> CheckedDraft:
    with house.store.step() as step:
        call.done(step, checked, case_id, unchanged=True)
    return checked


def _drafted(
    house: House, call: VerbCall, file: CaseFile, made_by: str, work: Work
) -> CheckedDraft:
    """Read, write and check the draft of a case, and keep it.

    A first draft is made for whoever reads by then: it takes nothing from anybody.

    Raises: StateError where it would replace a draft while another reader works on the case.
    """
    case_id, state = file.case.id, review.advance(file.state, review.Act.DRAFT)
    replaces, reached = file.draft is not None, partial(house.underway.reached, case_id)
    if replaces:
        house.store.refuse_others(case_id, call.actor.id, house.clock())  # before a model runs
    reached(DraftStage.READING)
    case = house.attached(file.case)
    duty = house.on_duty()
    reading = _counted(house, duty.read(case.study), case)
    reached(DraftStage.WRITING)
    departures = outgoing.Departures(house, call, case_id)
    growing = partial(house.underway.written, case_id)
    written = outgoing.written(house, case, reading, departures, growing)
    told = duty.told_of()
    written = drafting.with_promises(written, reading, house.settings.prevalence, told)
    drafted = drafting.following(written, file.draft.draft if file.draft else None)
    growing(drafted)
    reached(DraftStage.CHECKING)
    checked = grounding.check(drafted, case, reading)
    with house.store.step() as step:
        if replaces:
            step.refuse_others(case_id, call.actor.id, house.clock())
        step.end(work)
        step.save_reading(case_id, reading)
        step.save_draft(case_id, checked, house.clock())
        step.set_state(case_id, state, expected=file.state)
        failed = sum(bool(checked.failed(s.id)) for s in checked.statements)
        said: dict[str, object] = {m.name: m.manifest_sha256 for m in reading.models}
        said |= {"drafted_from": made_by} | departures.details() | _attempts(case)
        said |= {"statements": len(checked.statements), "failed": failed}
        call.done(step, checked, case_id, "done", **said)
    shadow.after_draft(house, case)
    return checked


def _counted(house: House, reading: Reading, case: Case) -> Reading:
    """Add to what was read what it was read from, in figures, where a model read anything."""
    if not reading.volumes_read:
        return reading
    sex = house.store.identity(case.study.patient_key).sex
    return replace(reading, input_figures=input_figures(case.study, sex))


def _attempts(case: Case) -> dict[str, object]:
    """Say how many facts hold text that addresses a program; nothing if none does."""
    found = len(drafting.addressing_facts(case.context))
    return {"addressing_facts": found} if found else {}


def draft(
    house: House, asked: Asked, case_id: str, again: bool, shown: Shown | None
) -> CheckedDraft:
    """Read, write and check; see `Assistant.draft`.

    One digest of settings and models stands in request and entry.
    """
    return _draft(house, asked, case_id, again, house.drafted_from(), shown)


def begin_draft(
    house: House, asked: Asked, case_id: str, again: bool, shown: Shown | None
) -> DraftProgress:
    """Have a case drafted in the background; see `Assistant.begin_draft`."""
    reader = house.calls.person("draft", asked.by)
    house.store.study_of(case_id)
    begun = DraftProgress(
        case_id=case_id, by=reader.id, began=house.clock(), stage=DraftStage.WAITING
    )
    if _made_before(house, asked.key, case_id, again):
        return replace(begun, stage=DraftStage.DONE)
    if house.underway.enter(case_id, reader.id, begun.began):
        house.drafters.hand(partial(_draft_underway, house, asked, case_id, again, shown))
    return house.underway.progress(case_id) or begun


def _made_before(house: House, key: str | None, case_id: str, again: bool) -> bool:
    """Tell whether a draft was made under this key.

    Raises: StateError if the key was used for another request.
    """
    if key is None:
        return False
    request = digest(_asked(house, case_id, again, house.drafted_from(), None))
    return house.store.recall(key, "draft", request) is not None


def _draft_underway(
    house: House, asked: Asked, case_id: str, again: bool, shown: Shown | None
) -> None:
    """Draft a case for nobody who waits; how it ends stands with its progress."""
    failure: MedmmError | None = StateError(
        "drafting ended without a draft",
        remedy="look into the log of the server, then draft again",
        case=case_id,
    )
    try:
        draft(house, asked, case_id, again, shown)
        failure = None
    except MedmmError as error:
        failure = error
    finally:
        house.underway.ended(case_id, failure)


def draft_progress(house: House, by: By | None, case_id: str) -> DraftProgress | None:
    """Say how far the draft of a case is; see `Assistant.draft_progress`."""
    reader = house.calls.person("case", by)
    house.store.study_of(case_id)
    found = house.underway.progress(case_id)
    if found is None or not found.going:
        work = house.store.drafting(case_id, house.clock())
        if work is None:
            return found
        return DraftProgress(
            case_id=case_id, by=work.holder, began=work.since, stage=DraftStage.ELSEWHERE
        )
    if found.sentences and not house.store.has_seen(case_id, reader.id):
        return replace(found, sentences=())
    return found


@look("case", lambda case_id: case_id)
def drafts(house: House, call: VerbCall, case_id: str) -> tuple[DraftVersion, ...]:
    """List the versions of a case's draft; see `Assistant.drafts`."""
    return house.store.drafts(case_id)


@look("influence", lambda case_id: case_id)
def influence(house: House, call: VerbCall, case_id: str) -> Influence:
    """Draft a case from image, record and both; see `Assistant.influence`."""
    case = house.attached(house.store.case_file(case_id).case)
    return drafting.influence(case, house.read(case.study), house.language_model())
