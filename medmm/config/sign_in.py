"""How people sign in: an OpenID Connect provider, and what its claims mean."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from medmm.domain.errors import ConfigError
from medmm.domain.roles import roles

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Whoever has these may change them, or they are given away anew (OpenID Connect Core 1.0, 5.7)
NO_IDENTIFIERS = frozenset(
    {"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"}
)
NOT_FOR_PERSONS = frozenset({"service", "nobody"})


class SignInEntry(BaseModel):
    """The provider that people sign in at; without `metadata_url` the dashboard is a demo.

    A client secret stands in the environment or in a file of its own, never in the settings file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    metadata_url: str | None = None
    client_id: str | None = Field(default=None, min_length=1, max_length=500)
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    scope: str = "openid profile"
    prompt: Literal["login", "select_account"] = "login"
    reader_id_claim: str = Field(default="sub", min_length=1, max_length=200)
    name_claim: str = Field(default="name", min_length=1, max_length=200)
    roles_claim: tuple[str, ...] = Field(default=("roles",), min_length=1, max_length=8)
    roles: dict[str, str] = {}
    roles_from: Literal["token", "userinfo"] = "token"
    roles_minutes: float = Field(default=5, gt=0, le=1440)
    idle_minutes: float = Field(default=15, gt=0, le=480)
    session_minutes: float = Field(default=480, gt=0, le=1440)
    ends_with_token: bool = True
    max_age_minutes: float | None = Field(default=None, gt=0, le=1440)

    @property
    def configured(self) -> bool:
        """Whether people sign in; else the dashboard is a demo in which anyone is anyone."""
        return self.metadata_url is not None

    @field_validator("client_secret_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @field_validator("metadata_url")
    @classmethod
    def _safe_address(cls, url: str | None) -> str | None:
        if url is not None and not safe_address(url):
            raise ValueError("no https address (http goes to this machine alone)")
        return url

    @field_validator("reader_id_claim")
    @classmethod
    def _an_identifier(cls, claim: str) -> str:
        if claim in NO_IDENTIFIERS:
            raise ValueError("people can change this claim, or share it: take sub or a number")
        return claim

    @field_validator("scope")
    @classmethod
    def _of_openid(cls, scope: str) -> str:
        if "openid" not in scope.split():
            raise ValueError("openid is missing")
        return scope

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, table: dict[str, str]) -> dict[str, str]:
        known = [role for role in roles() if role not in NOT_FOR_PERSONS]
        if wrong := sorted(set(table.values()) - set(known)):
            raise ValueError(f"no role of persons: {', '.join(wrong)}; known: {', '.join(known)}")
        return table

    @model_validator(mode="after")
    def _whole(self) -> SignInEntry:
        if self.configured and not (self.client_id and self.roles):
            raise ValueError("metadata_url needs client_id, a client secret and roles")
        if not self.configured and self.model_fields_set - {"metadata_url"}:
            raise ValueError("nobody signs in without metadata_url")
        return self

    def secret(self) -> str:
        """Give the client secret.

        Raises: ConfigError if there is none, or its file can't be read.
        """
        if self.client_secret is not None:
            return self.client_secret.get_secret_value()
        if self.client_secret_file is None:
            raise ConfigError(
                "the sign-in has no client secret",
                remedy="give it as MEDMM_SIGN_IN__CLIENT_SECRET, or name client_secret_file",
            )
        try:
            found = self.client_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the client secret can't be read: {type(error).__name__}",
                remedy="correct client_secret_file under `sign_in`, or its permissions",
                file=str(self.client_secret_file),
            ) from error
        if not found:
            raise ConfigError(
                "the file of the client secret is empty",
                remedy="write the secret of the provider's client into it",
                file=str(self.client_secret_file),
            )
        return found


def safe_address(url: str) -> bool:
    """Tell whether what is sent there is encrypted, or stays on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    named = bool(host) and "@" not in parts.netloc and not parts.fragment
    return named and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
