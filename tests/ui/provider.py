"""An OpenID Connect provider on this machine (oidc-provider-mock), in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs.dashboard_picture import free_port, wait_for

ROLES = {"rad-attending": "attending", "rad-resident": "resident"}
SECRET = "client-secret-4711"


@dataclass(frozen=True)
class Provider:
    """A running provider: to a browser it is another site than the dashboard's `localhost`."""

    issuer: str
    log: Path

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    def say(
        self,
        sub: str,
        name: str = "",
        roles: tuple[str, ...] = ("rad-attending",),
        signed_in_s_ago: float = 0.0,
    ) -> None:
        """Set what it says of a person from now on; by itself it does not say when they signed in there."""
        claims = {
            "name": name or f"ZZ{sub.upper()}",
            "realm_access": {"roles": list(roles)},
            "auth_time": int(time.time() - signed_in_s_ago),
        }
        self._send("PUT", f"/users/{urllib.parse.quote(sub)}", claims)

    def revoke(self, sub: str) -> None:
        """Take back a person's tokens."""
        self._send("POST", f"/users/{urllib.parse.quote(sub)}/revoke-tokens", {})

    def settings(self, folder: Path, **more: Any) -> dict[str, Any]:
        """The block `sign_in:` for it; the client secret lies in a file."""
        secret = folder / "client-secret"
        secret.write_text(f"{SECRET}\n")
        return {
            "metadata_url": self.metadata_url,
            "client_id": "medmm",
            "client_secret_file": str(secret),
            "roles_claim": ["realm_access", "roles"],
            "roles": ROLES,
            **more,
        }

    def _send(self, method: str, path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"{self.issuer}{path}",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30):
            pass


@contextmanager
def provider(folder: Path, *, token_s: int = 3600) -> Iterator[Provider]:
    """A provider as long as it is needed, with tokens that hold for so many seconds."""
    port, log = free_port(), folder / "provider.log"
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock"]
    command += ["--port", str(port), "--token-max-age", str(token_s), "--require-nonce", "true"]
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)
    try:
        made = Provider(f"http://127.0.0.1:{port}", log)
        wait_for(made.metadata_url, server)
        yield made
    finally:
        server.terminate()
        server.wait(timeout=30)
