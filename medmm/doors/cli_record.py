"""`medmm record show`: what a record was understood as."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.record import ClinicalContext, Fact, FactStatus, Quantity
from medmm.doors.session import add_row, new_table, out, plain, session, write_json

record_app = typer.Typer(help="Look at a record.", no_args_is_help=True)
CODE_SYSTEMS = {
    "http://loinc.org": "LOINC",
    "http://snomed.info/sct": "SNOMED",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
}


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(record_app, name="record")


@record_app.command("show")
def show(
    context: typer.Context,
    record: Annotated[Path, typer.Argument(help="FHIR R4 as JSON: a Bundle, a resource, or NDJSON.")],
    as_of: Annotated[
        datetime | None, typer.Option(help="Only what was known at this time (UTC), as a study of then would take it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,
) -> None:
    """Print the facts of a record with code, value, unit, range, date and source entry, and what was left out and why."""
    who = session(context)
    moment = as_of.replace(tzinfo=UTC) if as_of else None
    with who.assistant() as assistant:
        found = assistant.record(record, as_of=moment, by=who.reader(assistant))
    if as_json:
        write_json(to_json(found))
        return
    _page(found)


def _page(found: ClinicalContext) -> None:
    known = f"known at {found.as_of.isoformat()}" if found.as_of else "of any date"
    out().print(f"{len(found.facts)} facts {known}, {len(found.left_out)} notes on what was left out or doubted")
    table = new_table("fact", "value", "when", "code", "source")
    for fact in found.facts:
        add_row(table, *_cells(fact))
    if found.facts:
        out().print(table)
    for omission in found.left_out:
        out().print(plain(f"- {omission.source}: {omission.reason}"))


def _cells(fact: Fact) -> Iterator[str]:
    status = "" if fact.status is FactStatus.ACTIVE else f" ({fact.status.value})"
    doubts = "".join(f"\n! {mark}" for mark in fact.marks)
    yield f"{fact.label}{status}{doubts}"
    yield _value(fact.value)
    yield fact.when.isoformat() if fact.when else "undated"
    yield "\n".join(f"{CODE_SYSTEMS.get(c.system, c.system)} {c.code}" for c in fact.codings)
    yield fact.source


def _value(value: Quantity | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    bounds = {"from": value.low, "to": value.high}
    stated = " ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
    words = f"{value.comparator or ''}{value.value:g} {value.unit}".rstrip()
    return f"{words}\nnormal {stated}" if stated else words
