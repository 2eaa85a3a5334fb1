"""What the record does to a draft, as a page in the terminal: by fact, and in three ways."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from medmm.domain.draft import Draft, Section
from medmm.domain.record_influence import Influence
from medmm.domain.report import CaseFile
from medmm.doors.session import add_row, new_table, plain
from medmm.presentation.draft_words import banner
from medmm.presentation.influence_words import (
    BY_RULES,
    CHANGES_TITLE,
    DRAFTS_TITLE,
    FACTS_HEAD,
    FACTS_TITLE,
    SAME,
    by_rules,
    change_words,
    fact_cells,
    three_drafts,
)


def influence_page(found: Influence, file: CaseFile, console: Console) -> None:
    """Print what the record changes in a draft."""
    console.print(Panel(Text(plain(banner(file)), style="bold"), border_style="yellow"))
    console.print(Text(plain(f"case {found.case_id}   writer {found.both.writer}")))
    console.print(Rule(CHANGES_TITLE, align="left"))
    for change in found.changes:
        style = "bold yellow" if change.claims else "bold"
        console.print(Text(plain(f"  {change_words(change)}"), style=style))
    if not found.changes:
        console.print(Text(f"  {SAME}"))
    if by_rules(found):
        console.print(Text(f"  {BY_RULES}", style="dim"))
    if found.facts:
        console.print(Rule(FACTS_TITLE, align="left"))
        table = new_table(*FACTS_HEAD)
        for fact in found.facts:
            add_row(table, *fact_cells(fact))
        console.print(table)
    console.print(Rule(DRAFTS_TITLE, align="left"))
    console.print(_drafts(found))


def _drafts(found: Influence) -> Table:
    """Show the three drafts side by side, section by section."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0))
    drafts = three_drafts(found)
    for name in drafts:
        table.add_column(name, ratio=1, overflow="fold")
    for section in Section:
        cells = [_sentences(draft, section) for draft in drafts.values()]
        if any(cell.plain for cell in cells):
            table.add_row(*[Text(section.value.upper(), style="dim")] * len(cells))
            table.add_row(*cells, end_section=True)
    return table


def _sentences(draft: Draft, section: Section) -> Text:
    return Text("\n").join(
        Text(plain(f"{s.id} {s.text}"), style="bold" if s.critical else "")
        for s in draft.statements
        if s.section is section
    )
