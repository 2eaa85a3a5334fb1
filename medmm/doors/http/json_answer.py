"""JSON as it is answered: written once, kept by no cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse


class JsonAnswer(JSONResponse):
    """An answer that is about patients, which no cache on the way keeps."""

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        kept = {"cache-control": "no-store", **(headers or {})}
        super().__init__(content, status_code, headers=kept, media_type=media_type)
