"""What the record does to a draft, as a page in the terminal: fact by fact, and the draft in three ways."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from medmm.domain.draft import Draft, Section
from medmm.domain.record_influence import Change, FactInfluence, Influence
from medmm.domain.report import CaseFile
from medmm.domain.vocabulary import finding_term
from medmm.doors.session import add_row, new_table, plain
from medmm.presentation.draft_words import banner

BY_RULES = (
    "Fixed rules wrote these drafts: they never let the record touch what is said of the image."
)
SAME = "With and without the record the same is said of the image."


def influence_page(found: Influence, file: CaseFile, console: Console) -> None:
    """Print what the record changes in a draft."""
    console.print(Panel(Text(plain(banner(file)), style="bold"), border_style="yellow"))
    console.print(Text(plain(f"case {found.case_id}   writer {found.both.writer}")))
    console.print(Rule("WHAT THE RECORD CHANGES", align="left"))
    for change in found.changes:
        console.print(
            Text(
                plain(f"  {change_words(change)}"), style="bold yellow" if change.claims else "bold"
            )
        )
    if not found.changes:
        console.print(Text(f"  {SAME}"))
    if (
        not any(s.generation for s in (*found.both.statements, *found.image_only.statements))
        and not found.facts
    ):
        console.print(Text(f"  {BY_RULES}", style="dim"))
    if found.facts:
        console.print(
            Rule("FACT BY FACT: THE DRAFT WITHOUT IT AGAINST THE DRAFT WITH IT", align="left")
        )
        console.print(_facts(found.facts))
    console.print(Rule("THE DRAFT IN THREE WAYS", align="left"))
    console.print(_drafts(found))


def change_words(change: Change) -> str:
    """What is said of a finding without the record, or the fact, and with it."""
    before, after = (one.value if one else "nothing said" for one in (change.before, change.after))
    claimed = ", claimed only with it" if change.claims else ""
    return f"{finding_term(change.finding).words}: {before} → {after}{claimed}"


def _facts(facts: Iterable[FactInfluence]) -> Table:
    table = new_table("fact", "strongest shift", "finding", "said otherwise")
    for fact in facts:
        shift = "not read" if fact.shift is None else f"{fact.shift:.3f}"
        finding = finding_term(fact.finding).words if fact.finding else ""
        add_row(table, fact.label, shift, finding, "; ".join(map(change_words, fact.changes)))
    return table


def _drafts(found: Influence) -> Table:
    """The three drafts side by side, section by section."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0))
    drafts = {
        "image alone": found.image_only,
        "record alone": found.record_only,
        "image and record": found.both,
    }
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
