"""Places where a test lets the process die, to prove that a step is done wholly or not."""

from __future__ import annotations

import os

VARIABLE = "MEDMM_FAILPOINT"  # "verb:point"; no setting, so it is not read by medmm.config
POINTS = ("before commit", "after commit", "after heads")
EXIT_CODE = 70


def reach(verb: str, point: str) -> None:
    """Die here, as a killed process would, if the environment asks for this verb and point."""
    if os.environ.get(VARIABLE) == f"{verb}:{point}":
        os._exit(EXIT_CODE)
