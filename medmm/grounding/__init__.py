"""Grounding: numbered checks that hold every statement of a draft against its evidence, whoever wrote it."""

from __future__ import annotations

from medmm.grounding.checks import CHECKS, NumberedCheck, check, recheck

__all__ = ["CHECKS", "NumberedCheck", "check", "recheck"]
