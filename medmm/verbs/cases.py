"""Cases: one is opened of a study and its record, listed and looked at; whose it is, is a look of its own."""

from __future__ import annotations

from dataclasses import replace

from medmm import grounding, review
from medmm.domain.draft import Case
from medmm.domain.errors import StateError
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import CaseFile, CaseState, CaseSummary
from medmm.domain.worklist import CaseFilter, Page
from medmm.store import digest
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import kept, look, verb


def _content_of(house: House, study_uid: str) -> dict[str, object]:
    """Say what a kept study is by its contents. Raises: StateError if the gate refused it, InputError if it is not kept."""
    if not house.store.keeps_study(study_uid) and (refused := house.store.refused_study(study_uid)):
        remedy = (
            "look at it and release it, then admit it"
            if refused.held
            else "no case can be opened of it"
        )
        raise StateError(
            f"the study was {'held' if refused.held else 'refused'} when it was admitted: {refused.reason}",
            remedy=remedy,
            study=study_uid,
            reason_code=refused.reason_code,
        )
    study, context = house.store.study(study_uid), house.store.context(study_uid)
    record = context.sha256 if context else None
    return {"study": study_uid, "images": list(study.image_sha256s), "record": record}


@verb("open_case", kept(Case), request=_content_of, reads=True)
def open_case(house: House, call: VerbCall, study_uid: str) -> Case:
    """Open the case of a study's images and record; an open one of others is superseded. Raises: as `review.succession`."""
    with house.store.step() as step:
        content = _content_of(house, study_uid)
        study, context = house.store.study(study_uid), house.store.context(study_uid)
        cases = [house.store.case_file(case_id) for case_id in step.cases_of(study_uid)]
        found = review.succession(study, context, cases)
        case_id = found.same.case.id if found.same else "case-" + digest(content)[:12]
        study = replace(study, warnings=tuple(dict.fromkeys((*study.warnings, *found.notices))))
        case = Case(id=case_id, study=study, context=context)
        for other, before, after in found.moves:
            step.set_state(other, after, expected=before)
            if after is CaseState.SUPERSEDED:
                step.record(call.event("done", other, superseded_by=case_id))
        step.open_case(case, house.clock())
        call.done(step, case, case_id, study=study_uid)
    return case


@look("cases", lambda wanted, part: "worklist")
def cases(house: House, call: VerbCall, wanted: CaseFilter, part: Page) -> tuple[CaseSummary, ...]:
    """List the cases that are asked for, newest first; see `Assistant.cases`."""
    return house.store.cases(wanted, part)


@look("case", lambda case_id, pixels: case_id)
def case(house: House, call: VerbCall, case_id: str, pixels: bool) -> CaseFile:
    """Look at a case, with its pixels if they are asked for, and what the checks mark in the words of readers."""
    file = house.store.case_file(case_id)
    seen = house.attached(file.case) if pixels else file.case
    return replace(file, case=seen, rechecked=grounding.recheck(file))


@look("identity", lambda patient_key: patient_key)
def identity(house: House, call: VerbCall, patient_key: str) -> PatientIdentity:
    """Say who a patient key is."""
    return house.store.identity(patient_key)
