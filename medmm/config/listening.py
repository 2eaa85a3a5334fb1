"""How studies come in over DICOM associations: where `medmm listen` listens, and to whom."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

MB, GB = 2**20, 2**30


def _title(value: str) -> str:
    """Check an AE title (PS3.5 6.2, AE: 1 to 16 characters, no backslash, no outer spaces)."""
    if not re.fullmatch(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?", value):
        raise ValueError(f"{value!r} is no AE title: 1 to 16 printable ASCII characters, no \\")
    return value


Title = Annotated[str, AfterValidator(_title)]


class TitleEntry(BaseModel):
    """What is done with studies that are sent to one AE title.

    Attributes:
        action: only `admit`, or also `draft`.
        site: whose cases they are, in place of the `site` of the settings.
        instances: a study is complete at so many, without waiting for quiet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    action: Literal["admit", "draft"] = "draft"
    site: str | None = Field(default=None, min_length=1, max_length=200)
    instances: PositiveInt | None = None


class CallerEntry(BaseModel):
    """Who may send: an AE title, at one address only if `host` names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: Title
    host: str | None = None

    @field_validator("host")
    @classmethod
    def _an_address(cls, host: str | None) -> str | None:
        return str(ip_address(host)) if host is not None else None


class TlsEntry(BaseModel):
    """The certificate of this end, and the authority of those of callers."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    certificate: Path
    key: Path
    callers_ca: Path | None = None

    @field_validator("certificate", "key", "callers_ca")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None


class ListenEntry(BaseModel):
    """Where `medmm listen` listens, to whom, and when a study counts as complete.

    Attributes:
        associations: how many at a time; further ones are rejected as the protocol has it.
        association_bytes: of data sets in one association, which is then aborted.
        object_bytes: of one object's data set.
        free_bytes: so much stays free on the disk; below it nothing is taken.
        quiet_seconds: without a further object of a study, it is complete.
        force_seconds: after the first object of a study, it is complete whatever still comes.
        keep_days: for how long put aside and refused objects stay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    bind: str = "127.0.0.1"
    port: int = Field(default=11112, ge=0, le=65535)
    titles: dict[Title, TitleEntry] = Field(default={"MEDMM": TitleEntry()}, min_length=1)
    callers: tuple[CallerEntry, ...] = ()
    any_caller: bool = False
    associations: PositiveInt = Field(default=16, le=200)
    association_bytes: PositiveInt = 64 * GB
    object_bytes: PositiveInt = Field(default=GB, le=4 * GB)
    free_bytes: NonNegativeInt = 2 * GB
    quiet_seconds: float = Field(default=60, gt=0, le=86_400)
    force_seconds: float = Field(default=900, gt=0, le=604_800)
    keep_days: float = Field(default=30, gt=0, le=3650)
    tls: TlsEntry | None = None

    @field_validator("bind")
    @classmethod
    def _an_address(cls, bind: str) -> str:
        return str(ip_address(bind))

    @model_validator(mode="after")
    def _in_order(self) -> ListenEntry:
        if self.force_seconds < self.quiet_seconds:
            raise ValueError("force_seconds is less than quiet_seconds")
        return self
