"""Nouns as people see them, the same in the terminal, on pages and in the dashboard."""
