"""What models in shadow read of drafted cases: kept with an entry, and shown in no draft.

A case is read after its draft is kept, in a thread beside the work, so that no draft waits. What
the end of a process cut short is read later: every case takes along one that was missed.
"""

from __future__ import annotations

import time
from functools import partial

from medmm.domain.audit_event import AuditEvent
from medmm.domain.draft import Case
from medmm.domain.errors import MedmmError
from medmm.domain.input_figures import InputFigures, input_figures
from medmm.domain.reading import Reading
from medmm.domain.reading_model import ReadingModel
from medmm.domain.shadow_reading import ShadowReading
from medmm.domain.study import NotEvaluable, Notice, Study
from medmm.verbs.house import House

SHADOW = "shadow"  # the verb in the entry of a shadow reading
FAILED = "shadow-failed"


def after_draft(house: House, case: Case) -> None:
    """Have the models in shadow read a case whose draft was kept; nobody waits for them."""
    if any(model.declares.covers(case.study) for model in house.on_duty().shadow):
        house.background.hand(partial(_read, house, case.id))


def _read(house: House, case_id: str) -> None:
    """Read a case, and of each model in shadow the first case that it missed."""
    shadow = house.on_duty().shadow
    _read_by(house, case_id, shadow)
    for model in shadow:
        missed = house.store.oldest_without_shadow(_digest(model), model.declares)
        if missed is not None:
            _read_by(house, missed, (model,))


def _read_by(house: House, case_id: str, models: tuple[ReadingModel, ...]) -> None:
    case = house.attached(house.store.case_file(case_id).case)
    there = {_digest(one): one for one in models if one.declares.covers(case.study)}
    with house.store.working(case_id, SHADOW, house.settings.actor, house.clock):
        lacking = house.store.lacks_shadow(case_id, there)
        figures = _figures(house, case.study) if lacking else None
        for digest in lacking:
            reading = _reading(house, case, there[digest], figures)
            if not house.background.stopping.is_set():
                _keep(house, reading)


def _reading(
    house: House, case: Case, model: ReadingModel, figures: InputFigures | None
) -> ShadowReading:
    """Read a case with one model; whatever fails in it is the reason why there is no reading."""
    began = time.monotonic()
    try:
        outcome: Reading | NotEvaluable | Notice = model.read(case.study)
    except MedmmError as error:
        outcome = Notice(code=FAILED, text=f"{type(error).__name__}: {error.problem}")
    if isinstance(outcome, NotEvaluable):
        outcome = Notice(code=outcome.reason_code, text=outcome.reason)
    return ShadowReading(
        case_id=case.id,
        study_uid=case.study.uid,
        model=model.identities[0],
        read_at=house.clock(),
        seconds=round(time.monotonic() - began, 2),
        reading=outcome if isinstance(outcome, Reading) else None,
        why=outcome if isinstance(outcome, Notice) else None,
        input_figures=figures,
    )


def _figures(house: House, study: Study) -> InputFigures | None:
    """Count what a study gives a model; None where its pixels can't be opened any more."""
    try:
        return input_figures(study, house.store.identity(study.patient_key).sex)
    except MedmmError:  # the model says why: it opens the same pixels
        return None


def _keep(house: House, reading: ShadowReading) -> None:
    event = AuditEvent(
        at=house.clock(),
        verb=SHADOW,
        outcome="done",
        actor=house.settings.actor,
        role="service",
        subject=reading.case_id,
        details={
            "model": reading.model.name,
            "manifest": reading.model.manifest_sha256,
            "read": "no" if reading.why else "yes",
            "seconds": str(reading.seconds),
        }
        | ({"reason": reading.why.code} if reading.why else {}),
    )
    with house.store.step() as step:
        step.save_shadow_reading(reading)
        step.record(event)


def _digest(model: ReadingModel) -> str:
    """Give the digest of the manifest of a model that was added: it has one network."""
    return model.identities[0].manifest_sha256
