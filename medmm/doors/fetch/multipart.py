"""The parts of a multipart answer, one after the other while they come (RFC 2046 5.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from email.message import Message

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser

_END = None


class BrokenAnswerError(Exception):
    """An answer that is no multipart message, or ends before its end."""


def boundary_of(content_type: str) -> str:
    """Read the boundary of a multipart/related answer.

    Raises: BrokenAnswerError if it is none.
    """
    said = Message()
    said["content-type"] = content_type
    boundary = said.get_param("boundary")
    if said.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise BrokenAnswerError("it is no multipart/related message")
    return boundary


class Multipart:
    """Cuts a body into its parts; nothing is held but what came last.

    The parser is that of Starlette's forms; multipart/related has the same syntax.
    """

    def __init__(self, boundary: str, body: Iterator[bytes]) -> None:
        self._body = body
        self._waiting: deque[bytes | None] = deque()
        self._inside = self._whole = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": lambda: self._waiting.append(b""),
                    "on_part_data": lambda data, start, end: self._waiting.append(data[start:end]),
                    "on_part_end": lambda: self._waiting.append(_END),
                    "on_end": self._ended,
                },
            )
        except FormParserError as error:
            raise BrokenAnswerError("its boundary is too long") from error

    def _ended(self) -> None:
        self._whole = True

    def __iter__(self) -> Iterator[Iterator[bytes]]:
        """Give the content of each part; what is left of one is passed over.

        Raises: BrokenAnswerError.
        """
        while self._more():
            self._waiting.popleft()
            self._inside = True
            yield self._part()
            while self._inside:
                self._next()
        if not self._whole:
            raise BrokenAnswerError("it ends before its end")

    def _part(self) -> Iterator[bytes]:
        while self._inside:
            data = self._next()
            if data:
                yield data

    def _next(self) -> bytes:
        if not self._more():
            raise BrokenAnswerError("it ends in the middle of an object")
        data = self._waiting.popleft()
        if data is _END:
            self._inside = False
        return data or b""

    def _more(self) -> bool:
        """Read on until something waits. Returns: false at the end of the body."""
        while not self._waiting:
            data = next(self._body, None)
            if data is None:
                return False
            try:
                self._parser.write(data)
            except MultipartParseError as error:
                raise BrokenAnswerError("it is no multipart message") from error
        return True
