"""Signed reports out, as text, JSON and FHIR R4.

Every function takes a `SignedReport`; a draft can't leave.
"""

from medmm.delivery.fhir.bundle import report_bundle
from medmm.delivery.fhir.joins import Joins
from medmm.delivery.report_files import render, write_report
from medmm.delivery.text import report_json, report_text

__all__ = ["Joins", "render", "report_bundle", "report_json", "report_text", "write_report"]
