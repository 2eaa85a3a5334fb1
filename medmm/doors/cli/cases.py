"""`medmm draft`, `cases`, `case show`, `review` and `publish`: a case in the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medmm.domain.case_state import CaseState
from medmm.domain.codec import to_json
from medmm.domain.errors import InputError, StateError
from medmm.domain.priority import Order, Priority
from medmm.doors.cli.decision_options import Accepted, Added, Edited
from medmm.doors.session import add_row, new_table, out, plain, session, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from medmm.assistant import Assistant
    from medmm.domain.report import CaseFile, CaseSummary, Reader, SignedReport

case_app = typer.Typer(help="Look at a case, claim it, say how urgent it is.", no_args_is_help=True)
ALWAYS = "text,json,fhir"  # what is written where nobody says otherwise
ORU = "oru"  # the form of HL7 v2
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
Withheld = Annotated[
    bool,
    typer.Option(
        "--withheld",
        help="List what a language model proposed and the draft does not state, with the reason, "
        "the evidence and the checks that failed.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("draft")(draft)
    app.command("cases")(cases)
    app.add_typer(case_app, name="case")
    app.command("review")(review)
    app.command("publish")(publish)


def draft(
    context: typer.Context,
    study: Annotated[
        list[Path],
        typer.Argument(
            help="DICOM files, a folder, a zip archive or a DICOMDIR, with one study.",
            metavar="STUDY…",
        ),
    ],
    record: Annotated[
        Path | None,
        typer.Option(
            help="The patient's record: a FHIR R4 Bundle, or a folder where it is found by Study "
            "UID, name, or patient ID."
        ),
    ] = None,
    study_uid: Annotated[
        str | None,
        typer.Option("--study", help="Study Instance UID of one of several studies there."),
    ] = None,
    confirm_patient: Annotated[
        bool,
        typer.Option(
            "--confirm-patient",
            help="You compared image and record and say that they are of one patient, where that "
            "can't be told from them.",
        ),
    ] = False,
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page with picture, heat-maps and draft.")
    ] = None,
    withheld: Withheld = False,
) -> None:
    """Admit a study, open its case, and draft it. Signs nothing.

    Every statement comes with its evidence and checks.
    """
    from medmm.domain.study import NotEvaluable
    from medmm.doors.draft_page import draft_page
    from medmm.doors.folder.media import opened_media

    who = session(context)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        with opened_media(study, assistant.settings) as files:
            admitted = assistant.admit(
                files, record=record, study_uid=study_uid, confirmed=confirm_patient, by=by
            )
        if isinstance(admitted, NotEvaluable):
            write_json(to_json(admitted)) if as_json else out().print(plain(admitted.reason))
            return
        case = assistant.open_case(admitted.uid, by=by)
        checked = assistant.draft(case.id, by=by)
        file = assistant.case(case.id, by=by)
        write_json({**to_json(checked), "suspected": listed(file)}) if as_json else draft_page(
            file, out(), withheld=withheld
        )
        if html is not None:
            _write_page(file, html)


def listed(file: CaseFile) -> list[dict[str, Any]]:
    """Give the one list of what is suspected, as it stands now, for machines."""
    return [to_json(one) for one in file.flagged]


def _write_page(file: CaseFile, path: Path) -> None:
    from medmm.presentation.draft_html import draft_html

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(draft_html(file), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"the page can't be written: {type(error).__name__}",
            remedy="name a writable file",
            path=str(path),
        ) from error


def cases(
    context: typer.Context,
    as_json: AsJson = False,
    state: Annotated[CaseState | None, typer.Option(help="Only cases in this state.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="Only cases of this priority.")] = None,
    waiting: Annotated[
        bool | None,
        typer.Option(
            "--waiting/--not-waiting", help="Only cases that wait for a person, or only the others."
        ),
    ] = None,
    site: Annotated[str | None, typer.Option(help="Only cases of this site.")] = None,
    assigned: Annotated[
        str | None, typer.Option(help="Only cases that this reader (an id) has claimed.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many: one page.")] = None,
    after: Annotated[
        str | None, typer.Option(help="Where the page before ended, as it says: the next page.")
    ] = None,
    sort: Annotated[
        Order,
        typer.Option(
            help="Newest first, or by priority and, of equal ones, the longest waiting first."
        ),
    ] = Order.NEWEST,
) -> None:
    """List the worklist, newest first or by urgency; patients by key."""
    who = session(context)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        found = assistant.cases(
            state=state,
            priority=priority,
            waiting=waiting,
            site=site,
            assigned=assigned,
            limit=limit,
            after=after,
            order=sort,
            by=by,
        )
    if as_json:
        for summary in found:
            write_json(to_json(summary))
        return
    whole = {state, priority, waiting, site, assigned, after} == {None}
    none = "No cases yet: `medmm draft STUDY` makes one." if whole else "No such cases."
    out().print(_worklist(found) if found else none)
    if limit is not None and len(found) == limit:
        last = found[-1].place if sort is Order.URGENCY else found[-1].case_id
        out().print(f"Next page: --after {last}", soft_wrap=True)


def _worklist(found: Sequence[CaseSummary]) -> Table:
    """Make the table of cases: what stands of each is under its id, so findings have room."""
    from medmm.presentation.suspicion_words import listed_words

    table = new_table("case", "study", "suspected")
    # an id that is folded can't be copied
    table.columns[0].min_width = max(len(summary.case_id) for summary in found)
    for summary in found:
        claimed = f"claimed by {summary.assigned}" if summary.assigned else ""
        urgency = ": ".join(filter(None, (summary.priority, summary.priority_reason)))
        standing = (summary.state.value, claimed, urgency)
        when = f"{summary.acquired:%Y-%m-%d %H:%M}" if summary.acquired else "unknown"
        add_row(
            table,
            "\n".join((summary.case_id, ", ".join(filter(None, standing)))),
            f"{summary.modality} {summary.body_part}\n{when}",
            listed_words(summary),
        )
    return table


@case_app.command("show")
def case_show(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Id of a case; `medmm cases` lists them.")],
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option(help="Write the page with picture and heat-maps here.")
    ] = None,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind", help="Images and record alone: no reading, draft, decision or report."
        ),
    ] = False,
    withheld: Withheld = False,
) -> None:
    """Print a case: its draft, or its signed report."""
    from medmm.doors.draft_page import draft_page

    who = session(context)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        file = assistant.case(case, blind=blind, by=by)
        if as_json:
            told = {} if blind else {"suspected": listed(file)}
            write_json({**to_json(file), **told})
        elif file.report is not None:
            out().print(plain(assistant.render(file.report.id, by=by)))
        else:
            draft_page(file, out(), withheld=withheld)
        if html is not None:
            _write_page(file, html)


def review(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Id of a case; `medmm cases` lists them.")],
    accept: Accepted = None,
    reject: Annotated[
        list[str] | None, typer.Option(help="Reject a statement: ID or ID=reason (repeat).")
    ] = None,
    edit: Edited = None,
    finding: Annotated[
        list[str] | None,
        typer.Option(
            help="Add a finding of the vocabulary: NAME[;SIDE[;PLACE]], 'possible' or 'no' "
            "before the name (repeat)."
        ),
    ] = None,
    add: Added = None,
    impression: Annotated[
        str | None,
        typer.Option(help="Write the impression in your own words, in place of the drafted one."),
    ] = None,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign afterwards (still only if all is decided).")
    ] = False,
) -> None:
    """Decide on a draft and sign it. Needs `--by READER`.

    Without options it asks statement by statement.

    What is also suspected (u1, u2, …) may be accepted, edited or rejected too, and what you added
    (r1, …, impression) edited or rejected; undecided, the first stays out of the report.
    """
    from medmm.doors.review_dialogue import ask_all, named_decisions, print_marks

    who = session(context)
    with who.assistant() as assistant:
        reader = who.person(assistant, "review")
        named = named_decisions(accept, reject, edit, finding, add, impression)
        if named:
            assistant.decide(case, named, by=reader)
            print_marks(assistant.case(case, pixels=False, by=reader))
        elif not sign:
            if not ask_all(assistant, case, reader):
                return
            sign = True
        if sign:
            _print_signed(assistant, assistant.sign(case, by=reader))


def _print_signed(assistant: Assistant, report: SignedReport) -> None:
    sends = "`medmm deliver` sends it; " if assistant.settings.destinations else ""
    gives = f"`medmm publish {report.case_id}` prints or writes it."
    out().print(f"Signed: {report.id}. {sends}{gives}")


def publish(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Id of a case with a signed report.")],
    format: Annotated[
        str,
        typer.Option(help="text, json, fhir (R4 transaction Bundle) or outcome (what that lacks)."),
    ] = "text",
    to: Annotated[
        Path | None, typer.Option(help="Write files into this folder instead, by --form.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            help="Which files, separated by commas: text, json, fhir; in DICOM sr (structured "
            "report), seg (segmentations), key-object (cited images), pdf (its page); oru (HL7 "
            "v2.5.1 ORU^R01)."
        ),
    ] = ALWAYS,
    version: Annotated[
        int | None,
        typer.Option(min=1, help="An earlier version, marked as replaced; without it the newest."),
    ] = None,
) -> None:
    """Give out a case's signed report. A draft can't be published."""
    forms = [one for one in (part.strip() for part in form.split(",")) if one]
    if to is None and form != ALWAYS:
        raise InputError("files need a folder", remedy="add --to FOLDER, or use --format")
    who = session(context)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        report = _version(assistant.case(case, pixels=False, by=by), version)
        if to is None:
            typer.echo(assistant.render(report.id, format=format, by=by), nl=False)
        else:
            for path in assistant.publish(report.id, to=to, forms=forms, by=by):
                typer.echo(str(path))
        if "fhir" in forms if to is not None else format == "fhir":
            _say_what_lacks(assistant, report.id, "outcome", by)
        if to is not None and set(forms) - {*ALWAYS.split(","), ORU}:
            _say_what_lacks(assistant, report.id, "dicom-outcome", by)
        if to is not None and ORU in forms:
            _say_what_lacks(assistant, report.id, "hl7-outcome", by)


def _version(file: CaseFile, version: int | None) -> SignedReport:
    if file.report is None:
        raise StateError(
            "the case has no signed report", remedy="review and sign it first", case=file.case.id
        )
    found = {report.version: report for report in file.versions}
    if version is not None and version not in found:
        raise InputError(
            f"the report has no version {version}",
            remedy=f"there are versions 1 to {file.report.version}",
            case=file.case.id,
        )
    return file.report if version is None else found[version]


def _say_what_lacks(assistant: Assistant, report_id: str, outcome: str, by: Reader | None) -> None:
    """Say on stderr what was left out of what was given out, and why.

    Of FHIR and HL7 that is what keeps a receiver from finding patient and order; of DICOM what
    could not be written, or not as verified.
    """
    for issue in json.loads(assistant.render(report_id, format=outcome, by=by))["issue"]:
        if issue["severity"] == "warning":
            typer.echo(plain(issue["details"]["text"]), err=True)
