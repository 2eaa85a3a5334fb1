"""First reads in words: beside draft and report, beside a second reader's, and counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from medmm.domain.double_reading import FirstReads
from medmm.domain.finding_said import FindingSaid
from medmm.domain.first_read import FirstRead
from medmm.domain.influence_of_draft import Difference, DraftSway, InfluenceOfDraft
from medmm.domain.plain_text import clean
from medmm.domain.report import Reader
from medmm.domain.vocabulary import finding_term

NOT_NAMED, NOT_SIGNED = "not named", "not signed yet"
AGREE, DIFFER = "agree", "differ"
BESIDE = " (not stated)"
LISTED = (
    "A worklist may have named what is suspected before this first read; it is not counted where "
    "drafts are judged by first reads."
)
ADDED, DROPPED, SIDE = (
    "added after the draft",
    "dropped after the draft",
    "side changed after the draft",
)
KEPT = "kept against the draft"
ADDED_ALONE, DROPPED_ALONE = "added, not drafted", "dropped, though drafted"
BEFORE_SIGNING = {
    Difference.DRAFT_ALONE: "drafted, not in the first read",
    Difference.BESIDE_ALONE: "also suspected, not in the first read",
    Difference.READER_ALONE: "in the first read, not drafted",
    Difference.OTHER_SIDE: "drafted on another side",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One finding: what a reader said first, what was drafted, what was signed, what changed."""

    finding: str
    first: str
    drafted: str
    final: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """One finding: what two readers said of it, and whether they agree."""

    finding: str
    one: str
    other: str
    standing: str


def said_words(said: FindingSaid | None) -> str:
    """Say what is said of a finding, with the patient's side."""
    if said is None:
        return NOT_NAMED
    side = f", {said.side.value}" if said.side is not None and said.claimed else ""
    return f"{said.assertion.value}{side}"


def change_rows(rows: Iterable[InfluenceOfDraft]) -> tuple[ChangeRow, ...]:
    """Put the comparison of a case into words, differences first."""
    ordered = sorted(rows, key=lambda row: (row.difference is None, row.finding))
    return tuple(
        ChangeRow(
            finding=finding_term(row.finding).words,
            first=said_words(row.first),
            drafted=f"{said_words(row.drafted)}{BESIDE if row.beside else ''}",
            final=said_words(row.final) if row.signed else NOT_SIGNED,
            change=change_words(row),
        )
        for row in ordered
    )


def change_words(row: InfluenceOfDraft) -> str:
    """Say what became of a first read of one finding."""
    if not row.signed:
        return AGREE if row.difference is None else BEFORE_SIGNING[row.difference]
    first, drafted, final = (
        said is not None and said.claimed for said in (row.first, row.drafted, row.final)
    )
    if first != final:
        if final:
            return ADDED if drafted else ADDED_ALONE
        return DROPPED_ALONE if drafted else DROPPED
    if first and _other_side(row.first, row.final):
        return SIDE
    return AGREE if row.difference is None else KEPT


def _other_side(one: FindingSaid | None, other: FindingSaid | None) -> bool:
    sides = {said.side for said in (one, other) if said is not None}
    return len(sides) == 2 and None not in sides


def agreement_rows(found: FirstReads) -> tuple[AgreementRow, ...]:
    """Put the agreement of two readers into words, where they differ first."""
    return tuple(
        AgreementRow(
            finding=finding_term(row.finding).words,
            one=said_words(row.one),
            other=said_words(row.other),
            standing=AGREE if row.agree else DIFFER,
        )
        for row in found.agreement
    )


def read_lines(read: FirstRead) -> tuple[str, ...]:
    """Write a first read, a line a part: who and when, what was said, and its limits."""
    when = read.at.isoformat(timespec="seconds")
    said = (
        clean(read.text, len(read.text)),
        *(clean(one.text) for one in read.findings),
        "Nothing is suspected." if read.nothing_suspected else "",
        LISTED if read.listed else "",
    )
    return (f"{clean(read.by.name)} ({read.by.id}), {when}", *filter(None, said))


def double_reading_words(found: FirstReads, reader: Reader, signed_by: Reader | None = None) -> str:
    """Say where a double reading stands, and what this reader may do; "" without one.

    Args:
        signed_by: who signed the case; None if it is not signed.
    """
    order = found.order
    if order is None:
        return ""
    if order.dropped_by is not None:
        return f"The order to read twice was dropped: {clean(order.reason)}"
    named = order.adjudicator
    third = "an attending who is none of the two" if named is None else clean(named.name)
    if found.complete:
        pair = " and ".join(clean(one.name) for one in found.pair)
        if signed_by is not None:
            return f"{pair} have read the case; {clean(signed_by.name)} decided and signed."
        return f"{pair} have read the case; {third} decides and signs."
    mine = reader.id in {one.id for one in found.pair}
    done = f"{len(found.pair)} of 2 readers have read the case"
    if mine:
        return f"{done}, you among them. It is decided once a second reader has."
    if named is not None and named.id == reader.id:
        return f"{done}. You decide and sign once both have."
    return f"{done}. Neither sees the other's read before; {third} decides and signs."


def sway_lines(sway: DraftSway) -> tuple[str, ...]:
    """Say how often reports took the draft's side, by how first read and draft differed."""
    if not sway.differed:
        return ("No finding yet on which a first read and a draft differed and a report decided.",)
    lines = [
        f"First read and draft differed on {_findings(sway.differed)}; the report took the "
        f"draft's side on {sway.took_draft} of them."
    ]
    lines += [
        f"{one.difference.value[0].upper()}{one.difference.value[1:]}: {one.draft} of "
        f"{one.differed} as drafted."
        for one in sway.counts
        if one.differed
    ]
    if sway.left_out:
        lines.append(f"{_findings(sway.left_out)} not counted: unsigned, or listed before.")
    return tuple(lines)


def _findings(number: int) -> str:
    return f"{number} finding{'' if number == 1 else 's'}"
