"""Work that blocks, off the event loop: a few at a time, and not too many waiting.

Pages, frames and the health check share one event loop; a picture that is decoded on it holds all
of them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.requests import Request

from medmm.domain.errors import Unavailable

T = TypeVar("T")
AT_ONCE = max(2, min(8, os.cpu_count() or 2))
MOST_WAITING = 128


class DecodingThreads:
    """A few threads that decode; who went away meanwhile is not served."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="medmm-web")
        self._most = at_once + most_waiting
        self._asked = 0

    async def done(self, request: Request, work: Callable[[], T]) -> T | None:
        """Do the work of a request in a thread.

        Returns: None if the browser closed the request before its turn came.
        Raises: Unavailable if too many wait already; what `work` raises.
        """
        if self._asked >= self._most:
            raise Unavailable("too many pictures are asked for", remedy="try again in a second")
        self._asked += 1
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, work)
            gone = asyncio.ensure_future(_closed(request))
            either: tuple[asyncio.Future[Any], ...] = (future, gone)
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not future.done() and future.cancel():
                return None
            gone.cancel()
            return await future
        finally:
            self._asked -= 1


async def _closed(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
