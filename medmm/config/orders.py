"""How orders come in as HL7 v2 messages: where `medmm orders` listens, and to whom."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from medmm.config.listening import MB, TlsEntry


class OrderCallerEntry(BaseModel):
    """Who may send: an address, under one name alone if `application` or `facility` states it.

    Attributes:
        application, facility: MSH-3 and MSH-4 (the namespace) of its messages.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str
    application: str | None = Field(default=None, min_length=1)
    facility: str | None = Field(default=None, min_length=1)

    @field_validator("host")
    @classmethod
    def _an_address(cls, host: str) -> str:
        return str(ip_address(host))


class OrdersEntry(BaseModel):
    """Where `medmm orders` listens (MLLP), and to whom.

    Attributes:
        character_set: of messages that state none in MSH-18 (HL7 table 0211).
        connections: how many at a time; further ones are closed.
        message_bytes: of one message; a longer one ends its connection.
        idle_seconds: a connection on which no message begins for so long is closed.
        message_seconds: for a message from its first byte to its last.
        free_bytes: so much stays free on the disk; below it no message is taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    bind: str = "127.0.0.1"
    port: int = Field(default=2575, ge=0, le=65535)
    callers: tuple[OrderCallerEntry, ...] = ()
    character_set: Literal["ASCII", "8859/1", "8859/15", "UNICODE UTF-8"] = "ASCII"
    connections: PositiveInt = Field(default=16, le=200)
    message_bytes: PositiveInt = Field(default=MB, le=64 * MB)
    idle_seconds: float = Field(default=3600, gt=0, le=604_800)
    message_seconds: float = Field(default=30, gt=0, le=3600)
    free_bytes: int = Field(default=256 * MB, ge=0)
    tls: TlsEntry | None = None

    @field_validator("bind")
    @classmethod
    def _an_address(cls, bind: str) -> str:
        return str(ip_address(bind))
