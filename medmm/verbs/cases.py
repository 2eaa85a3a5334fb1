"""Cases: opened of a study and its record, listed and looked at; and who a patient is."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from dataclasses import replace

from medmm import grounding, review
from medmm.domain.draft import Case
from medmm.domain.errors import StateError
from medmm.domain.identity import PatientIdentity
from medmm.domain.prior import Prior, ReadingSummary, earlier_studies
from medmm.domain.priority import CasePriority, Priority, most_urgent
from medmm.domain.report import SIGNED_STATES, CaseFile, CaseState, CaseSummary
from medmm.domain.study import Study, StudyTime
from medmm.domain.worklist import CaseFilter, Page
from medmm.verbs import first_reads
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import kept, look, verb

NAMED_AT_MOST = 200  # cases of a look; of a longer list the entry names none


def _content_of(house: House, study_uid: str) -> dict[str, object]:
    """Say what a kept study is by its contents.

    Raises: StateError if the gate refused it; InputError if it is not kept.
    """
    if not house.store.keeps_study(study_uid) and (refused := house.store.refused_study(study_uid)):
        remedy = (
            "look at it and release it, then admit it"
            if refused.held
            else "no case can be opened of it"
        )
        raise StateError(
            f"the study was {'held' if refused.held else 'refused'} when it was admitted: "
            f"{refused.reason}",
            remedy=remedy,
            study=study_uid,
            reason_code=refused.reason_code,
        )
    study, context = house.store.study(study_uid), house.store.context(study_uid)
    record = context.sha256 + context.order_sha256 if context else None
    return {"study": study_uid, "images": list(study.image_sha256s), "record": record}


@verb("open_case", kept(Case), request=_content_of, reads=True)
def open_case(house: House, call: VerbCall, study_uid: str) -> Case:
    """Open the case of a study's images and record; an open case of others is superseded.

    Raises: as `review.succession`.
    """
    with house.store.exclusive_study(study_uid), house.store.step() as step:
        study, context = house.store.study(study_uid), house.store.context(study_uid)
        cases = [house.store.case_file(case_id) for case_id in step.cases_of(study_uid)]
        found = review.succession(study, context, cases)
        case_id = found.same.case.id if found.same else _new_id()
        study = replace(study, warnings=tuple(dict.fromkeys((*study.warnings, *found.notices))))
        case = Case(id=case_id, study=study, context=context, priors=_priors(house, study))
        for other, before, after in found.moves:
            step.set_state(other, after, expected=before)
            if after is CaseState.SUPERSEDED:
                step.unclaim(other)
                step.record(call.event("done", other, superseded_by=case_id))
        step.open_case(case, house.clock(), house.settings.site)
        gone = [other for other, _, after in found.moves if after is CaseState.SUPERSEDED]
        first_reads.carry_order(step, gone, case_id)
        given = found.same.priority if found.same else None
        priority = _priority(house, study_uid, cases, given)
        if priority is not None and priority != given:
            step.set_priority(case_id, priority)
        call.done(step, case, case_id, study=study_uid)
    return case


def _new_id() -> str:
    """Make an id that says nothing of what the case holds.

    It is 80 random bits, so that no two are ever alike.
    """
    return f"case-{base64.b32encode(secrets.token_bytes(10)).decode().lower()}"


def _priors(house: House, study: Study) -> tuple[Prior, ...]:
    """List the patient's earlier studies, with what is known of each.

    There are none if the image names no patient ID, since a name may be two people's.
    """
    if not house.store.identity(study.patient_key).patient_id:
        return ()
    earlier = earlier_studies(study, house.store.studies_of_patient(study.patient_key))
    cases = house.store.cases_of_studies([one.uid for one, _ in earlier]) if earlier else {}
    return tuple(_prior(one, acquired, cases.get(one.uid, ())) for one, acquired in earlier)


def _prior(study: Study, acquired: StudyTime, files: Iterable[CaseFile]) -> Prior:
    """Describe an earlier study by its newest signed report, else by its open case."""
    going = [file for file in files if file.state is not CaseState.SUPERSEDED]
    signed = [file for file in going if file.report and file.state is not CaseState.WITHDRAWN]
    file = next(iter([*reversed(signed), *reversed(going)]), None)
    return Prior(
        study_uid=study.uid,
        modality=study.modality,
        body_part=study.body_part,
        acquired=acquired,
        case_id=file.case.id if file else None,
        reading=ReadingSummary.of(file.reading) if file and file.reading else None,
        report_id=file.report.id if file and file.report and file in signed else None,
    )


def _priority(
    house: House, study_uid: str, cases: Iterable[CaseFile], before: CasePriority | None
) -> CasePriority | None:
    """Choose the priority of a case: what a person said of it, else the most urgent known.

    That is of the order, and of what persons said of the study's open cases.
    """
    if before is not None and before.by is not None:
        return before
    given = (one.priority for one in cases if one.state not in SIGNED_STATES)
    persons = (one for one in given if one is not None and one.by is not None)
    return most_urgent(house.store.order(study_uid).stated_priority, *persons)


@verb(
    "prioritise",
    kept(CasePriority),
    request=lambda house, case_id, level, reason: {
        "case": case_id,
        "priority": level.value,
        "reason": reason,
    },
)
def prioritise(
    house: House, call: VerbCall, case_id: str, level: Priority, reason: str
) -> CasePriority:
    """Say how urgent a case is; see `Assistant.prioritise`."""
    given = CasePriority(level=level, reason=reason, by=call.actor.id, at=house.clock())
    study_uid = house.store.case_file(case_id).case.study.uid
    with house.store.step() as step:
        state = step.cases_of(study_uid)[case_id]  # another may have signed it meanwhile
        if state in SIGNED_STATES or state is CaseState.SUPERSEDED:
            raise StateError(
                f"a case that is {state.value} waits for nobody",
                remedy="say it of the study's open case; `medmm cases` lists them",
                case=case_id,
            )
        step.set_priority(case_id, given)
        call.done(step, given, case_id, priority=level.value)
    return given


@look("cases", lambda wanted, part: "worklist")
def cases(house: House, call: VerbCall, wanted: CaseFilter, part: Page) -> tuple[CaseSummary, ...]:
    """List the cases that are asked for, newest first; see `Assistant.cases`."""
    found = house.store.cases(wanted, part, house.clock())
    if len(found) <= NAMED_AT_MOST:
        call.seen["cases"] = " ".join(one.case_id for one in found)
    hidden = first_reads.withheld(house, call, wanted, found)
    blind = first_reads.without_suspicions
    return tuple(blind(one) if one.case_id in hidden else one for one in found)


@look("case", lambda case_id, pixels, blind: case_id)
def case(house: House, call: VerbCall, case_id: str, pixels: bool, blind: bool) -> CaseFile:
    """Look at a case, and at what the checks mark in the words of readers.

    Its pixels can be opened if they are asked for. A look at it blind stands in the entry as that.

    What is seen blind stands in the entry as that.
    """
    file = house.store.case_file(case_id)
    file = replace(file, case=house.attached(file.case)) if pixels else file
    if blind:
        call.seen["blind"] = "True"
        return file.blinded()
    return replace(file, rechecked=grounding.recheck(file))


@look("identity", lambda patient_key: patient_key)
def identity(house: House, call: VerbCall, patient_key: str) -> PatientIdentity:
    """Say who a patient key is."""
    return house.store.identity(patient_key)
