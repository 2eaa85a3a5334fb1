"""How programs come in over HTTP: where `medmm serve` listens, and whose tokens it takes."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from medmm.config.listening import TlsEntry
from medmm.config.sign_in import SignInEntry, safe_address
from medmm.domain.errors import ConfigError

# Signed with a key that the issuer alone has (RFC 7518 3.1, RFC 8037); never `none`, never a secret
# that both ends know.
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")]


class ServeEntry(BaseModel):
    """Where `medmm serve` listens, whose tokens it takes, and how much it is sent at most.

    Issuer, claims and roles are those of `sign_in`.

    Attributes:
        hosts: names under which it answers, beside its address and `localhost` on loopback.
        audience: what the issuer names this API in `aud`; without it nobody is let in.
        algorithms: that tokens may be signed with.
        key_set_url: of the issuer's keys, where these stand on another host than `metadata_url`.
        body_bytes: of one request that is no upload.
        connections: how many at a time; further ones are answered 503.
        stow: what is done with studies that come by STOW-RS; without it there is no such address.
        stalled_seconds: after which a request that does not come on is ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    bind: str = "127.0.0.1"
    port: int = Field(default=8480, ge=0, le=65535)
    hosts: tuple[HostName, ...] = ()
    audience: str | None = Field(default=None, min_length=1, max_length=500)
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "PS256", "ES256"), min_length=1)
    key_set_url: str | None = None
    body_bytes: PositiveInt = 1_048_576
    connections: PositiveInt = Field(default=64, le=1000)
    stalled_seconds: float = Field(default=30, gt=0, le=600)
    stow: Literal["admit", "draft"] | None = None
    tls: TlsEntry | None = None

    @field_validator("bind")
    @classmethod
    def _an_address(cls, bind: str) -> str:
        return str(ip_address(bind))

    @field_validator("key_set_url")
    @classmethod
    def _safe_address(cls, url: str | None) -> str | None:
        if url is not None and not safe_address(url):
            raise ValueError("no https address (http goes to this machine alone)")
        return url

    @model_validator(mode="after")
    def _tokens_stay_secret(self) -> ServeEntry:
        if not ip_address(self.bind).is_loopback and self.tls is None:
            raise ValueError("an address that others reach needs tls: a token opens what it opens")
        return self

    def audience_beside(self, sign_in: SignInEntry) -> str:
        """Give the audience that tokens must name.

        Raises: ConfigError if nobody could be let in, or an ID token of the dashboard would do.
        """
        if not sign_in.configured:
            raise ConfigError(
                "nobody says who calls: the API takes tokens of the provider under `sign_in` alone",
                remedy="set metadata_url, client_id and roles under `sign_in`",
            )
        if self.audience is None:
            raise ConfigError(
                "no audience is named", remedy="set `serve: audience:` as the provider names it"
            )
        if self.audience == sign_in.client_id:
            raise ConfigError(
                "the audience is the client of the dashboard, whose ID tokens are for it alone",
                remedy="give the API an audience of its own at the provider",
            )
        return self.audience
