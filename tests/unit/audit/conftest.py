"""Every test of the log runs over SQLite and over PostgreSQL."""

from tests.databases import databases, engine, postgres

__all__ = ["databases", "engine", "postgres"]
