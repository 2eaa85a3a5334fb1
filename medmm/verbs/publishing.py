"""Signed reports out: into files, or as text for who asks."""

from __future__ import annotations

from pathlib import Path

from medmm import delivery
from medmm.domain.codec import from_json
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.verb import look, verb


@verb(
    "publish",
    lambda house, value: tuple(map(Path, from_json(tuple[str, ...], value))),
    request=lambda house, report_id, to: {"report": report_id, "to": to},
)
def publish(house: House, call: VerbCall, report_id: str, to: str) -> tuple[Path, ...]:
    """Write a signed report into a folder; see `Assistant.publish`."""
    printed = house.store.printed(report_id)
    report, joins = printed.report, delivery.Joins.of(printed, house.settings.identifiers.systems())
    written = delivery.write_report(report, printed.identity, Path(to), joins, printed.versions)
    with house.store.step() as step:
        call.done(
            step, [str(p) for p in written], report.case_id, report=report_id, files=len(written)
        )
    return written


@look("publish", lambda report_id, form: "")
def render(house: House, call: VerbCall, report_id: str, form: str) -> str:
    """Give a signed report as text, JSON or FHIR; see `Assistant.render`."""
    printed = house.store.printed(report_id)
    call.subject = printed.report.case_id
    joins = delivery.Joins.of(printed, house.settings.identifiers.systems())
    return delivery.render(printed.report, printed.identity, form, joins, printed.versions)
