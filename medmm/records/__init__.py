"""The record in: FHIR R4 to the coded, dated facts known when the image was made."""

from medmm.records.document import RecordDocument, read_record
from medmm.records.hl7_orders import order_context, read_orders
from medmm.records.record_folder import RecordFit, RecordFolder, record_file
from medmm.records.record_server import RecordServer
from medmm.records.requests import with_request
from medmm.records.timeline import context_as_of, everything_in, join_questions, known_by

__all__ = [
    "RecordDocument",
    "RecordFit",
    "RecordFolder",
    "RecordServer",
    "context_as_of",
    "everything_in",
    "join_questions",
    "known_by",
    "order_context",
    "read_orders",
    "read_record",
    "record_file",
    "with_request",
]
