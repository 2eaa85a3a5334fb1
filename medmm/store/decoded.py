"""Nouns of kept bytes; those of the last cases are kept decoded.

A case is read again for every step of its reader.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from medmm.domain.codec import from_json

LAST = 64  # bodies: some 16 cases


@lru_cache(maxsize=LAST)
def noun(kind: Any, body: bytes) -> Any:
    """Decode the noun of these very bytes; other bytes give another one.

    It is frozen, so threads share it.

    Raises: InputError if they are none of `kind`; ValueError if they are no JSON.
    """
    return from_json(kind, json.loads(body))
