"""Drafting: a case and its reading become a draft of statements that each carry their evidence."""

from __future__ import annotations

from medmm.drafting.rule_writer import RuleWriter
from medmm.drafting.writer import Writer

__all__ = ["RuleWriter", "Writer"]
