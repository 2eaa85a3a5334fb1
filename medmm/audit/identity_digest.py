"""Keyed digests of what names a patient: entries compare with rows, and tell no name."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

# Keeps these apart from the pseudonyms that are made with the same key
DOMAIN = b"medmm identity v1\n"


def identity_hmac(secret: bytes, owner: str, body: Any) -> str:
    """Compute HMAC-SHA256 (RFC 2104) in hex over a row's owner and its JSON value.

    Args:
        owner: the patient key, or the study UID, under which the row is kept: a body moved to
            another row is found too.
    """
    text = json.dumps([owner, body], sort_keys=True)
    return hmac.new(secret, DOMAIN + text.encode(), hashlib.sha256).hexdigest()
