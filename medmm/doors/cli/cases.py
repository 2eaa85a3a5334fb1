"""`medmm draft`, `cases`, `case show`, `review` and `publish`: the life of a case in the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.prompt import Confirm, Prompt
from rich.text import Text

from medmm.assistant import Assistant
from medmm.domain.codec import to_json
from medmm.domain.display import mark_words, suspected_line
from medmm.domain.draft import Assertion, Outcome, Section, Statement
from medmm.domain.errors import InputError, StateError, needed
from medmm.domain.reading import Side
from medmm.domain.report import (
    Accept,
    Add,
    CaseFile,
    CaseState,
    Decision,
    Edit,
    Impression,
    Reader,
    Reject,
    SignedReport,
)
from medmm.domain.study import NotEvaluable
from medmm.domain.vocabulary import finding_called
from medmm.doors.draft_html import draft_html
from medmm.doors.draft_page import draft_page, own_rows, print_also_suspected, statement_panel
from medmm.doors.session import add_row, new_table, out, plain, session, write_json

case_app = typer.Typer(help="Look at a case.", no_args_is_help=True)
OWN_WORDS = {
    "+": "finding; side; place ('possible' or 'no' before it)",
    "t": "free text of what you see",
    "i": "impression (\\n between lines)",
}
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("draft")(draft)
    app.command("cases")(cases)
    app.add_typer(case_app, name="case")
    app.command("review")(review)
    app.command("publish")(publish)


def draft(
    context: typer.Context,
    study: Annotated[list[Path], typer.Argument(help="DICOM files, or a folder, with one study.", metavar="STUDY…")],
    record: Annotated[
        Path | None,
        typer.Option(
            help="The patient's record: a FHIR R4 Bundle, or a folder where it is found by Study UID, name, or patient ID."
        ),
    ] = None,
    study_uid: Annotated[
        str | None, typer.Option("--study", help="Study Instance UID of one of several studies there.")
    ] = None,
    confirm_patient: Annotated[
        bool,
        typer.Option(
            "--confirm-patient",
            help="You compared image and record and say that they are of one patient, where that can't be told from them.",
        ),
    ] = False,
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with picture, heat-maps and draft.")] = None,
) -> None:
    """Admit a study, open its case, and draft it: every statement with its evidence and checks. Signs nothing."""
    who = session(context)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        admitted = assistant.admit(study, record=record, study_uid=study_uid, confirmed=confirm_patient, by=by)
        if isinstance(admitted, NotEvaluable):
            write_json(to_json(admitted)) if as_json else out().print(plain(admitted.reason))
            return
        case = assistant.open_case(admitted.uid, by=by)
        checked = assistant.draft(case.id, by=by)
        file = assistant.case(case.id, by=by)
        write_json({**to_json(checked), "suspected": listed(file)}) if as_json else draft_page(file, out())
        if html is not None:
            _write_page(file, html)


def listed(file: CaseFile) -> list[dict[str, Any]]:
    """The one list of what is suspected, as it stands now, for machines."""
    return [to_json(one) for one in file.flagged]


def _write_page(file: CaseFile, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(draft_html(file), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"the page can't be written: {type(error).__name__}", remedy="name a writable file", path=str(path)
        ) from error


def cases(
    context: typer.Context,
    as_json: AsJson = False,
    state: Annotated[CaseState | None, typer.Option(help="Only cases that stand there.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many: one page.")] = None,
    after: Annotated[str | None, typer.Option(help="Id of the last case of the page before: the next page.")] = None,
) -> None:
    """The worklist, newest first; patients by key."""
    who = session(context)
    with who.assistant() as assistant:
        found = assistant.cases(state=state, limit=limit, after=after, by=who.reader(assistant))
    if as_json:
        for summary in found:
            write_json(to_json(summary))
        return
    table = new_table("case", "state", "what", "acquired", "suspected")
    for summary in found:
        when = f"{summary.acquired:%Y-%m-%d %H:%M}" if summary.acquired else "unknown"
        what = f"{summary.modality} {summary.body_part}"
        listed_words = suspected_line(summary.suspicions) or "; ".join(summary.seen_in_part)
        add_row(table, summary.case_id, summary.state.value, what, when, listed_words)
    none = "No cases yet: `medmm draft STUDY` makes one." if state is None and after is None else "No such cases."
    out().print(table if found else none)
    if limit is not None and len(found) == limit:
        out().print(f"Next page: --after {found[-1].case_id}")


@case_app.command("show")
def case_show(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Id of a case; `medmm cases` lists them.")],
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write the page with picture and heat-maps here.")] = None,
) -> None:
    """Print a case: its draft, or its signed report."""
    who = session(context)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        file = assistant.case(case, by=by)
        if as_json:
            write_json({**to_json(file), "suspected": listed(file)})
        elif file.report is not None:
            out().print(plain(assistant.render(file.report.id, by=by)))
        else:
            draft_page(file, out())
        if html is not None:
            _write_page(file, html)


def review(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Id of a case; `medmm cases` lists them.")],
    accept: Annotated[list[str] | None, typer.Option(help="Accept this statement (repeat).")] = None,
    reject: Annotated[list[str] | None, typer.Option(help="Reject a statement: ID or ID=reason (repeat).")] = None,
    edit: Annotated[list[str] | None, typer.Option(help="Edit a statement: ID=new text (repeat).")] = None,
    finding: Annotated[
        list[str] | None,
        typer.Option(
            help="Add a finding of the vocabulary: NAME[;SIDE[;PLACE]], 'possible' or 'no' before the name (repeat)."
        ),
    ] = None,
    add: Annotated[list[str] | None, typer.Option(help="Add a finding in free text, without a code (repeat).")] = None,
    impression: Annotated[
        str | None, typer.Option(help="Write the impression in your own words, in place of the drafted one.")
    ] = None,
    sign: Annotated[bool, typer.Option("--sign", help="Sign afterwards (still only if all is decided).")] = False,
) -> None:
    """Decide on a draft and sign it. Without options it asks statement by statement. Needs `--by READER`.

    What is also suspected (u1, u2, …) may be accepted, edited or rejected too, and what you added (r1, …, impression)
    edited or rejected; undecided, the first stays out of the report.
    """
    who = session(context)
    with who.assistant() as assistant:
        reader = who.reader(assistant)
        if reader is None:
            raise InputError(
                "nobody is named as reader", remedy="medmm --by READER review …; see `readers:` in the config"
            )
        named: list[Decision] = [*map(Accept, accept or ()), *map(_reject, reject or ()), *map(_edit, edit or ())]
        named += [
            *map(_finding, finding or ()),
            *map(Add, add or ()),
            *(() if impression is None else (_own(impression),)),
        ]
        if named:
            assistant.decide(case, named, by=reader)
            _print_marks(assistant.case(case, pixels=False, by=reader))
        elif not sign:
            if not _ask_all(assistant, case, reader):
                return
            sign = True
        if sign:
            _print_signed(assistant.sign(case, by=reader))


def _reject(text: str) -> Reject:
    statement_id, _, reason = text.partition("=")
    return Reject(statement_id.strip(), reason.strip())


def _edit(text: str) -> Edit:
    statement_id, equals, words = text.partition("=")
    if not equals:
        raise InputError("an edit without '='", remedy="write --edit 's3=The new sentence.'")
    return Edit(statement_id.strip(), words.strip())


def _finding(text: str) -> Add:
    """An addition from "possible nodule; left; upper zone"."""
    name, side, place = (part.strip() for part in [*text.split(";"), "", ""][:3])
    first, _, rest = name.partition(" ")
    said = {"possible": Assertion.POSSIBLE, "no": Assertion.ABSENT}.get(first.casefold())
    return Add.of(
        finding_called(rest if said else name).name,
        side=_side(side),
        place=place,
        assertion=said or Assertion.PRESENT,
    )


def _side(text: str) -> Side | None:
    if not text:
        return None
    try:
        return Side(text.casefold())
    except ValueError as error:
        raise InputError(f"no side {text!r}", remedy="left, right or bilateral, or nothing") from error


def _own(text: str) -> Impression:
    return Impression(text.replace("\\n", "\n").strip())


def _print_marks(file: CaseFile) -> None:
    """What the checks have against the reader's own words."""
    for verdict in file.rechecked:
        if verdict.outcome is Outcome.FAILED:
            out().print(Text(plain(f"! {verdict.statement_id} {mark_words(verdict)}"), style="yellow"))


def _ask_all(assistant: Assistant, case_id: str, reader: Reader) -> bool:
    """Walk through the undecided statements. Returns: whether the reader asked to sign."""
    file = assistant.case(case_id, pixels=False, by=reader)
    if file.draft is None:
        raise StateError("the case has no draft yet", remedy="draft it first", case=case_id)
    console, own_impression = out(), False
    print_also_suspected(file, console)
    for statement in file.asked:
        if file.decision_on(statement) is not None:
            continue
        answered = False
        while not answered and not (own_impression and statement.section is Section.IMPRESSION):
            decision = _ask(file, statement)
            if decision is None:
                console.print("Stopped; what was decided is kept.")
                return False
            assistant.decide(case_id, [decision], by=reader)
            answered = decision.statement_id == statement.id  # else something was added: ask again
            own_impression = own_impression or isinstance(decision, Impression)
    file = assistant.case(case_id, pixels=False, by=reader)
    open_ones = [one.statement.id for one in file.also_suspected if file.decision_on(one.statement) is None]
    if open_ones:
        console.print(plain(f"Also suspected and not in the report: {', '.join(open_ones)}."))
    console.print(Text("What will be signed:", style="bold"))
    for line in _decided_lines(file):
        console.print(Text(plain(line)))
    question = Text(plain(f"All statements are decided. Sign as {reader.name} ({reader.role})?"))
    return Confirm.ask(question, default=False, console=console)


def _decided_lines(file: CaseFile) -> list[str]:
    """Each statement of a draft as it was decided: the words that will be signed, or that it is left out.

    Then what was added, and under each line what the checks have against the reader's own words.
    """
    lines = []
    replaced = Section.IMPRESSION if file.impression else None
    for statement in file.draft.draft.decidable if file.draft else ():
        of = f" (summary of {statement.summarises})" if statement.summarises else ""
        if statement.section is replaced:
            lines.append(f"  ({statement.id} is left out: the impression is your own)")
            continue
        match file.decision_on(statement):
            case Accept():
                lines.append(f"  {statement.id}  {statement.text}{of}")
            case Edit(text=text):
                lines.append(f"  {statement.id}  {text} (edited){of}")
            case Reject():
                lines.append(f"  ({statement.id} is left out){of}")
        lines += _mark_lines(file, statement.id)
    for _, number, text, mark in own_rows(file):
        lines += [f"  {number}  {text} ({mark})", *_mark_lines(file, number)]
    return lines


def _mark_lines(file: CaseFile, statement_id: str) -> list[str]:
    return [f"      ! {mark_words(verdict)}" for verdict in file.marks(statement_id)]


def _ask(file: CaseFile, statement: Statement) -> Decision | None:
    console, draft = out(), needed(file.draft, "the draft of a case", case=file.case.id)
    console.print(statement_panel(draft, statement))
    failed = bool(draft.failed(statement.id))
    also = [one.statement.id for one in file.also_suspected if not draft.failed(one.statement.id)]
    choices = [*([] if failed else ["a"]), "e", "r", "+", "t", "i", *also, "q"]
    question = "a check failed: edit, reject" if failed else "accept, edit, reject"
    stating = f", {also[0]} … state what is also suspected" if also else ""
    answer = Prompt.ask(
        f"{question}; + a finding, t free text, i the impression of your own{stating}; quit",
        choices=choices,
        console=console,
    )
    if answer in OWN_WORDS:
        return _asked_own(answer)
    if answer in also:
        return Accept(answer)
    if answer == "a":
        return Accept(statement.id)
    if answer == "e":
        return Edit(
            statement.id, _asked_text("" if failed else statement.text, refused=statement.text if failed else "")
        )
    return Reject(statement.id) if answer == "r" else None


def _asked_own(kind: str) -> Decision:
    """A reader's own words, asked for until they can be kept."""
    while True:
        text = Prompt.ask(OWN_WORDS[kind], console=out()).strip()
        try:
            return _finding(text) if kind == "+" else Add(text) if kind == "t" else _own(text)
        except InputError as error:
            out().print(plain(f"{error.problem}: {error.remedy}"))


def _asked_text(default: str, refused: str) -> str:
    """The reader's words: never empty, never again the words that failed a check."""
    while True:
        text = Prompt.ask("new text", default=default, show_default=bool(default), console=out()).strip()
        if text and text != refused:
            return text
        out().print("Write a text of your own.")


def _print_signed(report: SignedReport) -> None:
    out().print(f"Signed: {report.id}. `medmm publish {report.case_id}` prints or writes it.")


def publish(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Id of a case with a signed report.")],
    format: Annotated[
        str, typer.Option(help="text, json, fhir (R4 transaction Bundle) or outcome (what that lacks).")
    ] = "text",
    to: Annotated[Path | None, typer.Option(help="Write all three formats into this folder instead.")] = None,
) -> None:
    """Give out a case's signed report. A draft can't be published."""
    who = session(context)
    with who.assistant() as assistant:
        by = who.reader(assistant)
        report = assistant.case(case, pixels=False, by=by).report
        if report is None:
            raise StateError("the case has no signed report", remedy="review and sign it first", case=case)
        if to is None:
            typer.echo(assistant.render(report.id, format=format, by=by), nl=False)
        else:
            for path in assistant.publish(report.id, to=to, by=by):
                typer.echo(str(path))
        if to is not None or format == "fhir":
            _say_what_is_not_joined(assistant, report.id, by)


def _say_what_is_not_joined(assistant: Assistant, report_id: str, by: Reader | None) -> None:
    """On stderr, beside the Bundle: by what it finds neither patient nor order on a FHIR server, and why."""
    for issue in json.loads(assistant.render(report_id, format="outcome", by=by))["issue"]:
        if issue["severity"] == "warning":
            typer.echo(plain(issue["details"]["text"]), err=True)
