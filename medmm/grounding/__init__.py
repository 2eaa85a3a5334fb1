"""Grounding: numbered checks that hold every statement of a draft against its evidence.

They ask the same of every writer.
"""

from __future__ import annotations

from medmm.grounding.checks import CHECKS, NumberedCheck, check, recheck

__all__ = ["CHECKS", "NumberedCheck", "check", "recheck"]
