"""The SQLite database: opened safely, brought to the newest release, its errors translated once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from medmm.audit.log import damaged
from medmm.domain.errors import ConfigError, InputError, IntegrityError, Unavailable
from medmm.store.files import exclusive

BUSY_TIMEOUT_S = 30
MIGRATIONS = Path(__file__).parent / "migrations"


def open_engine(file: Path) -> sa.Engine:
    """An engine on `file`: WAL, every commit flushed, foreign keys on, writers wait for each other."""
    os.close(
        os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    )  # SQLite gives its WAL the mode of the file
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(file)),
        connect_args={"timeout": BUSY_TIMEOUT_S},
        max_overflow=-1,
    )
    sa.event.listen(engine, "connect", _set_up)
    sa.event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def read_only_engine(file: Path) -> Iterator[sa.Engine]:
    """An engine on a database that nobody may write to, nor to its folder; closed at the end.

    SQLite can't recover a write-ahead log in such a folder (sqlite.org/wal.html, read-only databases): where one holds
    something, it is recovered in a private copy, which goes again.
    """
    wal = file.with_name(file.name + "-wal")
    with ExitStack() as stack:
        options = "mode=ro&immutable=1"
        if wal.is_file() and wal.stat().st_size:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="medmm-")))
            for part in (file, wal):
                shutil.copyfile(part, folder / part.name)
            file, options = folder / file.name, "mode=rw"
        engine = sa.create_engine(
            f"sqlite:///file:{quote(str(file))}?{options}&uri=true", max_overflow=-1
        )
        sa.event.listen(engine, "connect", _set_up_read_only)
        sa.event.listen(engine, "begin", _begin)
        stack.callback(engine.dispose)
        yield engine


def _set_up_read_only(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only=ON")


def _set_up(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's own BEGIN below, not sqlite3's late one
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("medmm_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def database_border(file: Path) -> Iterator[None]:
    """Translate the database's errors into ours, once."""
    try:
        yield
    except sa.exc.DatabaseError as error:
        if not damaged(error):
            raise Unavailable(
                f"the database can't be used now: {error.orig}",
                remedy="free space or wait for the other program, then try again; nothing was half-stored",
                file=str(file),
            ) from error
        raise IntegrityError(
            f"the database refused: {error.orig}",
            remedy="stop; restore the data folder from a copy; `medmm audit verify` then names what differs",
            file=str(file),
        ) from error
    except UnicodeEncodeError as error:
        raise InputError(
            "a key that is no Unicode text", remedy="use letters and digits"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(
            "a kept value is no JSON", remedy="restore the file from a copy", file=str(file)
        ) from error


def refuse_other_release(engine: sa.Engine, file: Path) -> bool:
    """Whether the database has this release's tables, rather than an earlier one's.

    Raises: ConfigError if it was written by a newer release.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    with database_border(file), engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {s.revision for s in scripts.walk_revisions()}:
        raise ConfigError(
            f"the database is of another release (revision {found})",
            remedy="open it with the medmm that wrote it, or a newer one",
            file=str(file),
        )
    return found == scripts.get_current_head()


def upgrade(
    engine: sa.Engine, file: Path, locks: Path, fill: Callable[[sa.Connection], None]
) -> None:
    """Bring the database to this release's tables; several processes may open at once.

    Args:
        fill: derives what new tables hold from what is kept, in the same transaction.

    Raises: ConfigError if it was written by a newer release.
    """
    with exclusive(locks, "migrate"), database_border(file):
        config, is_newest = Config(), refuse_other_release(engine, file)
        if is_newest:
            return
        config.set_main_option("script_location", str(MIGRATIONS))
        with engine.connect().execution_options(medmm_write=True) as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            fill(connection)
