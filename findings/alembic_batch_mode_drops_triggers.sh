#!/usr/bin/env bash
# alembic 1.20.1, SQLAlchemy 2.1.9, SQLite: a batch migration that changes a column of a log table
# takes the triggers with it that keep the log append-only.
#
# Expected: batch mode moves what belongs to the table (indexes, constraints), so the triggers too; or
#   adding a column and changing one behave alike.
# Seen: add_column leaves the trigger, because SQLite can do that in place. alter_column makes a new
#   table, copies the rows and drops the old one, and SQLite drops a table's triggers with it. The
#   migration succeeds without a word, and an UPDATE that was refused before goes through.
# What helps: make the triggers anew in the same migration, and check at each start that they are there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet alembic==1.20.1 SQLAlchemy==2.1.9
"$folder/venv/bin/python" - <<'PYTHON'
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

def triggers(connection):
    query = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    return connection.scalars(query).all()

def refused(connection):
    try:
        connection.execute(sa.text("UPDATE entry SET body = 'other'"))
    except sa.exc.IntegrityError:
        return True
    return False

with sa.create_engine("sqlite://").begin() as connection:
    connection.execute(sa.text("CREATE TABLE entry (id INTEGER PRIMARY KEY, body TEXT NOT NULL)"))
    connection.execute(sa.text(
        "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry "
        "BEGIN SELECT raise(ABORT, 'append only'); END"
    ))
    connection.execute(sa.text("INSERT INTO entry VALUES (1, 'first')"))
    migration = Operations(MigrationContext.configure(connection))
    assert refused(connection)
    with migration.batch_alter_table("entry") as batch:
        batch.add_column(sa.Column("note", sa.Text))
    print("after add_column  :", triggers(connection), "refused" if refused(connection) else "changed")
    assert triggers(connection) == ["entry_no_update"]
    with migration.batch_alter_table("entry") as batch:
        batch.alter_column("body", nullable=True)
    found = triggers(connection)
    print("after alter_column:", found, "refused" if refused(connection) else "changed")
    assert found == []
    assert connection.scalar(sa.text("SELECT body FROM entry")) == "other"
print("as described")
PYTHON
