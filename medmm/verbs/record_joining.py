"""A study and its record: which record is its own, what is said of both, and its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medmm import imaging, records
from medmm.domain.errors import InputError, StateError, needed
from medmm.domain.identity import PatientIdentity
from medmm.domain.identity_match import IdentityMatch, asking, compare_identities, joined
from medmm.domain.imaging_order import StudyOrder
from medmm.domain.patient_age import with_record_age
from medmm.domain.record import ClinicalContext
from medmm.domain.record_source import RecordSource
from medmm.domain.report import Reader
from medmm.domain.study import Notice, Study
from medmm.verbs.house import House

Record = str | Path | None
Joined = tuple[ClinicalContext, IdentityMatch, records.RecordDocument]
RECORD_KEPT = Notice(
    code="record-kept", text="No record was given: the record of an earlier admission is used."
)
RECORD_DROPPED = Notice(
    code="record-dropped",
    text="Images came that may be earlier than the record of an earlier admission was cut to: it "
    "is not used any more. Give the record again.",
)


def record_of(
    house: House, record: str | Path, uid: str, who: PatientIdentity | None, names: Sequence[str]
) -> records.RecordFit:
    """Find the record of a study: a file, or the one of a folder that fits."""
    path = Path(record)
    if not path.is_dir():
        return records.record_file(path)
    return house.record_folders.setdefault(path.resolve(), records.RecordFolder(path)).fit(
        uid, who, names
    )


def record_of_server(
    house: House, source: RecordSource, who: PatientIdentity | None
) -> records.RecordFit:
    """Ask a server for the record of a patient."""
    server = house.record_servers.setdefault(
        source.server.url, records.RecordServer(source, house.settings.identifiers.systems())
    )
    return server.fit(who)


def join(
    house: House, intake: imaging.Intake, record: records.RecordFit, by: Reader | None
) -> tuple[Study, ClinicalContext | None, StudyOrder]:
    """Join a study to its record: give both, with what must be said of them, and its order.

    The record is cut to the time of the study.

    Raises: InputError if the record is another's, StateError if the gate let no study pass.
    """
    study = intake.outcome
    if not isinstance(study, Study):
        raise StateError(
            "no study to join a record to", remedy="admit a study that passes the gate"
        )
    if not record.found:
        note = (Notice(code="record-not-found", text=record.note),) if record.note else ()
        kept = _of_kept_record(house, study)
        context = house.store.context(study.uid) if RECORD_KEPT in kept else None
        aged = with_record_age(study, context) if context else study
        order = _with_kept_request(house, intake.order, study.uid) if context else intake.order
        return replace(aged, warnings=(*aged.warnings, *note, *kept)), None, order
    context, match, document = context_of(house, study, intake.identity, record)
    notice = joined(match, by)
    joined_study = study if notice is None else replace(study, warnings=(*study.warnings, notice))
    request, why = records.with_request(intake.order, study.uid, document.requests)
    order = replace(intake.order, request=request, request_note=why or None)
    return with_record_age(joined_study, context), context, order


def context_of(
    house: House, study: Study, identity: PatientIdentity | None, record: records.RecordFit
) -> Joined:
    """Read a record up to the time of a study, and compare whose both are."""
    content, path = record.content, record.path
    document = records.read_record(
        needed(path, "the file of the record") if content is None else content
    )
    if record.sha256 not in (None, document.sha256):
        raise InputError(
            "the record changed while it was read", remedy="admit the study again", path=str(path)
        )
    match = compare_identities(identity or PatientIdentity(patient_id=None), document.the_patient())
    match = asking(match, *records.join_questions(document, study.acquired))
    context = records.context_as_of(
        document, patient_key=study.patient_key, acquired=study.acquired
    )
    return context, match, document


def _of_kept_record(house: House, study: Study) -> tuple[Notice, ...]:
    """Say what must be said of the record of an earlier admission; nothing if there is none.

    It was cut to the time of the study as it was then; what is earlier now may lie before some of
    its facts.
    """
    context = house.store.context(study.uid)
    if context is None or not context.sha256:  # or one of orders alone
        return ()
    kept = house.store.study(study.uid)
    now = study.acquired
    later = now and now.precise and context.as_of and now.moment >= context.as_of
    cut_later = now and kept.acquired and now.earliest >= kept.acquired.earliest
    if now != kept.acquired and not (later and cut_later):
        return (RECORD_DROPPED,)
    return (*(n for n in kept.warnings if n.code.startswith("identity-")), RECORD_KEPT)


def _with_kept_request(house: House, order: StudyOrder, study_uid: str) -> StudyOrder:
    """Keep the request that an earlier record gave, while the order's numbers are the same."""
    kept = house.store.order(study_uid)
    alone = replace(kept, request=None, request_note=None, message_orders=())
    seen_now = replace(
        alone, portable=order.portable, contrast=order.contrast, priority=order.priority
    )
    if seen_now != order or kept.message_orders:
        return order
    return replace(order, request=kept.request, request_note=kept.request_note)
