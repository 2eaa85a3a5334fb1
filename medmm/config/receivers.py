"""Receivers of signed results: DICOM nodes, DICOMweb and FHIR servers.

No token, password or key stands in the settings: each is named by its file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from medmm.config.listening import Title
from medmm.domain.model_server import fault_of_address, is_loopback
from medmm.domain.receivers import (
    SCOPE,
    BackendServices,
    BearerToken,
    DicomReceiver,
    FhirReceiver,
    HttpServer,
    SignIn,
    StowReceiver,
    TlsFiles,
    UserPassword,
)

Seconds = Annotated[float, Field(gt=0, le=3600)]
MB = 2**20


class _Entry(BaseModel):
    """Nothing of it is shown where it is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ClientTlsEntry(_Entry):
    """Certificates of a connection to a receiver: which are trusted, and medmm's own."""

    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @field_validator("ca_file", "certificate", "key")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate needs its key, and a key its certificate")
        return self

    def files(self) -> TlsFiles:
        """Make the noun of this entry."""
        return TlsFiles(**self.model_dump())


class DicomNodeEntry(_Entry):
    """A DICOM node that objects are stored on.

    Attributes:
        title, calling: AE titles of the node, and of medmm there.
        plain: whether patients' data may go over the network without TLS.
        connect_timeout_s: for connection and TLS handshake, and for the answer to the request of an
            association.
        answer_timeout_s: for the answer to each object.
        max_pdu_bytes: of a PDU that medmm takes in.
    """

    kind: Literal["dicom"]
    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=104, ge=1, le=65535)
    title: Title
    calling: Title = "MEDMM"
    tls: ClientTlsEntry | None = None
    plain: bool = False
    connect_timeout_s: Seconds = 10
    answer_timeout_s: Seconds = 60
    max_pdu_bytes: int = Field(default=16_382, ge=4_096, le=1_048_576)

    @model_validator(mode="after")
    def _secret_beyond_this_machine(self) -> Self:
        if self.tls is None and not self.plain and not is_loopback(self.host):
            raise ValueError("needs tls; or plain: true, where the network is trusted")
        return self

    def receiver(self) -> DicomReceiver:
        """Make the noun of this entry."""
        return DicomReceiver(
            host=self.host,
            port=self.port,
            title=self.title,
            calling=self.calling,
            tls=self.tls.files() if self.tls else None,
            connect_s=self.connect_timeout_s,
            answer_s=self.answer_timeout_s,
            max_pdu_bytes=self.max_pdu_bytes,
        )


class BackendServicesEntry(_Entry):
    """A client that signs in by its own key (SMART App Launch, backend services).

    Attributes:
        token_url: where tokens are asked for; its host is spoken to beside that of `url`.
        key_file: private key in PEM, RSA or on the curve P-384.
        key_id: its `kid` in the key set that the server knows; without it the RFC 7638 thumbprint.
    """

    token_url: str
    client_id: str = Field(min_length=1, max_length=500)
    key_file: Path
    key_id: str | None = Field(default=None, min_length=1, max_length=200)
    scope: str = Field(default=SCOPE, pattern=r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$")

    @field_validator("key_file")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    def noun(self) -> BackendServices:
        """Make the noun of this entry."""
        return BackendServices(**self.model_dump())


class _ServerEntry(_Entry):
    """A server that is spoken to over HTTP.

    Attributes:
        token_file: holds a bearer token, which somebody else renews.
        user, password_file: for HTTP Basic.
        tls: which certificates are trusted, and medmm's own.
        plain_http_on_loopback: whether `http:` may be spoken, to this machine alone.
        connect_timeout_s: for a connection, its TLS handshake included.
        timeout_s: for a request and all of its answer.
        answer_bytes: how large an answer may be.
    """

    url: str
    token_file: Path | None = None
    user: str | None = Field(
        default=None, min_length=1, max_length=200, pattern=r"^[^:\x00-\x1f]+$"
    )
    password_file: Path | None = None
    tls: ClientTlsEntry | None = None
    plain_http_on_loopback: bool = False
    connect_timeout_s: Seconds = 10
    timeout_s: Seconds = 120
    answer_bytes: int = Field(default=4 * MB, ge=1024, le=64 * MB)

    @field_validator("token_file", "password_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @model_validator(mode="after")
    def _safe(self) -> Self:
        for name, url in self._addresses().items():
            host = (urlsplit(url).hostname or "").lower()
            # Its host is among those that may be spoken to: whoever writes the settings names it.
            if fault := fault_of_address(url, {host}, self.plain_http_on_loopback):
                raise ValueError(f"{name}: {fault}")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together")
        if self._ways() > 1:
            raise ValueError("name one way to sign in")
        return self

    def _addresses(self) -> dict[str, str]:
        return {"url": self.url}

    def _ways(self) -> int:
        return (self.token_file is not None) + (self.user is not None)

    def _signs_in(self) -> SignIn | None:
        if self.token_file is not None:
            return BearerToken(file=self.token_file)
        if self.user is not None and self.password_file is not None:
            return UserPassword(user=self.user, password_file=self.password_file)
        return None

    def _server(self) -> HttpServer:
        return HttpServer(
            url=self.url,
            tls=self.tls.files() if self.tls else TlsFiles(),
            sign_in=self._signs_in(),
            connect_s=self.connect_timeout_s,
            total_s=self.timeout_s,
            answer_bytes=self.answer_bytes,
        )


class StowEntry(_ServerEntry):
    """A DICOMweb server that objects are stored on; `url` lies above `studies`."""

    kind: Literal["stow"]

    def receiver(self) -> StowReceiver:
        """Make the noun of this entry."""
        return StowReceiver(server=self._server())


class FhirServerEntry(_ServerEntry):
    """A FHIR R4 server that reports are written to; `url` is its base.

    Attributes:
        smart: signs in by a key of medmm's own.
    """

    kind: Literal["fhir"]
    smart: BackendServicesEntry | None = None

    def _addresses(self) -> dict[str, str]:
        token = {"smart.token_url": self.smart.token_url} if self.smart else {}
        return {**super()._addresses(), **token}

    def _ways(self) -> int:
        return super()._ways() + (self.smart is not None)

    def _signs_in(self) -> SignIn | None:
        return self.smart.noun() if self.smart is not None else super()._signs_in()

    def receiver(self) -> FhirReceiver:
        """Make the noun of this entry."""
        return FhirReceiver(server=self._server())
