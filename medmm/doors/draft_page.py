"""A draft as a readable page in the terminal: statements, evidence and checks."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from medmm.domain.draft import ExtentEvidence, Section
from medmm.domain.notices import FOR_THE_RECORD_TITLE
from medmm.domain.report import CaseFile
from medmm.domain.suspicion import Standing
from medmm.doors.session import add_row, new_table, plain
from medmm.doors.study_page import COLOURS, PICTURE_COLUMNS, colour_blocks
from medmm.presentation import opinion_words
from medmm.presentation.case_view import CaseView, StatementView, case_view
from medmm.presentation.draft_words import LEGEND
from medmm.presentation.orientation import edge_letters
from medmm.presentation.record_view import RecordView, record_view
from medmm.presentation.slice_picture import marked_slices, slice_picture
from medmm.presentation.suspicion_words import ALSO_NOTE
from medmm.presentation.value_words import MEASURED_HEAD
from medmm.presentation.withheld import WITHHELD_TITLE

INDENT = 6


def draft_page(file: CaseFile, console: Console, *, withheld: bool = False) -> None:
    """Print the draft of a case, or that it has none; shown blind, its record.

    Args:
        withheld: list also what was proposed and is not stated, with evidence and failed checks.
    """
    view = case_view(file)
    _print_head(view, console)
    if not view.drafted:
        if file.blind and file.case.context is not None:
            _print_record(record_view(file.case.context), console)
        if file.blind:
            console.print("The pictures stand on the page that --html writes.")
        console.print(view.without_draft)
        _print_recorded(view, console)
        return
    _print_marked(file, console)
    for section in Section:
        statements = (*view.in_section(section), *view.own_in(section))
        if statements:
            console.print(Rule(section.value.upper(), align="left"))
        for statement in statements:
            console.print(statement_panel(statement))
        if section is Section.FINDINGS:
            print_also_suspected(view, console)
    _print_opinions(view, console)
    _print_proposed(view, console, whole=withheld)
    if _localised(file):
        _print_measured(view, console)
    _print_limits(view, console)
    _print_recorded(view, console)


def _print_head(view: CaseView, console: Console) -> None:
    """Print what it is, which images were read, and what must be known before reading on."""
    console.print(Panel(Text(view.banner, style="bold"), border_style="yellow"))
    what = f"case {view.case_id}   {view.what}   acquired {view.acquired_words}"
    console.print(Text(plain(what)))
    for line in view.images:
        console.print(Text(plain(line), style="dim"))
    if view.note:
        console.print(_hanging(Text("i", style="cyan"), Text(plain(view.note), style="cyan")))
    for warning in view.warnings:
        console.print(_hanging(Text("!", style="yellow"), Text(plain(warning), style="yellow")))


def _print_record(record: RecordView, console: Console) -> None:
    """Print all facts of the record, as the page of a case has them."""
    console.print(Text(plain(record.title)))
    table = new_table()
    for fact in record.facts:
        kind, label, value, day, source = fact.cells
        words = ": ".join(filter(None, (label, value)))
        add_row(table, kind, "; ".join(filter(None, (words, day, source))))
    console.print(table)


def statement_panel(statement: StatementView) -> RenderableType:
    """Show one statement with its evidence, its checks and what was decided.

    What the checks have against the decision is shown too.
    """
    number = Text(f"{plain(statement.id):>{INDENT - 2}} ", style="cyan")
    urgent = Text("CRITICAL ", style="bold red") if statement.critical else Text()
    words = urgent + Text(plain(statement.drafted), style="bold")
    lines: list[RenderableType] = [_hanging(number, words)]
    lines += [_indented(Text(plain(line), style="dim")) for line in statement.evidence_lines]
    if not statement.own:
        lines.append(_indented(_checks(statement)))
    if statement.decided:
        lines.append(_indented(Text(f"→ {plain(statement.decided)}", style="cyan")))
    lines += [_indented(Text(plain(mark), style="yellow")) for mark in statement.marks]
    return Group(*lines)


def print_also_suspected(view: CaseView, console: Console) -> None:
    """Print what is suspected and not stated, why, and as it would be stated."""
    if not view.also and not view.unstated:
        return
    console.print(Rule(Standing.NOT_STATED.value.upper(), align="left"))
    console.print(_indented(Text(ALSO_NOTE, style="dim")))
    for statement in view.also:
        console.print(statement_panel(statement))
        if statement.why:
            console.print(_indented(Text(plain(statement.not_stated), style="cyan")))
    for line in view.unstated:
        console.print(_indented(Text(plain(line))))


def _print_opinions(view: CaseView, console: Console) -> None:
    """Print what other models say of the same, and where they disagree."""
    if not view.opinions:
        return
    console.print(Rule(opinion_words.TITLE.upper(), align="left"))
    console.print(_indented(Text(opinion_words.NOTE, style="dim")))
    for line in view.opinions:
        console.print(_indented(Text(plain(line))))


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, INDENT), expand=False)


def _hanging(mark: Text, text: Text) -> RenderableType:
    """Put a mark in the margin and a text beside it, whose further lines stay beside it."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(mark, text)
    return grid


def _checks(statement: StatementView) -> Text:
    """Show the checks that apply, each in the colour of its outcome."""
    return Text("  ").join(
        Text(plain(check.words), style="bold red" if check.failed else "green")
        for check in statement.told_checks
    )


def _print_marked(file: CaseFile, console: Console) -> None:
    """Print the slices that statements are marked on.

    Without colours in the terminal they are in words alone.
    """
    for marked in marked_slices(file.case.study, file.reading, file.draft):
        if console.is_terminal and console.color_system in COLOURS:
            columns = min(PICTURE_COLUMNS, console.width)
            small = slice_picture(
                marked.volume, marked.index_z, marked.label_map, marked.labels, longest_px=columns
            )
            console.print(colour_blocks(small))
        edges = edge_letters(marked.volume.affine_lps_mm)
        letters = (
            f" {edges.left} on the left of the picture, {edges.right} on the right."
            if edges.left
            else ""
        )
        words = plain(marked.caption(marked.index_z) + letters)
        console.print(_hanging(Text("▣", style="cyan"), Text(words)))


def _print_proposed(view: CaseView, console: Console, *, whole: bool) -> None:
    """Say how much a language model proposed that the draft does not state."""
    if view.proposed:
        console.print(Rule(WITHHELD_TITLE.upper(), align="left", style="dim"))
    if view.proposed and not whole:
        words = f"{view.proposed_title}; --withheld lists them with the reasons"
        console.print(_hanging(Text("  ·", style="dim"), Text(words, style="dim")))
        return
    for one in view.proposed:
        lines = Text(plain(one.line), style="dim")
        for line in one.details:
            lines.append(f"\n{plain(line)}", style="dim")
        console.print(_hanging(Text("  ·", style="dim"), lines))


def _localised(file: CaseFile) -> bool:
    """Tell whether a statement of the draft rests on labelled voxels."""
    statements = file.draft.statements if file.draft else ()
    return any(isinstance(e, ExtentEvidence) for s in statements for e in s.evidence)


def _print_measured(view: CaseView, console: Console) -> None:
    console.print(Rule("MEASURED", align="left"))
    table = new_table(*MEASURED_HEAD)
    for row in view.measured:
        add_row(table, *row.cells)
    console.print(table)


def _print_limits(view: CaseView, console: Console) -> None:
    console.print(Rule("NOT EVALUATED", align="left"))
    for item in view.not_evaluated:
        console.print(_hanging(Text("  -"), Text(plain(item))))
    console.print(Rule())
    console.print(Text(plain(view.made_by), style="dim"))
    console.print(Text(LEGEND, style="dim"))


def _print_recorded(view: CaseView, console: Console) -> None:
    """Print the warnings that matter for the record alone."""
    for notice in view.recorded:
        words = Text(plain(f"{FOR_THE_RECORD_TITLE}: {notice}"), style="dim")
        console.print(_hanging(Text("·", style="dim"), words))
