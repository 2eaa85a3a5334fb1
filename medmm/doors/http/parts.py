"""A body taken as it comes: on to disk by pieces, and cut into its parts.

Source: RFC 2046 5.1 (multipart), RFC 7578 (form-data).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from medmm.domain.errors import InputError

WRITTEN_BYTES = 1 << 20  # at a time
Header = tuple[bytes, dict[bytes, bytes]]  # a value, and what is said of it


class Sink(Protocol):
    """Takes a body."""

    def write(self, data: bytes) -> None:
        """Take what came."""
        ...

    def finish(self) -> None:
        """See that it is whole. Raises: InputError if it is not."""
        ...


async def written(request: Request, sink: Sink) -> None:
    """Write the body of a request as it comes, in a thread that may wait for the disk."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) >= WRITTEN_BYTES:
            await run_in_threadpool(sink.write, bytes(held))
            held = bytearray()
    if held:
        await run_in_threadpool(sink.write, bytes(held))
    await run_in_threadpool(sink.finish)


class Parts(ABC):
    """Cuts a body into its parts.

    Args:
        damaged: what is said of a body that is no such message, or does not end.

    Raises: `damaged` from each method.
    """

    def __init__(self, boundary: bytes, damaged: InputError) -> None:
        self._damaged = damaged
        self._name, self._value, self._ended = b"", b"", False
        self._headers: dict[bytes, Header] = {}
        calls: Any = {
            "on_part_begin": self._begun,
            "on_header_begin": self._header,
            "on_header_field": self._field,
            "on_header_value": self._valued,
            "on_header_end": self._header_ended,
            "on_headers_finished": lambda: self.opened(self._headers),
            "on_part_data": lambda data, start, end: self.came(data[start:end]),
            "on_part_end": self.closed,
            "on_end": self._whole,
        }
        try:
            self._parser = MultipartParser(boundary, calls)
        except FormParserError as error:
            raise damaged from error

    @abstractmethod
    def opened(self, headers: dict[bytes, Header]) -> None:
        """Begin a part; names of its headers are in lower case."""

    @abstractmethod
    def came(self, data: bytes) -> None:
        """Take a piece of the part."""

    @abstractmethod
    def closed(self) -> None:
        """End the part, which came whole."""

    def write(self, data: bytes) -> None:
        """Take what came."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise self._damaged from error

    def finish(self) -> None:
        """See that the body has ended."""
        if not self._ended:
            raise self._damaged

    def _begun(self) -> None:
        self._headers = {}

    def _header(self) -> None:
        self._name, self._value = b"", b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _valued(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ended(self) -> None:
        self._headers[self._name.lower()] = parse_options_header(self._value)

    def _whole(self) -> None:
        self._ended = True
