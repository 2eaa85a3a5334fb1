"""Taking a study in, and letting one in that the gate held."""

from __future__ import annotations

from dataclasses import replace

from medmm import review
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import Reader
from medmm.domain.study import NotEvaluable, Release, Study
from medmm.store import Work, digest
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.incoming import Incoming, find, growing, judged
from medmm.verbs.order_joining import with_orders
from medmm.verbs.record_joining import Record, join, record_of_server
from medmm.verbs.verb import kept, verb

SAID_IN_THE_LOG = ("identity-", "images-", "order-")  # codes of notices, by their beginnings


def _admission(
    house: House, came: Incoming, record: Record, study_uid: str | None, confirmed: bool
) -> dict[str, object]:
    find(house, came, record, study_uid)
    uids = list(came.files.contents())
    entry = house.settings.record_server
    if record is None and entry is not None and len(uids) == 1:
        source = entry.source()
        came.record_server = source.server.host
        came.record = record_of_server(house, source, came.files.identities.get(uids[0]))
    found = came.content()
    return {**found, "confirmed": confirmed, "drafted_from": house.drafted_from()}


@verb("admit", kept(Study | NotEvaluable), request=_admission, reads=True)
def admit(
    house: House,
    call: VerbCall,
    came: Incoming,
    record: Record,
    study_uid: str | None,
    confirmed: bool,
) -> Study | NotEvaluable:
    """Take in what came, after the request found its files and record; see `Assistant.admit`."""
    with growing(house, came, call.actor.id) as work:
        if confirmed:
            house.calls.person_who_may("identity", call.by)
        return _admitted(house, call, came, call.actor if confirmed else None, work)


def _admitted(
    house: House, call: VerbCall, came: Incoming, confirmed_by: Reader | None, work: Work | None
) -> Study | NotEvaluable:
    """Judge what came in and keep it with its record and audit entry: all of it or nothing.

    Raises: InputError as `judged` and `join`, and if a file is no longer what was judged.
    """
    intake = judged(house, came)
    if isinstance(intake.outcome, NotEvaluable):
        return _refused(house, call, intake.outcome)
    joined = with_orders(house, *join(house, intake, came.record, confirmed_by), intake.identity)
    study, context, order = joined.study, joined.context, joined.order
    study = replace(
        study, warnings=(*study.warnings, *review.lacking(study, house.store.signed_of(study.uid)))
    )
    files = {file.sha256: file.path for file in intake.files if not file.kept}
    with house.store.copied(files) as keep, house.store.step() as step:
        step.save_identity(study.patient_key, intake.identity or PatientIdentity(patient_id=None))
        step.save_study(study, {file.sha256: file.sop_uid for file in intake.files})
        if work is not None:
            step.end(work)
        step.cover_objects(study.uid, (file.sha256 for file in intake.files))
        step.save_order(study.uid, order)
        if context is not None:
            step.save_context(study.uid, context)
        elif joined.drops:
            step.drop_context(study.uid)
        said = {n.code: n.text for n in study.warnings if n.code.startswith(SAID_IN_THE_LOG)}
        if came.record_server:
            said["record_server"] = came.record_server
        if order.message_orders:
            said["orders"] = " ".join(order.message_orders)
        facts = len(context.facts) if context else 0
        call.done(step, study, study.uid, images=len(study.volumes), facts=facts, **said)
        keep()
    return study


def _refused(house: House, call: VerbCall, refused: NotEvaluable) -> NotEvaluable:
    with house.store.step() as step:
        step.save_not_evaluable(refused)
        call.done(step, refused, refused.sha256 or "", "refused", reason=refused.reason_code)
    return refused


def _releasing(
    house: House, came: Incoming, study_uid: str | None, reason: str, held_sha256: str | None
) -> dict[str, object]:
    return {
        **find(house, came, None, study_uid).content(),
        "reason": reason,
        "held_sha256": held_sha256,
    }


@verb("release", kept(Release), request=_releasing, reads=True)
def release(
    house: House,
    call: VerbCall,
    came: Incoming,
    study_uid: str | None,
    reason: str,
    held_sha256: str | None,
) -> Release:
    """Let a held study pass the gate from now on; see `Assistant.release`."""
    intake = judged(house, came)
    review.refuse_unseen(intake.outcome, held_sha256)
    given = review.release(
        intake.outcome, {f.sha256 for f in intake.files}, reason, call.actor, house.clock()
    )
    with house.store.step() as step:
        step.save_release(given)
        subject = given.study_uid or digest(str(came.paths[0]))
        call.done(step, given, subject, held_for=given.reason_code, files=len(given.file_sha256s))
    return given
