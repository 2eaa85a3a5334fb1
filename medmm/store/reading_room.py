"""What a reading room asks of the worklist: who, how many, which came, which is next.

All of one answer is read in one transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from medmm.audit import log
from medmm.domain.report import CaseState, CaseSummary
from medmm.domain.worklist import CaseFilter, Page, Worklist, WorklistCount, WorklistRow
from medmm.store import last_words, leases, reads, search, worklist

LINES, WORDS = worklist.LINES, last_words.WORDS
COUNTED = {  # columns that cases are counted by; of few values each
    "state": LINES.c.state,
    "priority": LINES.c.priority,
    "modality": LINES.c.modality,
    "critical": LINES.c.critical,
}
UNTOUCHED = (CaseState.OPENED.value, CaseState.DRAFTED.value)  # nobody has decided on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What cases are asked for.

    Attributes:
        at: the time now, by which claims count.
        search: words of a search; "" asks for nothing.
        secret: the key of this installation that numbers are digested with.
    """

    wanted: CaseFilter
    at: datetime
    secret: bytes
    search: str = ""

    def also(self) -> tuple[sa.ColumnElement[bool], ...]:
        """Make the condition of the search, if there is one."""
        return (search.found(self.secret, self.search),) if self.search.strip() else ()

    def conditions(self) -> tuple[sa.ColumnElement[bool], ...]:
        """Make every condition, on the columns of `worklist.listed`."""
        return (*worklist.conditions(self.wanted, by_turn=False), *self.also())


def page(
    connection: sa.Connection, asked: Asked, part: Page, *, named: bool, counted: bool = True
) -> Worklist:
    """Read a page with who its cases are.

    Args:
        named: whether identities are read; else rows name nobody.
        counted: whether cases are counted by kind too, which takes longer than the page itself.

    Raises: as `worklist.page`, `search.found` and `reads.identities`.
    """
    found = worklist.page(connection, asked.wanted, part, asked.at, asked.also())
    counts = tuple(_counts(connection, asked)) if counted else ()
    of_states = sum(one.cases for one in counts if one.of == "state")
    return Worklist(
        rows=tuple(_named(connection, asked.secret, found) if named else map(_nameless, found)),
        total=of_states if counted else _total(connection, asked),
        counts=counts,
        entry=connection.scalar(sa.select(sa.func.max(log.entries.c.seq))) or 0,
    )


def _nameless(case: CaseSummary) -> WorklistRow:
    return WorklistRow(case=case)


def _named(
    connection: sa.Connection, secret: bytes, found: tuple[CaseSummary, ...]
) -> Iterator[WorklistRow]:
    """Read who all cases of a page are in one go."""
    keys, uids = ({getattr(one, name) for one in found} for name in ("patient_key", "study_uid"))
    patients = reads.identities(connection, secret, sorted(keys))
    orders = reads.orders(connection, secret, sorted(uids))
    for one in found:
        order = orders.get(one.study_uid)
        yield WorklistRow(
            case=one,
            patient=patients.get(one.patient_key),
            accession=order.accession if order else None,
        )


def _total(connection: sa.Connection, asked: Asked) -> int:
    query = sa.select(sa.func.count()).select_from(worklist.listed(asked.at))
    return connection.scalar(query.where(*asked.conditions())) or 0


def _counts(connection: sa.Connection, asked: Asked) -> Iterator[WorklistCount]:
    columns = tuple(COUNTED.values())
    query = sa.select(*columns, sa.func.count()).select_from(worklist.listed(asked.at))
    rows = connection.execute(query.where(*asked.conditions()).group_by(*columns)).all()
    for place, name in enumerate(COUNTED):
        cases: Counter[str] = Counter()
        for row in rows:
            cases[_word(row[place])] += row[-1]
        for value, number in sorted(cases.items()):
            yield WorklistCount(of=name, value=value, cases=number)


def _word(value: str | bool | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else ("no", "yes")[value]


def arrived(connection: sa.Connection, asked: Asked, entry: int) -> int:
    """Count the cases that were opened, drafted or made more urgent after an entry of the log.

    A case that somebody has decided on or signed is not new. By the number of the entry none is
    missed, whatever clocks say.
    """
    later = sa.select(WORDS.c.owner).where(
        WORDS.c.kind == last_words.WORKLIST, WORDS.c.entry > entry
    )
    query = sa.select(sa.func.count()).select_from(worklist.listed(asked.at))
    new = (LINES.c.state.in_(UNTOUCHED), LINES.c.case_id.in_(later))
    return connection.scalar(query.where(*asked.conditions(), *new)) or 0


def following(
    connection: sa.Connection, asked: Asked, part: Page, reader: str
) -> CaseSummary | None:
    """Find the next case for a reader in the order of work, from the top after the last one.

    It waits for a person, and nobody else holds it.

    Args:
        part: the order, and the case after which to look; that one is not given again.
    """
    holder = leases.LEASES.c.holder
    free = (sa.or_(holder.is_(None), holder == reader), LINES.c.waiting_since.is_not(None))
    case_id, _ = part.begins_after
    places = (part.after, None) if part.after is not None else (None,)
    for after in places:
        one = Page(limit=1, after=after, order=part.order)
        also = (*asked.also(), *free, LINES.c.case_id != case_id)
        found = worklist.page(connection, asked.wanted, one, asked.at, also)
        if found:
            return found[0]
    return None
