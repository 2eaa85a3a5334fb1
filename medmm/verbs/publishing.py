"""Signed reports out: into files, or as text for who asks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from medmm import delivery, imaging, models
from medmm.config import Hl7Entry
from medmm.domain.codec import from_json
from medmm.domain.printed_report import Printed
from medmm.domain.procedures import procedure_of
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import look, verb

DICOM_OUTCOME = "dicom-outcome"
HL7_OUTCOME = "hl7-outcome"


def _asked(house: House, report_id: str, to: str, forms: Sequence[str]) -> dict[str, object]:
    """Say what is asked for; without forms as earlier releases said it."""
    named = {} if tuple(forms) == tuple(delivery.FORMATS) else {"forms": sorted(set(forms))}
    return {"report": report_id, "to": to, **named}


@verb(
    "publish",
    lambda house, value: tuple(map(Path, from_json(tuple[str, ...], value))),
    request=_asked,
)
def publish(
    house: House, call: VerbCall, report_id: str, to: str, forms: Sequence[str]
) -> tuple[Path, ...]:
    """Write a signed report into a folder; see `Assistant.publish`."""
    printed = house.store.printed(report_id)
    report = printed.report
    out = outgoing(house, printed, forms, house.settings.hl7)
    written = delivery.write_report(out, Path(to), forms)
    other = set(forms) - set(delivery.FORMATS)
    said = {"forms": ",".join(sorted(set(forms)))} if other else {}
    with house.store.step() as step:
        call.done(
            step,
            [str(p) for p in written],
            report.case_id,
            report=report_id,
            files=len(written),
            **said,
        )
    return written


@look("publish", lambda report_id, form: "")
def render(house: House, call: VerbCall, report_id: str, form: str) -> str:
    """Give a signed report as text, JSON or FHIR; see `Assistant.render`."""
    printed = house.store.printed(report_id)
    call.subject = printed.report.case_id
    if form == DICOM_OUTCOME:
        return delivery.dicom_outcome(printed.report, _source(house, printed))
    joins = delivery.Joins.of(printed, house.settings.identifiers.systems())
    if form == HL7_OUTCOME:
        return delivery.hl7_outcome(printed.identity, joins)
    return delivery.render(printed.report, printed.identity, form, joins, printed.versions)


def outgoing(
    house: House, printed: Printed, forms: Collection[str], hl7: Hl7Entry
) -> delivery.Outgoing:
    """Resolve what the forms of a report are made of: joins, and for DICOM the study."""
    return delivery.Outgoing(
        report=printed.report,
        identity=printed.identity,
        joins=delivery.Joins.of(printed, house.settings.identifiers.systems()),
        versions=printed.versions,
        source=_source(house, printed) if set(forms) & set(delivery.DICOM_FORMS) else None,
        hl7=_hl7_options(hl7),
    )


def _hl7_options(said: Hl7Entry) -> delivery.Hl7Options:
    return delivery.Hl7Options(
        sending_application=said.sending_application,
        sending_facility=said.sending_facility or "",
        receiving_application=said.receiving_application or "",
        receiving_facility=said.receiving_facility or "",
        pdf=said.pdf,
        retraction=delivery.Retraction(said.retraction),
    )


def _source(house: House, printed: Printed) -> delivery.SourceStudy:
    """Resolve what the DICOM objects of a report copy: headers, outlines, and who read.

    The headers are those of the images that any version read, or of all where none says which.
    """
    study, dicom, zone = printed.study, house.settings.dicom, house.settings.site_time_zone
    versions = printed.versions or (printed.report,)
    reading = house.store.case_file(printed.report.case_id).reading
    read = {image.volume_sha256 for version in versions for image in version.images_read}
    if reading is not None:
        read |= {label_map.volume_sha256 for label_map in reading.label_maps}
        read |= {mask.image.volume_sha256 for mask in reading.masks if mask.image}
    volumes = [v for v in study.volumes if v.sha256 in read] or study.volumes
    networks = dict.fromkeys(model for version in versions for model in version.models)
    return delivery.SourceStudy(
        study=study,
        headers=imaging.source_headers(volumes, house.store.object_path),
        reading=reading,
        models=tuple(
            delivery.ModelEquipment(identity=one, manufacturer="medmm")
            if models.is_packaged(one.name)
            else delivery.ModelEquipment(identity=one)
            for one in networks
        ),
        identity=printed.identity,
        restated_entry=printed.restated_entry,
        procedure=procedure_of(study, printed.order),
        options=delivery.DicomOptions(
            verifying_organization=dicom.verifying_organization,
            label_maps=dicom.label_maps,
            time_zone=ZoneInfo(zone) if zone else None,
        ),
    )
