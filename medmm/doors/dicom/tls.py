"""TLS for connections of callers, as BCP 195 (RFC 8996, RFC 9325) wants it."""

from __future__ import annotations

import ssl

from medmm.config import TlsEntry
from medmm.connections.tls import CIPHERS
from medmm.domain.errors import ConfigError


def server_context(entry: TlsEntry, block: str = "listen") -> ssl.SSLContext:
    """Make what the connections of callers are wrapped in.

    With an authority for callers each must show a certificate that it signed.

    Args:
        block: of the settings, in which the entry stands.

    Raises: ConfigError if a file can't be read or is none of its kind.
    Source: DICOM PS3.15 Annex B, BCP 195 RFC 8996 TLS Secure Transport Connection Profile.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        context.load_cert_chain(entry.certificate, entry.key, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"certificate or key for TLS can't be used: {type(error).__name__}",
            remedy=f"correct certificate and key (PEM, without a password) under `{block}: tls:`",
            certificate=str(entry.certificate),
            key=str(entry.key),
        ) from error
    if entry.callers_ca is not None:
        try:
            context.load_verify_locations(entry.callers_ca)
        except OSError as error:
            raise ConfigError(
                f"the authority of callers can't be used: {type(error).__name__}",
                remedy=f"correct callers_ca (PEM) under `{block}: tls:`",
                file=str(entry.callers_ca),
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context
