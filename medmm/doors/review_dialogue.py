"""How `medmm review` takes decisions: from its options, or asked statement by statement."""

from __future__ import annotations

from collections.abc import Iterable

from rich.prompt import Confirm, Prompt
from rich.text import Text

from medmm.assistant import Assistant
from medmm.domain.draft import Assertion, Outcome, Section, Statement
from medmm.domain.errors import InputError, StateError, needed
from medmm.domain.reading import Side
from medmm.domain.report import Accept, Add, CaseFile, Decision, Edit, Impression, Reader, Reject
from medmm.domain.vocabulary import finding_called
from medmm.doors.draft_page import print_also_suspected, statement_panel
from medmm.doors.session import out, plain
from medmm.presentation.case_view import case_view, statement_views
from medmm.presentation.draft_words import mark_words, own_rows

OWN_WORDS = {
    "+": "finding; side; place ('possible' or 'no' before it)",
    "t": "free text of what you see",
    "i": "impression (\\n between lines)",
}


def named_decisions(
    accept: Iterable[str] | None,
    reject: Iterable[str] | None,
    edit: Iterable[str] | None,
    finding: Iterable[str] | None,
    add: Iterable[str] | None,
    impression: str | None,
) -> list[Decision]:
    """List the decisions that the options of `medmm review` name, in the arguments' order."""
    decisions: list[Decision] = [
        *map(Accept, accept or ()),
        *map(_reject, reject or ()),
        *map(_edit, edit or ()),
    ]
    decisions += [*map(_finding, finding or ()), *map(Add, add or ())]
    return decisions if impression is None else [*decisions, _own(impression)]


def _reject(text: str) -> Reject:
    statement_id, _, reason = text.partition("=")
    return Reject(statement_id.strip(), reason.strip())


def _edit(text: str) -> Edit:
    statement_id, equals, words = text.partition("=")
    if not equals:
        raise InputError("an edit without '='", remedy="write --edit 's3=The new sentence.'")
    return Edit(statement_id.strip(), words.strip())


def _finding(text: str) -> Add:
    """Parse an addition from "possible nodule; left; upper zone"."""
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
        raise InputError(
            f"no side {text!r}", remedy="left, right or bilateral, or nothing"
        ) from error


def _own(text: str) -> Impression:
    return Impression(text.replace("\\n", "\n").strip())


def print_marks(file: CaseFile) -> None:
    """Print what the checks have against the reader's own words."""
    for verdict in file.rechecked:
        if verdict.outcome is Outcome.FAILED:
            out().print(
                Text(plain(f"! {verdict.statement_id} {mark_words(verdict)}"), style="yellow")
            )


def ask_all(assistant: Assistant, case_id: str, reader: Reader) -> bool:
    """Walk through the undecided statements.

    Returns: whether the reader asked to sign.
    """
    file = assistant.case(case_id, pixels=False, by=reader)
    if file.draft is None:
        raise StateError("the case has no draft yet", remedy="draft it first", case=case_id)
    console, own_impression = out(), False
    print_also_suspected(case_view(file), console)
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
    open_ones = [
        one.statement.id for one in file.also_suspected if file.decision_on(one.statement) is None
    ]
    if open_ones:
        console.print(plain(f"Also suspected and not in the report: {', '.join(open_ones)}."))
    console.print(Text("What will be signed:", style="bold"))
    for line in _decided_lines(file):
        console.print(Text(plain(line)))
    question = Text(plain(f"All statements are decided. Sign as {reader.name} ({reader.role})?"))
    return Confirm.ask(question, default=False, console=console)


def _decided_lines(file: CaseFile) -> list[str]:
    """Show each statement as decided: the words to be signed, or that it is left out.

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
    console.print(statement_panel(*statement_views(file, [statement])))
    failed = bool(draft.blocking(statement.id))
    also = [one.statement.id for one in file.also_suspected if not draft.blocking(one.statement.id)]
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
            statement.id,
            _asked_text("" if failed else statement.text, refused=statement.text if failed else ""),
        )
    return Reject(statement.id) if answer == "r" else None


def _asked_own(kind: str) -> Decision:
    """Ask for a reader's own words until they can be kept."""
    while True:
        text = Prompt.ask(OWN_WORDS[kind], console=out()).strip()
        try:
            return _finding(text) if kind == "+" else Add(text) if kind == "t" else _own(text)
        except InputError as error:
            out().print(plain(f"{error.problem}: {error.remedy}"))


def _asked_text(default: str, refused: str) -> str:
    """Ask for the reader's words: never empty, never again those that failed a check."""
    while True:
        text = Prompt.ask(
            "new text", default=default, show_default=bool(default), console=out()
        ).strip()
        if text and text != refused:
            return text
        out().print("Write a text of your own.")
