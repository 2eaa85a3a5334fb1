"""Versions of a draft: each goes by a digest of what it says and of the version before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from medmm.domain.codec import to_json
from medmm.domain.draft import Draft

UNNUMBERED = "draft-unnumbered"


def identified(draft: Draft) -> Draft:
    """Give a draft the id of its content.

    The same content in the same place among the versions gives the same id.
    """
    content = json.dumps(to_json(replace(draft, id=UNNUMBERED)), sort_keys=True, ensure_ascii=True)
    return replace(draft, id="draft-" + hashlib.sha256(content.encode()).hexdigest()[:32])


def following(draft: Draft, before: Draft | None) -> Draft:
    """Make a draft the version that follows another of its case.

    Without one it is the first as it stands.
    """
    if before is None:
        return draft
    return identified(replace(draft, version=before.version + 1, parent=before.id))
