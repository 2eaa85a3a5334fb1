"""What a reader had typed when their sign-in ended, until the same reader is back.

No verb runs for who is not signed in, so none can keep it in the store: it waits in memory, and
nobody but the reader of the same id gets it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

LIFETIME_S = 12 * 3600
MOST_READERS = 256
MOST_PAGES = 16  # of one reader
LONGEST, MOST_FIELDS = 200_000, 1000  # characters of a page's fields together, and how many


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftPage:
    """A page as its reader left it.

    Attributes:
        path, query: of the page's address.
        fields: text by the key of its field.
    """

    path: str
    query: Mapping[str, str]
    fields: Mapping[str, str]


class LeftWords:
    """Pages that wait for their readers; thread-safe."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._lock = now, threading.Lock()
        self._pages: OrderedDict[str, list[tuple[float, LeftPage]]] = OrderedDict()

    def keep(self, reader: str, page: LeftPage) -> bool:
        """Keep a page for a reader.

        Returns: whether all of it is kept; a page that is too large is not kept at all.
        """
        if len(page.fields) > MOST_FIELDS or sum(map(len, page.fields.values())) > LONGEST:
            return False
        with self._lock:
            pages = self._pages.setdefault(reader, [])
            pages.append((self._now() + LIFETIME_S, page))
            del pages[:-MOST_PAGES]
            self._pages.move_to_end(reader)
            while len(self._pages) > MOST_READERS:
                self._pages.popitem(last=False)
        return True

    def take(self, reader: str) -> LeftPage | None:
        """Give a reader the page that was left last, once; None if none waits."""
        with self._lock:
            pages = self._pages.get(reader, [])
            while pages:
                until, page = pages.pop()
                if self._now() < until:
                    return page
            self._pages.pop(reader, None)
        return None
