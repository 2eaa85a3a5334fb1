"""The entries of the settings that have fields of their own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)

from medmm.config.listening import ListenEntry
from medmm.config.serving import ServeEntry
from medmm.config.sign_in import SignInEntry
from medmm.domain.critical_result import Clock, CriticalRule
from medmm.domain.errors import ConfigError
from medmm.domain.imaging_order import IdentifierSystems
from medmm.domain.model_server import ModelServer, fault_of_address
from medmm.domain.report import Reader
from medmm.domain.roles import roles

DATABASE_URL = (  # user, password; host, port and database; options
    r"(?P<scheme>postgresql(\+psycopg)?)://((?P<user>[^:@/?\s]*)(:[^@/?\s]*)?@)?"
    r"(?P<place>[^@?\s]*/[^@/?\s]+)(\?\S*)?"
)


ReadingModeName = Literal["draft-first", "blind-first"]


class ReaderEntry(BaseModel):
    """A person who may act, with a role of the role table (docs/roles.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    name: str = Field(min_length=1)
    role: str
    reading_mode: ReadingModeName | None = None  # None: as the site

    @field_validator("role")
    @classmethod
    def _known_role(cls, role: str) -> str:
        if role not in roles():
            raise ValueError(f"unknown role; known roles: {', '.join(roles())}")
        return role

    def reader(self) -> Reader:
        """Make the noun of this entry."""
        return Reader(id=self.id, name=self.name, role=self.role)


class IdentifierEntry(BaseModel):
    """The identifier systems of the site, by which FHIR servers know its patients and orders."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mrn: str | None = None
    mrn_issuers: tuple[str, ...] = ()
    accession: str | None = None
    placer_order: str | None = None
    filler_order: str | None = None

    @field_validator("mrn", "accession", "placer_order", "filler_order")
    @classmethod
    def _absolute_uri(cls, system: str | None) -> str | None:
        if system is not None and re.fullmatch(r"\d+(\.\d+)+", system):
            raise ValueError(f"an OID is written as a URI: urn:oid:{system}")
        if system is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", system):
            raise ValueError(
                "no absolute URI, such as https://hospital.example/mrn or urn:oid:1.2.3"
            )
        return system

    def systems(self) -> IdentifierSystems:
        """Make the noun of this entry."""
        return IdentifierSystems(**self.model_dump())


class StoreEntry(BaseModel):
    """The database that keeps studies, cases and the audit log.

    It may hold a password: it is never shown whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    url: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not re.fullmatch(DATABASE_URL, url.get_secret_value()):
            raise ValueError(
                "no URL of a PostgreSQL database, such as "
                "postgresql+psycopg://medmm@db.example/medmm"
            )
        return url

    @field_serializer("url", when_used="json")
    def _without_password(self, url: SecretStr | None) -> str | None:
        return None if url is None else self.place()

    def place(self) -> str:
        """Show the database without password and options; "" if it is a file of data_dir."""
        found = re.fullmatch(DATABASE_URL, self.url.get_secret_value() if self.url else "")
        if found is None:
            return ""
        user = f"{found['user']}@" if found["user"] else ""
        return f"{found['scheme']}://{user}{found['place']}"


class CriticalEntry(BaseModel):
    """How soon critical results are told, and who is shown next if nobody was reached."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    clock: Clock = Clock.DETECTION
    minutes: tuple[PositiveInt, PositiveInt, PositiveInt] = (60, 360, 4320)
    contacts: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    next_after_minutes: PositiveInt = 15

    def rule(self) -> CriticalRule:
        """Give the rule as the noun that results are judged by."""
        return CriticalRule(
            clock=self.clock,
            minutes=self.minutes,
            contacts=self.contacts,
            next_after_minutes=self.next_after_minutes,
        )


class HostEntry(BaseModel):
    """A server of the site: where it stands, and its key.

    A key stands in the environment or in a file of its own, never in the settings file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    called: ClassVar[str]
    block: ClassVar[str]
    url: str | None = None
    model: str | None = Field(default=None, min_length=1, max_length=200)
    hosts: tuple[str, ...] = ()
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    ca_file: Path | None = None
    plain_http_on_loopback: bool = False

    @field_validator("api_key_file", "ca_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @model_validator(mode="after")
    def _safe_address(self) -> Self:
        if self.url is not None and (
            fault := fault_of_address(self.url, self.hosts, self.plain_http_on_loopback)
        ):
            raise ValueError(f"url: {fault}")
        return self

    def named(self) -> tuple[str, str]:
        """Give address and model.

        Raises: ConfigError if either is missing.
        """
        if self.url is None or self.model is None:
            raise ConfigError(
                f"no {self.called} is named",
                remedy=f"set url, hosts and model under `{self.block}`",
            )
        return self.url, self.model

    def key(self) -> str | None:
        """Read the key; None if there is none.

        Raises: ConfigError if its file can't be read.
        """
        if self.api_key is not None or self.api_key_file is None:
            return self.api_key.get_secret_value() if self.api_key else None
        try:
            return self.api_key_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the key of the {self.called} can't be read: {type(error).__name__}",
                remedy=f"correct api_key_file under `{self.block}`, or its permissions",
                file=str(self.api_key_file),
            ) from error


class ServerEntry(HostEntry):
    """The model server that words drafts where `writer` is openai-compatible."""

    called: ClassVar[str] = "model server"
    block: ClassVar[str] = "server"
    pictures_without_statement: bool = False
    budget_per_day: PositiveInt = 500
    connect_timeout_s: float = Field(default=5, gt=0, le=60)
    chunk_timeout_s: float = Field(default=30, gt=0, le=600)
    timeout_s: float = Field(default=120, gt=0, le=3600)
    retries: NonNegativeInt = Field(default=2, le=10)
    answer_bytes: PositiveInt = Field(default=524_288, le=16_777_216)

    def server(self) -> ModelServer:
        """Make the noun of this entry, with the key that its file holds.

        Raises: ConfigError if address or model is missing, or the file can't be read.
        """
        url, model = self.named()
        return ModelServer(
            url=url,
            model=model,
            api_key=self.key(),
            ca_file=self.ca_file,
            connect_s=self.connect_timeout_s,
            chunk_s=self.chunk_timeout_s,
            total_s=self.timeout_s,
            retries=self.retries,
            answer_bytes=self.answer_bytes,
            budget_per_day=self.budget_per_day,
            pictures_without_statement=self.pictures_without_statement,
        )


class DicomEntry(BaseModel):
    """How signed reports are written as DICOM.

    Attributes:
        verifying_organization: whom the signing readers verify for (0040,A027), LO.
        label_maps: segmentations of type LABELMAP instead of BINARY.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    verifying_organization: str | None = Field(
        default=None, min_length=1, max_length=64, pattern=r"^[^\\\x00-\x1f]*\S[^\\\x00-\x1f]*$"
    )
    label_maps: bool = False


# A name that stands in a header of HL7 v2 as it is: no separator, no escape
Hl7Name = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^|^&~\\\x00-\x1f]+$")]


class Hl7Entry(BaseModel):
    """How signed reports are written as HL7 v2 messages.

    Attributes:
        sending_application, sending_facility, receiving_application, receiving_facility: MSH-3 to
            MSH-6.
        pdf: whether the page of the report goes along (ED).
        retraction: the status of observations that hold no more: W, wrong, or D, delete.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    sending_application: Hl7Name = "MEDMM"
    sending_facility: Hl7Name | None = None
    receiving_application: Hl7Name | None = None
    receiving_facility: Hl7Name | None = None
    pdf: bool = False
    retraction: Literal["W", "D"] = "W"


class DictationEntry(HostEntry):
    """The server of the site that turns a reader's recording into words; off without a `url`.

    Attributes:
        response_format: `verbose_json` names the language that was heard; `json` is for servers
            that know no other.
        seconds: how long a recording may be.
    """

    called: ClassVar[str] = "dictation server"
    block: ClassVar[str] = "dictation"
    response_format: Literal["verbose_json", "json"] = "verbose_json"
    seconds: PositiveInt = Field(default=60, le=600)
    timeout_s: float = Field(default=30, gt=0, le=600)

    @property
    def on(self) -> bool:
        """Whether readers may dictate here."""
        return self.url is not None

    def server(self) -> ModelServer:
        """Make the noun of this entry, with the key that its file holds.

        Nothing is tried again: a reader who waits would rather speak again.

        Raises: ConfigError if address or model is missing, or the file can't be read.
        """
        url, model = self.named()
        return ModelServer(
            url=url,
            model=model,
            api_key=self.key(),
            ca_file=self.ca_file,
            chunk_s=self.timeout_s,
            total_s=self.timeout_s,
            retries=0,
            called=self.called,
            block=self.block,
            endpoint="audio/transcriptions",
        )


ENTRIES: dict[str, type[BaseModel]] = {
    "dicom": DicomEntry,
    "hl7": Hl7Entry,
    "identifiers": IdentifierEntry,
    "store": StoreEntry,
    "server": ServerEntry,
    "sign_in": SignInEntry,
    "dictation": DictationEntry,
    "listen": ListenEntry,
    "serve": ServeEntry,
}
