"""TLS contexts from a folder of certificates: ca.pem, and server.pem with its key."""

from __future__ import annotations

import ssl
from pathlib import Path


def for_server(folder: str | None) -> ssl.SSLContext | None:
    """With the server's certificate."""
    if folder is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(folder, "server.pem"))
    return context


def for_client(folder: str | None) -> ssl.SSLContext | None:
    """That trusts the CA and nobody else, and checks names."""
    return None if folder is None else ssl.create_default_context(cafile=Path(folder, "ca.pem"))
