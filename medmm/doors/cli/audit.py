"""`medmm audit`: check the log, look at it."""

from __future__ import annotations

import re
import socket
from datetime import datetime
from typing import Annotated

import typer

from medmm.domain.codec import to_json
from medmm.domain.errors import EXIT_CODES, IntegrityError
from medmm.doors.session import add_row, new_table, out, plain, session, write_json
from medmm.presentation.fhir_audit_event import AuditSource, audit_events

audit_app = typer.Typer(help="The audit log.", no_args_is_help=True)
DIGEST = re.compile(r"[0-9a-f]{64}")
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(audit_app, name="audit")


@audit_app.command("verify")
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Check every entry against the signed heads, and all that is kept against the entries.

    These are cases, reports, patients' identities, studies and stored images. Any change is named
    with its place; exit 8 if there is one.

    What the entries of an earlier release do not cover is named: it is not known whether it was
    altered.
    """
    who = session(context)
    with who.assistant() as assistant:
        found, read_only = assistant.verify(by=who.reader(assistant)), assistant.read_only
    if as_json:
        write_json({**to_json(found), "ok": found.ok, "read_only": read_only})
    elif found.ok:
        out().print(
            f"The audit log is sound: {found.size} entries, {found.uncovered} not yet under a "
            "signed head."
        )
        for sentence in found.not_covered:
            out().print(plain(sentence))
    else:
        for problem in found.problems[:20]:
            out().print(plain(f"✗ {problem.place}: {problem.kind} ({problem.text})"))
        out().print(
            f"{len(found.problems)} problems. Stop, keep the files as they are, and call your "
            "administrator."
        )
    if read_only and not as_json:
        out().print("This is a read-only copy: that it was checked stands in no log.")
    if not found.ok:
        raise typer.Exit(EXIT_CODES[IntegrityError])


@audit_app.command("prove")
def prove(
    context: typer.Context,
    entry: Annotated[
        int, typer.Argument(help="Number of an entry; `medmm audit log` shows them.", min=1)
    ],
    since: Annotated[
        int | None,
        typer.Option(
            help="Size of an earlier tree head: prove that the log only appended to it.", min=1
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that an entry stands in the log.

    The proof is for whoever has its signed tree heads or public key and nothing else of it.
    """
    who = session(context)
    with who.assistant() as assistant:
        proof = assistant.prove(entry, since=since, by=who.reader(assistant))
    if as_json:
        write_json(to_json(proof))
        return
    out().print(
        plain(f"Entry {proof.number} stands in the log of {proof.size} entries: {proof.entry}")
    )
    out().print(
        plain(f"root {proof.root}, signed {proof.signature[:16]}… by key {proof.public_key}")
    )
    out().print("The digests that lead from the entry to that root (RFC 6962):")
    for number, step in enumerate(proof.path, 1):
        out().print(plain(f"  {number}. {step}"))
    if proof.since is not None:
        out().print(
            plain(
                f"Since size {proof.since} (root {proof.since_root}) the log was only appended to:"
            )
        )
        for number, step in enumerate(proof.since_path, 1):
            out().print(plain(f"  {number}. {step}"))


@audit_app.command("log")
def log(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Id of a case; `medmm cases` lists them.")],
    as_json: AsJson = False,
) -> None:
    """List what happened to a case and its study, oldest first."""
    who = session(context)
    with who.assistant() as assistant:
        events = assistant.history(case, by=who.reader(assistant))
    table = new_table("entry", "when, by whom", "what", "details")
    for event in events:
        if as_json:
            write_json(to_json(event))
        else:
            told = (f"{k} {_short(v)}" for k, v in event.details.items() if k != "request")
            add_row(
                table,
                str(event.number),
                f"{event.at:%Y-%m-%d %H:%M:%S}\n{event.actor}",
                f"{event.verb}\n{event.outcome}",
                "\n".join(told),
            )
    if not as_json:
        out().print(table)


def _time(words: str) -> datetime:
    """Read a time that says its zone. Raises: BadParameter if it is none."""
    try:
        found = datetime.fromisoformat(words)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(f"{words!r} is no time with its zone, as 2026-01-31T00:00+01:00")
    return found


@audit_app.command("export")
def export(
    context: typer.Context,
    since: Annotated[
        datetime | None,
        typer.Option(parser=_time, metavar="TIME", help="Events from this time on."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=_time, metavar="TIME", help="Events before this time.")
    ] = None,
    after: Annotated[
        int, typer.Option(help="Events that follow the entry of this number.", min=0)
    ] = 0,
    site: Annotated[
        str | None, typer.Option(help="Name of this host for the collector; else the host's own.")
    ] = None,
) -> None:
    """Write the log as FHIR AuditEvents, one a line (NDJSON), for a collector of logs.

    There is one AuditEvent for each patient whom an entry concerns (IHE BALP), who is named by key.
    An AuditEvent keeps its id whenever it is exported. The number to go on after is told last, on
    standard error.
    """
    who = session(context)
    with who.assistant() as assistant:
        by, last = who.reader(assistant), after
        next_after: int | None = after
        while next_after is not None:
            part = assistant.audit_trail(since=since, until=until, after=next_after, by=by)
            source = AuditSource(installation=part.installation, site=site or socket.gethostname())
            for one in part.events:
                for made in audit_events(one, source):
                    write_json(made)
                last = one.event.number or last
            next_after = part.after
    typer.echo(f"Go on with: --after {last}", err=True)


def _short(value: str) -> str:
    """Shorten a digest to what tells it apart, and count several; leave all else as it is."""
    words = value.split()
    if not words or not all(DIGEST.fullmatch(word) for word in words):
        return value
    return f"{value[:16]}…" if len(words) == 1 else f"{len(words)} digests"
