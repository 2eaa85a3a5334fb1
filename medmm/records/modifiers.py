"""Elements that may turn the meaning of a resource round, at any depth.

Source: FHIR R4 section 2.5.1.3.2 (modifierExtension: what is not understood must not be processed)
and section 2.28.0.1 (implicitRules).
"""

from __future__ import annotations

from typing import Any

MODIFIERS = ("modifierExtension", "implicitRules")


def modifier_in(value: Any) -> str | None:
    """Return the first of these elements in a value, at any depth; None if there is none.

    Without recursion: a resource may be nested as deep as JSON may.
    """
    waiting: list[Any] = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            name = next((name for name in MODIFIERS if found.get(name)), None)
            if name is not None:
                return name
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
    return None
