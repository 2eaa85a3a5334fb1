"""Every test of the store runs over SQLite and over PostgreSQL."""

from tests.databases import databases, engine, postgres

__all__ = ["databases", "engine", "postgres"]
