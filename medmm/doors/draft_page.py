"""A draft as a readable page in the terminal: every statement with its evidence and its checks."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from medmm.domain.display import (
    ALSO_NOTE,
    edge_letters,
    mark_words,
    measurement_rows,
    unstated_words,
)
from medmm.domain.draft import (
    CheckedDraft,
    ExtentEvidence,
    Outcome,
    Section,
    Statement,
)
from medmm.domain.errors import needed
from medmm.domain.images import image_lines
from medmm.domain.notices import FOR_THE_RECORD_TITLE, sorted_notices
from medmm.domain.packaged_films import packaged_note
from medmm.domain.report import CaseFile
from medmm.domain.suspicion import Standing
from medmm.doors.session import add_row, new_table, plain
from medmm.doors.study_page import COLOURS, PICTURE_COLUMNS, colour_blocks
from medmm.presentation.draft_words import (
    LEGEND,
    banner,
    check_words,
    decided_words,
    made_by,
    own_rows,
    unstated_sentence,
)
from medmm.presentation.evidence_words import evidence_lines
from medmm.presentation.slice_picture import marked_slices, slice_picture

INDENT = 6


def draft_page(file: CaseFile, console: Console) -> None:
    """Print the draft of a case, or that it has none."""
    study = file.case.study
    console.print(Panel(Text(banner(file), style="bold"), border_style="yellow"))
    when = study.image_time.moment.isoformat() if study.image_time else "unknown"
    what = f"case {file.case.id}   {study.modality.value} {study.body_part}   acquired {when}"
    console.print(Text(plain(what)))
    if file.draft is not None:
        for line in image_lines(file.draft.draft.images_read, file.draft.draft.images_unread):
            console.print(Text(plain(line), style="dim"))
    if not file.blind and (note := packaged_note(study)):
        console.print(_hanging(Text("i", style="cyan"), Text(plain(note), style="cyan")))
    matters, recorded = sorted_notices(file.draft.draft.warnings if file.draft else study.warnings)
    for warning in matters:
        console.print(
            _hanging(Text("!", style="yellow"), Text(plain(warning.text), style="yellow"))
        )
    if file.draft is None:
        console.print("Nothing else is shown." if file.blind else "No draft yet.")
        return
    _print_marked(file, console)
    for section in Section:
        statements = [s for s in file.draft.statements if s.section is section]
        own = [(number, text, mark) for of, number, text, mark in own_rows(file) if of is section]
        if statements or own:
            console.print(Rule(section.value.upper(), align="left"))
        for statement in statements:
            console.print(decided_panel(file, statement))
        for number, text, mark in own:
            console.print(own_panel(file, number, text, mark))
        if section is Section.FINDINGS:
            print_also_suspected(file, console)
    _print_unstated(file.draft, console)
    _print_measured(file.draft, console)
    _print_limits(file.draft, console)
    for warning in recorded:
        console.print(
            _hanging(
                Text("·", style="dim"),
                Text(plain(f"{FOR_THE_RECORD_TITLE}: {warning.text}"), style="dim"),
            )
        )


def own_panel(file: CaseFile, number: str, text: str, mark: str) -> RenderableType:
    """A reader's own words, how they are marked, and what the checks have against them."""
    urgent = Text("CRITICAL ", style="bold red") if file.critical(number) else Text()
    head = Text(f"{plain(number):>{INDENT - 2}} ", style="cyan")
    lines: list[RenderableType] = [_hanging(head, urgent + Text(plain(text), style="bold"))]
    lines.append(_indented(Text(f"→ {plain(mark)}", style="cyan")))
    return Group(*lines, *_marks(file, number))


def decided_panel(file: CaseFile, statement: Statement) -> RenderableType:
    """One statement with evidence, checks, what was decided on it, and what the checks have against a reader's words."""
    critical, draft = (
        file.critical(statement.id),
        needed(file.draft, "the draft of a case", case=file.case.id),
    )
    panel = statement_panel(draft, statement, decided_words(file, statement), critical=critical)
    return Group(panel, *_marks(file, statement.id))


def _marks(file: CaseFile, statement_id: str) -> list[RenderableType]:
    return [_indented(Text(plain(mark_words(v)), style="yellow")) for v in file.marks(statement_id)]


def statement_panel(
    draft: CheckedDraft, statement: Statement, decided: str = "", *, critical: bool | None = None
) -> RenderableType:
    """One statement with its evidence, its checks, and what was decided on it; `critical` as it stands after that."""
    mark = Text(f"{plain(statement.id):>{INDENT - 2}} ", style="cyan")
    told = statement.critical if critical is None else critical
    urgent = Text("CRITICAL ", style="bold red") if told else Text()
    lines: list[RenderableType] = [
        _hanging(mark, urgent + Text(plain(statement.text), style="bold"))
    ]
    lines += [_indented(Text(plain(line), style="dim")) for line in evidence_lines(statement)]
    lines.append(_indented(_checks(draft, statement)))
    if decided:
        lines.append(_indented(Text(f"→ {plain(decided)}", style="cyan")))
    return Group(*lines)


def print_also_suspected(file: CaseFile, console: Console) -> None:
    """What is suspected and not stated, why, and as it would be stated."""
    if not file.also_suspected and not file.unstated:
        return
    console.print(Rule(Standing.NOT_STATED.value.upper(), align="left"))
    console.print(_indented(Text(ALSO_NOTE, style="dim")))
    for also in file.also_suspected:
        console.print(decided_panel(file, also.statement))
        if file.decision_on(also.statement) is None:
            console.print(_indented(Text(plain(f"not stated: {also.why}"), style="cyan")))
    for one in file.unstated:
        console.print(_indented(Text(plain(unstated_words(one)))))


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, INDENT), expand=False)


def _hanging(mark: Text, text: Text) -> RenderableType:
    """A mark in the margin and a text beside it whose further lines stay beside it."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(mark, text)
    return grid


def _checks(draft: CheckedDraft, statement: Statement) -> Text:
    """The checks that apply, each in the colour of its outcome."""
    colour = {Outcome.PASSED: "green", Outcome.FAILED: "bold red"}
    told = (v for v in draft.verdicts_on(statement.id) if v.outcome in colour)
    return Text("  ").join(Text(plain(check_words(v)), style=colour[v.outcome]) for v in told)


def _print_marked(file: CaseFile, console: Console) -> None:
    """The slices that statements are marked on, where the terminal has colours; else in words alone."""
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
        console.print(
            _hanging(Text("▣", style="cyan"), Text(plain(marked.caption(marked.index_z) + letters)))
        )


def _print_unstated(draft: CheckedDraft, console: Console) -> None:
    """What a language model proposed in other words than the draft has, and why: for who asks, not to be decided on."""
    lines = [words for record in draft.draft.sentences if (words := unstated_sentence(record))]
    if lines:
        console.print(Rule("PROPOSED, NOT STATED", align="left", style="dim"))
    for line in lines:
        console.print(_hanging(Text("  ·", style="dim"), Text(plain(line), style="dim")))


def _print_measured(draft: CheckedDraft, console: Console) -> None:
    rows = measurement_rows(draft.statements)
    if not any(isinstance(e, ExtentEvidence) for s in draft.statements for e in s.evidence):
        return
    console.print(Rule("MEASURED", align="left"))
    table = new_table("no.", "quantity", "side", "value", "95 % interval")
    for row in rows:
        add_row(table, row.statement, row.name, row.side, row.value, row.interval)
    console.print(table)


def _print_limits(draft: CheckedDraft, console: Console) -> None:
    console.print(Rule("NOT EVALUATED", align="left"))
    for item in draft.draft.limits:
        console.print(_hanging(Text("  -"), Text(plain(item))))
    console.print(Rule())
    console.print(Text(plain(made_by(draft)), style="dim"))
    console.print(Text(LEGEND, style="dim"))
