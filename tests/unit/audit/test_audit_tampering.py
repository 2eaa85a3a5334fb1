"""A thousand random tamperings of the log, by careless and by careful hands: all found, their place named.

A careful hand recomputes every hash, the frontier and the numbering, and puts the triggers back. It lacks the key.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from medmm.audit import log
from medmm.audit.head import HeadSigner, TreeHead
from medmm.audit.proof import Frontier, leaf_hash
from medmm.audit.verify import verify
from medmm.domain.audit_event import AuditEvent, AuditVerification
from medmm.store import Store
from medmm.store.dialects import SQLite
from tests.databases import only_sqlite

pytestmark = only_sqlite

DATABASE = SQLite(Path("no-such-folder"))  # what it knows of its triggers needs no file
TRIGGERS = [made for table in log.APPEND_ONLY for made in DATABASE.append_only(*table)]

SIZE, YESTERDAY = 60, 40
BATCHES, PER_BATCH = 10, 100


class CachingSigner(HeadSigner):
    """Checks each signature once: a thousand logs share nearly all of theirs."""

    def __init__(self, seed: bytes) -> None:
        super().__init__(seed)
        self.holds = cache(super().holds)  # type: ignore[method-assign]


class Kept(NamedTuple):
    today: bytes
    yesterday: bytes
    lines: tuple[str, ...]
    signer: CachingSigner


def event(number: int) -> AuditEvent:
    return AuditEvent(
        at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        verb=("admit", "draft", "sign")[number % 3],
        outcome="done",
        actor="reader-1",
        role="attending",
        subject=f"case-{number % 7}",
        details={"request": f"{number:016x}"},
    )


def image(file: Path) -> bytes:
    """The database with its write-ahead log, as one string of bytes."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        content = copy.serialize()
        return (
            content[:18] + b"\x01\x01" + content[20:]
        )  # not in WAL mode, which a database in memory can't have


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("audit") / "data"
    with Store.open(folder) as store:
        for number in range(SIZE):
            with store.step() as work:
                work.record(event(number))
            if number + 1 == YESTERDAY:
                yesterday = image(store.data_dir / "medmm.sqlite")
        lines = tuple(store.heads.path.read_text().splitlines())
        return Kept(
            image(store.data_dir / "medmm.sqlite"),
            yesterday,
            lines,
            CachingSigner(store.secret("audit")),
        )


def checked(
    database: sqlite3.Connection, lines: list[str], signer: HeadSigner
) -> AuditVerification:
    engine = sa.create_engine("sqlite://", creator=lambda: database, poolclass=sa.pool.StaticPool)
    with engine.connect() as connection:
        return verify(connection, lines, signer, DATABASE)


def opened(content: bytes) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.deserialize(content)
    return database


# ---- what a hand can do to the database: returns the places of which one must be named ----


def rows_of(database: sqlite3.Connection) -> list[bytes]:
    return [row[0] for row in database.execute("SELECT entry FROM audit_entry ORDER BY seq")]


def rewrite(database: sqlite3.Connection, rows: list[bytes], dice: random.Random) -> None:
    """Write all entries anew with hashes that fit; what becomes of the heads is up to the dice."""
    tree, forger = Frontier(), HeadSigner(bytes(32))
    heads = dice.choice(("kept", "forged"))
    database.execute("DELETE FROM audit_entry")
    for seq, entry in enumerate(rows, 1):
        tree.append(leaf_hash(entry))
        subject = (log.event_of(entry)).subject
        database.execute(
            "INSERT INTO audit_entry VALUES (?, ?, ?, ?)", (seq, subject, entry, leaf_hash(entry))
        )
        if heads == "forged":
            head = forger.sign(seq, tree.root())
            database.execute(
                "REPLACE INTO audit_head VALUES (?, ?, ?)", (seq, head.root, head.signature)
            )
    database.execute(
        "UPDATE audit_frontier SET size = ?, peaks = ?", (tree.size, b"".join(tree.peaks))
    )


def flip(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1 :]


def byte_of_an_entry(database: sqlite3.Connection, dice: random.Random) -> str:
    seq = dice.randint(1, SIZE)
    column = dice.choice(("entry", "leaf", "subject"))
    query = f"SELECT CAST({column} AS BLOB) FROM audit_entry WHERE seq = ?"
    (content,) = database.execute(query, (seq,)).fetchone()
    database.execute(
        f"UPDATE audit_entry SET {column} = ? WHERE seq = ?", (flip(content, dice), seq)
    )
    return f"entry {seq}"


def entry_reworded(database: sqlite3.Connection, dice: random.Random) -> str:
    rows, at = rows_of(database), dice.randrange(SIZE)
    rows[at] = rows[at].replace(b"reader-1", b"reader-2")
    rewrite(database, rows, dice)
    return f"entry {at + 1}"


def row_removed(database: sqlite3.Connection, dice: random.Random) -> str:
    rows, at = rows_of(database), dice.randrange(SIZE - 1)
    if dice.random() < 0.5:
        database.execute("DELETE FROM audit_entry WHERE seq = ?", (at + 1,))
    else:
        rewrite(database, rows[:at] + rows[at + 1 :], dice)
    return f"entry {at + 1}"


def rows_swapped(database: sqlite3.Connection, dice: random.Random) -> str:
    rows, (one, other) = rows_of(database), sorted(dice.sample(range(SIZE), 2))
    rows[one], rows[other] = rows[other], rows[one]
    rewrite(database, rows, dice)
    return f"entry {one + 1}"


def row_inserted(database: sqlite3.Connection, dice: random.Random) -> str:
    rows, at = rows_of(database), dice.randrange(SIZE)
    rows.insert(at, log.entry_bytes(event(1000 + at)))
    rewrite(database, rows, dice)
    return f"entry {at + 1}"


def tail_cut(database: sqlite3.Connection, dice: random.Random) -> str:
    left = dice.randrange(SIZE)
    rows = rows_of(database)[:left]
    rewrite(database, rows, dice)
    if dice.random() < 0.7:
        database.execute("DELETE FROM audit_head WHERE size > ?", (left,))
        database.execute("UPDATE audit_frontier SET covered = ?", (left,))
    return f"entry {left + 1}"


def head_in_the_database(database: sqlite3.Connection, dice: random.Random) -> str:
    size, column = dice.randint(1, SIZE), dice.choice(("root", "signature"))
    if dice.random() < 0.3:
        database.execute("DELETE FROM audit_head WHERE size = ?", (size,))
    else:
        (text,) = database.execute(
            f"SELECT {column} FROM audit_head WHERE size = ?", (size,)
        ).fetchone()
        changed = flip(text.encode(), dice)
        database.execute(f"UPDATE audit_head SET {column} = ? WHERE size = ?", (changed, size))
    return f"head of size {size}"


def frontier_altered(database: sqlite3.Connection, dice: random.Random) -> str:
    (peaks,) = database.execute("SELECT peaks FROM audit_frontier").fetchone()
    database.execute("UPDATE audit_frontier SET peaks = ?", (flip(peaks, dice),))
    return f"entry {SIZE}"


IN_THE_DATABASE: tuple[Callable[[sqlite3.Connection, random.Random], str], ...] = (
    byte_of_an_entry,
    entry_reworded,
    row_removed,
    rows_swapped,
    row_inserted,
    tail_cut,
    head_in_the_database,
    frontier_altered,
)


# ---- what a hand can do to the heads file ----


def line_changed(lines: list[str], dice: random.Random) -> str:
    at = dice.randrange(SIZE)
    lines[at] = flip(lines[at].encode(), dice).decode("utf-8", errors="replace")
    return f"heads file, line {at + 1}"


def line_removed(lines: list[str], dice: random.Random) -> str:
    at = dice.randrange(SIZE - 1)
    del lines[at]
    return f"head of size {at + 1}"


def lines_swapped(lines: list[str], dice: random.Random) -> str:
    one, other = sorted(dice.sample(range(SIZE), 2))
    lines[one], lines[other] = lines[other], lines[one]
    return f"heads file, line {one + 2}"  # the first that is smaller than its predecessor


def line_forged(lines: list[str], dice: random.Random) -> str:
    at = dice.randrange(SIZE)
    lines[at] = HeadSigner(bytes(32)).sign(at + 1, leaf_hash(b"forged")).line().strip()
    return f"heads file, line {at + 1}"


def heads_cut(lines: list[str], dice: random.Random) -> str:
    left = dice.randrange(
        SIZE - 1
    )  # the very last line alone may be missing: a crash looks like that
    del lines[left:]
    return f"head of size {left + 1}"


IN_THE_HEADS: tuple[Callable[[list[str], random.Random], str], ...] = (
    line_changed,
    line_removed,
    lines_swapped,
    line_forged,
    heads_cut,
)


def tampered(kept: Kept, dice: random.Random) -> tuple[str, str, AuditVerification]:
    """One random tampering: what was done, where, and what the check says."""
    kind = dice.randrange(len(IN_THE_DATABASE) + len(IN_THE_HEADS) + 1)
    lines = list(kept.lines)
    if kind == 0:
        with closing(opened(kept.yesterday)) as database:
            return (
                "yesterday's copy",
                f"entry {YESTERDAY + 1}",
                checked(database, lines, kept.signer),
            )
    with closing(opened(kept.today)) as database:
        if kind <= len(IN_THE_HEADS):
            act = IN_THE_HEADS[kind - 1]
            return act.__name__, act(lines, dice), checked(database, lines, kept.signer)
        triggers = [
            row[0]
            for row in database.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        ]
        for sql in triggers:
            database.execute(f"DROP TRIGGER {sql.split()[2]}")
        work = IN_THE_DATABASE[kind - 1 - len(IN_THE_HEADS)]
        place = work(database, dice)
        for sql in triggers:
            database.execute(sql)
        database.commit()
        return work.__name__, place, checked(database, lines, kept.signer)


def test_an_untouched_log_is_sound(kept: Kept) -> None:
    with closing(opened(kept.today)) as database:
        assert checked(database, list(kept.lines), kept.signer) == AuditVerification(
            size=SIZE, problems=(), uncovered=0
        )


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_tamperings_are_found_and_their_place_is_named(batch: int, kept: Kept) -> None:
    for number in range(PER_BATCH):
        dice = random.Random(f"{batch}/{number}")
        act, place, found = tampered(kept, dice)
        assert place in {problem.place for problem in found.problems}, (
            batch,
            number,
            act,
            place,
            found.problems,
        )


def test_a_byte_of_the_file_is_found_or_changed_nothing(kept: Kept) -> None:
    """Any byte of the database file, pages and indexes too: the check never falls over, and never misses a change."""
    missed = 0
    for number in range(150):
        dice = random.Random(number)
        at = dice.randrange(100, len(kept.today))
        content = (
            kept.today[:at] + bytes([kept.today[at] ^ dice.randint(1, 255)]) + kept.today[at + 1 :]
        )
        with closing(opened(content)) as database, closing(opened(kept.today)) as sound:
            if checked(database, list(kept.lines), kept.signer).ok:
                for table in ("audit_entry", "audit_head", "audit_frontier"):
                    query = f"SELECT * FROM {table} ORDER BY 1"
                    assert database.execute(query).fetchall() == sound.execute(query).fetchall(), at
                missed += 1
    assert missed < 150


def test_dropped_triggers_are_found(kept: Kept) -> None:
    with closing(opened(kept.today)) as database:
        database.execute("DROP TRIGGER audit_entry_no_update")
        found = checked(database, list(kept.lines), kept.signer)
        assert [problem.place for problem in found.problems] == ["audit_entry_no_update"]


def test_a_whole_history_under_another_key_is_found(kept: Kept) -> None:
    """Database, heads in it and heads file all made anew, sound in themselves, signed by somebody else."""
    forger, tree, lines = HeadSigner(bytes(32)), Frontier(), []
    with closing(opened(kept.today)) as database:
        for sql in ("audit_entry_no_delete", "audit_head_no_delete"):
            database.execute(f"DROP TRIGGER {sql}")
        rows = [row.replace(b"reader-1", b"reader-2") for row in rows_of(database)]
        rewrite(database, rows, random.Random(1))
        database.execute("DELETE FROM audit_head")
        for size, entry in enumerate(rows, 1):
            tree.append(leaf_hash(entry))
            head = forger.sign(size, tree.root())
            database.execute(
                "INSERT INTO audit_head VALUES (?, ?, ?)", (size, head.root, head.signature)
            )
            lines.append(head.line().strip())
        found = checked(database, lines, kept.signer)
    assert "heads file, line 1" in {problem.place for problem in found.problems}


def test_the_last_entry_is_uncovered_until_its_head_is_written(kept: Kept) -> None:
    with closing(opened(kept.today)) as database:
        found = checked(database, list(kept.lines[:-1]), kept.signer)
    assert (found.ok, found.size, found.uncovered) == (True, SIZE, 1)
    assert TreeHead.from_line(kept.lines[-1]) is not None


def test_many_of_one_kind_are_told_once(kept: Kept) -> None:
    with closing(opened(kept.today)) as database:
        for trigger in TRIGGERS:
            database.execute(f"DROP TRIGGER {trigger.split()[2]}")
        found = checked(database, [], kept.signer)
    assert [(p.kind, p.place) for p in found.problems] == [
        ("head removed", "head of size 1"),
        ("trigger removed or altered", ", ".join(trigger.split()[2] for trigger in TRIGGERS)),
    ]
    assert (
        found.problems[0].text.endswith(f"nor any up to size {SIZE - 1}")
        or str(SIZE) in found.problems[0].text
    )


def test_heads_that_are_missing_here_and_there_are_told_run_by_run(kept: Kept) -> None:
    lines = [line for at, line in enumerate(kept.lines, 1) if at not in (3, 10, 11, 12)]
    with closing(opened(kept.today)) as database:
        found = checked(database, lines, kept.signer)
    assert [p.place for p in found.problems] == ["head of size 3", "head of size 10"]
    assert "up to size 12" in found.problems[1].text
