"""Signed reports in the form that is asked for."""

# FastAPI reads these annotations when addresses are made: they stay objects
import json
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path as File
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from medmm.doors.http.calling import Call, Caller
from medmm.doors.http.json_answer import JsonAnswer
from medmm.doors.http.problems import FHIR, refusals

DICOM, ZIP = "application/dicom", "application/zip"
TEXT = {"text": "text/plain; charset=utf-8"}
JSON_FORMS = {"json": "application/json", "fhir": FHIR}
FILES = dict.fromkeys(("sr", "seg", "key-object", "pdf"), DICOM)
HL7 = {"oru": "x-application/hl7-v2+er7"}  # as HAPI HL7v2 over HTTP names it
Form = Literal["text", "json", "fhir", "sr", "seg", "key-object", "pdf", "oru"]
ReportId = Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,80}$")]

router = APIRouter(tags=["reports"])


@router.get(
    "/reports/{report_id}",
    response_class=Response,
    responses={
        200: {
            "description": "The report; several DICOM objects come as one zip archive.",
            "content": {
                kind: {} for kind in (TEXT["text"], *JSON_FORMS.values(), DICOM, *HL7.values(), ZIP)
            },
        },
        **refusals(404, 409),
    },
)
def report(call: Caller, report_id: ReportId, form: Annotated[Form, Query()] = "json") -> Response:
    """Give a signed report: text, JSON, FHIR Bundle, DICOM objects, HL7 v2 message.

    The log tells of it as of a publication.
    """
    if form in TEXT:
        text = call.assistant.render(report_id, format=form, by=call.by)
        return Response(text, media_type=TEXT[form], headers={"cache-control": "no-store"})
    if form in JSON_FORMS:
        said = json.loads(call.assistant.render(report_id, format=form, by=call.by))
        return JsonAnswer(said, media_type=JSON_FORMS[form])
    return _files(call, report_id, form)


def _files(call: Call, report_id: str, form: str) -> Response:
    """Publish into a folder that is gone afterwards, and give what lies in it."""
    place = call.assistant.settings.data_dir
    with tempfile.TemporaryDirectory(dir=place, prefix="sent-") as folder:
        written = call.assistant.publish(report_id, to=folder, forms=(form,), by=call.by)
        found = [path for path in written if path.is_file()]
        if len(found) == 1:
            data, kind = found[0].read_bytes(), (FILES | HL7)[form]
        else:
            data, kind = _packed(found), ZIP
    return Response(data, media_type=kind, headers={"cache-control": "no-store"})


def _packed(files: list[File]) -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for file in files:
            archive.write(file, file.name)
    return held.getvalue()
