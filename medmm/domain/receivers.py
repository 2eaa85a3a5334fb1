"""The systems that signed results are sent to: where each is, and how it is spoken to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

# What a transaction of a report does with each kind of resource: create, update, search (SMART App
# Launch 2.0, scopes of backend services).
WRITTEN_KINDS = (
    "Patient",
    "Practitioner",
    "Device",
    "ImagingStudy",
    "Observation",
    "DiagnosticReport",
    "Communication",
    "Provenance",
)
SCOPE = " ".join(f"system/{kind}.crus" for kind in WRITTEN_KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Certificates of a connection that medmm makes, as PEM files.

    Attributes:
        ca_file: to trust instead of those of the system's authorities.
        certificate, key: what medmm shows of itself; both or neither.
    """

    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomReceiver:
    """A DICOM node that objects are stored on.

    Attributes:
        title, calling: AE titles of the node, and of medmm there.
        tls: None sends in the clear.
        connect_s: for connection and TLS handshake together, and for the answer to the request of
            an association.
        answer_s: for the answer to each object.
        max_pdu_bytes: of a PDU that medmm takes in.
    """

    host: str
    port: int
    title: str
    calling: str = "MEDMM"
    tls: TlsFiles | None = None
    connect_s: float = 10.0
    answer_s: float = 60.0
    max_pdu_bytes: int = 16_382


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerToken:
    """A token that somebody else renews in its file, read before each request."""

    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPassword:
    """A user of a server, and the file of its password (RFC 7617)."""

    user: str
    password_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendServices:
    """A client of a FHIR server that signs in by its own key.

    Attributes:
        token_url: where tokens are asked for.
        key_file: private key in PEM: RSA signs RS384, a P-384 curve ES384.
        key_id: of the public key in the key set that the server knows; None sends its RFC 7638
            thumbprint.

    Source: HL7 SMART App Launch 2.0, backend services and asymmetric client authentication.
    """

    token_url: str
    client_id: str
    key_file: Path
    key_id: str | None = None
    scope: str = SCOPE


SignIn = BearerToken | UserPassword | BackendServices


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    """A server that is spoken to over HTTP.

    Attributes:
        url: the address below which its resources lie.
        sign_in: None sends no credentials.
        connect_s: for a connection, its TLS handshake included.
        total_s: for a request and all of its answer.
        answer_bytes: how large an answer may be.
    """

    url: str
    tls: TlsFiles = field(default_factory=TlsFiles)
    sign_in: SignIn | None = None
    connect_s: float = 10.0
    total_s: float = 120.0
    answer_bytes: int = 4_194_304

    @property
    def host(self) -> str:
        """Its host, with the port where one is named."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True, kw_only=True)
class StowReceiver:
    """A DICOMweb server that objects are stored on; `server.url` lies above `studies`."""

    server: HttpServer


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirReceiver:
    """A FHIR R4 server that reports are written to; `server.url` is its base."""

    server: HttpServer


Receiver = DicomReceiver | StowReceiver | FhirReceiver
