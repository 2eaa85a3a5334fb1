"""The report as it is read, beside its coded form: text, HTML page and PDF.

Source: FHIR R4 Attachment (size in bytes, hash SHA-1, both of the data before base64); IHE
Interactive Multimedia Report, which asks for an HTML form with both.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from medmm.delivery.fhir.elements import Json
from medmm.delivery.html import report_html
from medmm.delivery.text import report_text
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import SignedReport


def presented_forms(
    report: SignedReport,
    identity: PatientIdentity | None,
    restated_entry: int | None,
    versions: Sequence[SignedReport],
) -> list[Json]:
    """Make the attachments; each says the same, whichever a receiver shows."""
    from medmm.delivery.pdf.page import report_pdf  # reportlab

    said = (report, identity, restated_entry, versions)
    return [
        attachment("text/plain; charset=utf-8", report_text(*said).encode()),
        attachment("text/html", report_html(*said).encode()),  # the page states its charset
        attachment("application/pdf", report_pdf(*said)),
    ]


def attachment(content_type: str, data: bytes) -> Json:
    """Make an Attachment that holds its data, with their size and hash."""
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return {
        "contentType": content_type,
        "data": base64.b64encode(data).decode("ascii"),
        "size": len(data),
        "hash": base64.b64encode(digest).decode("ascii"),
    }
