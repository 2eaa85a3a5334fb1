"""Who was told of critical findings, as Communication resources.

Each says what was told to whom, by whom, how and when, and points to the observations that it is
about. It stays as it is whatever becomes of the report: it happened.

Source: FHIR R4 Communication; v3-ParticipationMode, communication-category, request-priority.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medmm.delivery.fhir.elements import TERMINOLOGY, Json, concept, ref
from medmm.delivery.fhir.readers import reader_ref
from medmm.domain.critical_result import DAYS, HOURS, MINUTES, Communication, Route
from medmm.domain.plain_text import clean
from medmm.domain.record import Coding
from medmm.domain.report import SignedStatement
from medmm.domain.vocabulary import finding_term
from medmm.presentation.report_versions import Lineage

MODES = f"{TERMINOLOGY}/v3-ParticipationMode"
ALERT = Coding(system=f"{TERMINOLOGY}/communication-category", code="alert", display="Alert")
# Of messages the code system knows kinds that a site's may or may not be: they have words alone
MEDIA = {
    Route.PHONE: Coding(system=MODES, code="PHONE", display="telephone"),
    Route.IN_PERSON: Coding(system=MODES, code="FACE", display="face-to-face"),
    Route.VIDEO: Coding(system=MODES, code="VIDEOCONF", display="videoconferencing"),
}
PRIORITY = {MINUTES: "stat", HOURS: "asap", DAYS: "urgent"}


def communications(
    line: Lineage, observed: Sequence[SignedStatement]
) -> Iterator[tuple[str, Json]]:
    """Make the resource of each time that somebody was told, with the name of its entry.

    Later versions of a report name earlier ones first, so that each keeps its name.

    Args:
        observed: the statements of this version that are observations.
    """
    for number, told in enumerate(line.report.communications, start=1):
        yield f"communication {number}", _communication(line, told, observed)


def _communication(line: Lineage, told: Communication, observed: Sequence[SignedStatement]) -> Json:
    report, coding = line.report, MEDIA.get(told.how)
    about = [ref(report, s.id) for s in observed if s.finding in told.findings]
    findings = ", ".join(finding_term(name).words for name in told.findings)
    return {
        "status": "completed",
        "category": [concept(ALERT)],
        "priority": PRIORITY[told.category],
        "medium": [concept(*([coding] if coding else []), text=told.how.value)],
        "subject": ref(report, "patient"),
        "about": [ref(report, "report"), *about],
        "sent": told.at.isoformat(),
        # Only who repeats it is known to have got it
        **({"received": told.at.isoformat()} if told.read_back else {}),
        "recipient": [{"display": clean(told.to)}],
        "sender": reader_ref(line, told.by),
        "payload": [{"contentString": f"Critical findings: {findings}"}],
        "note": [{"text": f"{'Read' if told.read_back else 'Not read'} back."}],
    }
