"""TLS as BCP 195 (RFC 8996, RFC 9325) wants it, of connections that medmm makes or takes."""

from __future__ import annotations

import ssl

from medmm.domain.errors import ConfigError
from medmm.domain.receivers import TlsFiles

# With TLS 1.2: forward secrecy and authenticated encryption alone (RFC 9325 4.2); TLS 1.3 has no
# others.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Make what a connection to another machine is wrapped in.

    Its certificate must be signed by an authority that is trusted, hold, and name the host.

    Raises: ConfigError if a file can't be read or is none of its kind.
    Source: DICOM PS3.15 Annex B, BCP 195 RFC 8996 TLS Secure Transport Connection Profile.
    """
    cafile = str(files.ca_file) if files.ca_file is not None else None
    try:
        context = ssl.create_default_context(cafile=cafile)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the certificates to trust can't be read: {type(error).__name__}",
            remedy="correct ca_file (PEM)",
            file=cafile or "",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    if files.certificate is not None:
        try:
            context.load_cert_chain(files.certificate, files.key, password="")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"certificate or key for TLS can't be used: {type(error).__name__}",
                remedy="correct certificate and key (PEM, without a password)",
                certificate=str(files.certificate),
                key=str(files.key),
            ) from error
    return context


def is_of_certificates(error: BaseException) -> bool:
    """Tell whether an error, or one that it was raised from, is of a TLS handshake."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
