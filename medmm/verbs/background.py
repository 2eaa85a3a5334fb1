"""Threads of the process for what nobody waits for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

log = logging.getLogger(__name__)


class Background:
    """Does one thing after the other in a thread of its own, made when it is first needed.

    Args:
        threads: how many things may be done at a time.
        name: of the threads.
    """

    def __init__(self, threads: int = 1, name: str = "medmm-background") -> None:
        self._threads, self._name = threads, name
        self._lock, self._waiting = threading.Lock(), 0
        self._pool: ThreadPoolExecutor | None = None
        self.stopping = threading.Event()  # what is done now need not be kept

    @property
    def waiting(self) -> int:
        """How many are not done yet."""
        return self._waiting

    def hand(self, work: Callable[[], None]) -> None:
        """Have something done later; what fails in it is logged and disturbs nobody."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
            self._waiting += 1
            future = self._pool.submit(work)
        future.add_done_callback(self._done)

    def _done(self, future: Future[None]) -> None:
        with self._lock:
            self._waiting -= 1
        if not future.cancelled() and (error := future.exception()) is not None:
            log.error("what was done in the background failed", exc_info=error)

    def finish(self) -> None:
        """Wait until all is done; an interrupt of the wait leaves the rest undone."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            pool.shutdown(wait=True)
        except KeyboardInterrupt:
            self.stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def drop(self) -> None:
        """Leave undone what has not begun, and wait for what has."""
        self.stopping.set()
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
