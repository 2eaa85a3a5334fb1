"""A bounded cache of what was decoded last, and of neighbours decoded ahead.

The neighbours are those that a reader comes to next.

One cache serves the process: memory belongs to it, whoever reads.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from medmm.domain.errors import MedmmError

DEFAULT_BYTES = 2**28
AHEAD = 2  # slices that are decoded before they are asked for
LONGEST_STEP = 3  # slices from one to the next that still count as leafing through
MOST_VOLUMES = 64  # of which it is known where their reader is

T = TypeVar("T")


class FrameCache:
    """The values used last, by key, of at most `limit_bytes` together; thread-safe."""

    def __init__(self, limit_bytes: int = DEFAULT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.reset()

    def reset(self) -> None:
        """Begin anew, as in a child process.

        The thread that held the lock, or was making a value, does not exist there.
        """
        self._changed = threading.Condition()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: set[Hashable] = set()
        self._used_bytes = 0

    @property
    def used_bytes(self) -> int:
        """Bytes of the values that are kept."""
        return self._used_bytes

    def bound(self, limit_bytes: int) -> None:
        """Set the most bytes; what is beyond them goes, the least used first. 0 keeps nothing."""
        with self._changed:
            self.limit_bytes = limit_bytes
            self._shrink()

    def clear(self) -> None:
        """Let go of everything."""
        with self._changed:
            self._kept.clear()
            self._used_bytes = 0

    def put(self, key: Hashable, value: object, size_bytes: int) -> None:
        """Keep a value; one that is larger than the bound is not kept."""
        with self._changed:
            self._forget(key)
            if size_bytes <= self.limit_bytes:
                self._kept[key] = value, size_bytes
                self._used_bytes += size_bytes
                self._shrink()

    def get(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """Return the value of a key, made by one thread while others wait if it is not kept.

        Args:
            make: gives the value and its size in bytes.
        Raises: what `make` raises; then nothing is kept.
        """
        with self._changed:
            while key not in self._kept and key in self._making:
                self._changed.wait()
            if key in self._kept:
                self._kept.move_to_end(key)
                found: T = self._kept[key][0]
                return found
            self._making.add(key)
        try:
            value, size_bytes = make()
            self.put(key, value, size_bytes)
            return value
        finally:
            with self._changed:
                self._making.discard(key)
                self._changed.notify_all()

    def _forget(self, key: Hashable) -> None:
        _, size_bytes = self._kept.pop(key, (None, 0))
        self._used_bytes -= size_bytes

    def _shrink(self) -> None:
        while self._used_bytes > self.limit_bytes:
            self._forget(next(iter(self._kept)))


class Ahead:
    """Decodes the slices that a reader is about to ask for, in a thread of its own.

    The thread ends when there is nothing to do.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, as in a child process, in which no thread decodes."""
        self._lock = threading.Lock()
        self._last: OrderedDict[Hashable, int] = OrderedDict()
        self._waiting: list[Callable[[], object]] = []
        self._thread: threading.Thread | None = None

    def asked(
        self, volume: Hashable, index: int, slices: int, load: Callable[[int], object]
    ) -> None:
        """Note that a slice was asked for, and decode those that follow in that direction.

        That is done only if the slice asked for before was near.

        What was waiting to be decoded is dropped: the reader is elsewhere now. An error is left for
        who asks for that slice.
        """
        with self._lock:
            before = self._last.pop(volume, None)
            self._last[volume] = index
            while len(self._last) > MOST_VOLUMES:
                self._last.popitem(last=False)
            step = 0 if before is None else index - before
            if not 1 <= abs(step) <= LONGEST_STEP:
                return
            wanted = [index + step * n for n in range(1, AHEAD + 1)]
            self._waiting = [_loading(load, z) for z in wanted if 0 <= z < slices]
            if self._waiting and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._work, name="medmm-frames-ahead")
                try:
                    self._thread.start()
                except RuntimeError:  # no more threads here: nothing is decoded ahead
                    self._thread, self._waiting = None, []

    def finish(self) -> None:
        """Wait until nothing is being decoded ahead."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                load = self._waiting.pop(0)
            try:
                load()
            except (MedmmError, OSError, MemoryError):
                continue  # who asks for that slice is told


def _loading(load: Callable[[int], object], index: int) -> Callable[[], object]:
    return lambda: load(index)


CACHE = FrameCache()
AHEAD_OF_READERS = Ahead()
os.register_at_fork(after_in_child=CACHE.reset)
os.register_at_fork(after_in_child=AHEAD_OF_READERS.reset)
