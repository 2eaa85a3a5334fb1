"""Where studies are fetched from: folders, PACS and DICOMweb servers, each under a name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from medmm.config.listening import Title, TitleEntry
from medmm.config.receivers import ClientTlsEntry
from medmm.domain.model_server import fault_of_address, is_loopback
from medmm.domain.receivers import BearerToken, SignIn, UserPassword

SourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Timeout = Annotated[float, Field(gt=0, le=3600)]


class _Source(BaseModel):
    """What every source has.

    Attributes:
        action: what is done with a study: only `admit`, or also `draft`.
        site: whose cases they are, in place of the `site` of the settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    action: Literal["admit", "draft"] = "draft"
    site: str | None = Field(default=None, min_length=1, max_length=200)

    def rule(self) -> TitleEntry:
        """Say what is done with its studies, as for one AE title of a listener."""
        return TitleEntry(action=self.action, site=self.site)


class FolderSource(_Source):
    """A folder that `medmm watch` looks at.

    Attributes:
        settle_seconds: a file counts once its size and time have not changed for so long.
        poll_seconds: between two looks at the folder.
        afterwards: `leave` its files where they are, or `remove` those that were taken.
    """

    kind: Literal["folder"]
    path: Path
    settle_seconds: float = Field(default=10, gt=0, le=3600)
    poll_seconds: float = Field(default=5, gt=0, le=3600)
    afterwards: Literal["leave", "remove"] = "leave"

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()


class DicomSource(_Source):
    """A PACS that `medmm fetch` asks over DICOM associations.

    Attributes:
        title: its AE title.
        calling: the AE title of medmm there.
        retrieve: by C-GET, over the same association, or by C-MOVE to a listener.
        move_to: for C-MOVE: an AE title of `medmm listen`, which the PACS knows with its address.
        matches: the most that a search may find.
        connect_s, answer_s: seconds for a connection, and between two answers.
        plain: whether patients' data may come over the network without TLS.
    """

    kind: Literal["dicom"]
    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=104, ge=1, le=65535)
    title: Title
    calling: Title = "MEDMM"
    retrieve: Literal["get", "move"] = "get"
    move_to: Title | None = None
    matches: PositiveInt = Field(default=100, le=10_000)
    connect_s: Timeout = 10
    answer_s: Timeout = 60
    tls: ClientTlsEntry | None = None
    plain: bool = False

    @model_validator(mode="after")
    def _secret_beyond_this_machine(self) -> DicomSource:
        if self.tls is None and not self.plain and not is_loopback(self.host):
            raise ValueError("needs tls; or plain: true, where the network is trusted")
        return self

    @model_validator(mode="after")
    def _has_a_destination(self) -> DicomSource:
        if (self.retrieve == "move") != (self.move_to is not None):
            raise ValueError("`retrieve: move` and move_to go together")
        return self


class DicomwebSource(_Source):
    """A DICOMweb server (QIDO-RS, WADO-RS) that `medmm fetch` asks.

    Attributes:
        url: of the service, below which `studies` lies.
        hosts: the only hosts that it may stand on; none named: that of `url`.
        token_file: holds a bearer token.
        user, password_file: for HTTP Basic.
        matches: the most that a search may find.
        connect_s, answer_s: seconds for a connection, and between two parts of an answer.
        study_s: seconds for all of a study.
    """

    kind: Literal["dicomweb"]
    url: str
    hosts: tuple[str, ...] = ()
    token_file: Path | None = None
    user: str | None = Field(
        default=None, min_length=1, max_length=200, pattern=r"^[^:\x00-\x1f]+$"
    )
    password_file: Path | None = None
    ca_file: Path | None = None
    plain_http_on_loopback: bool = False
    matches: PositiveInt = Field(default=100, le=10_000)
    connect_s: Timeout = 10
    answer_s: Timeout = 60
    study_s: float = Field(default=3600, gt=0, le=86_400)

    @field_validator("token_file", "password_file", "ca_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @model_validator(mode="after")
    def _safe_address(self) -> DicomwebSource:
        hosts = self.hosts or {(urlsplit(self.url).hostname or "").lower()}
        if fault := fault_of_address(self.url, hosts, self.plain_http_on_loopback):
            raise ValueError(f"url: {fault}")
        return self

    @model_validator(mode="after")
    def _signs_in_by_one_way(self) -> DicomwebSource:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together")
        if self.token_file is not None and self.user is not None:
            raise ValueError("name one way to sign in")
        return self

    def sign_in(self) -> SignIn | None:
        """Make the noun of how medmm signs in there; None if it does not."""
        if self.token_file is not None:
            return BearerToken(file=self.token_file)
        if self.user is not None and self.password_file is not None:
            return UserPassword(user=self.user, password_file=self.password_file)
        return None


# By the name of its kind, each with one class
SOURCE_KINDS: dict[str, type[BaseModel]] = {
    "folder": FolderSource,
    "dicom": DicomSource,
    "dicomweb": DicomwebSource,
}
Source = Annotated[FolderSource | DicomSource | DicomwebSource, Field(discriminator="kind")]
