"""Grounding: numbered checks that hold every statement of a draft against its evidence, whoever wrote it."""

from __future__ import annotations

from medmm.grounding.checks import CHECKS, Check, check, recheck

__all__ = ["CHECKS", "Check", "check", "recheck"]
