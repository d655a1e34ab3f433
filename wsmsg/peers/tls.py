"""
TLS of gRPC: the certificate of a listener, and the trust of a dialler.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc

from wsmsg.settings.listeners import ListenerTls
from wsmsg.settings.upstream import PeerSettings


class RpcTls:
    """
    The certificate of a gRPC listener.  A connection has the one that was current when
    it began.

    @raise OSError: a file cannot be read.
    """

    def __init__(self, tls: ListenerTls) -> None:
        self._tls = tls
        self._new: Any = None
        self._first = self._configuration()

    def read(self) -> None:
        """
        Read the files again, for connections that begin from now on.
        """
        self._new = self._configuration()

    def credentials(self) -> Any:
        """
        Return the credentials of the server.
        """
        return grpc.dynamic_ssl_server_credentials(
            self._first, self._fetch, bool(self._tls.client_ca)
        )

    def _fetch(self) -> Any:
        # Called by gRPC, in a thread of its own, when a connection begins.
        return self._new

    def _configuration(self) -> Any:
        tls = self._tls
        pair = (Path(tls.key).read_bytes(), Path(tls.cert).read_bytes())
        authorities = Path(tls.client_ca).read_bytes() if tls.client_ca else None
        return grpc.ssl_server_certificate_configuration([pair], authorities)


def channel_credentials(peer: PeerSettings) -> Any:
    """
    Return the credentials with which peers are dialled; L{None}: without TLS.

    @raise OSError: a file cannot be read.
    """
    if not peer.ca:
        return None
    own = [Path(path).read_bytes() if path else None for path in (peer.key, peer.cert)]
    return grpc.ssl_channel_credentials(Path(peer.ca).read_bytes(), *own)


def is_certified(context: Any) -> bool:
    """
    Return whether a caller has shown a certificate, which the listener has verified.
    """
    shown = context.auth_context() or {}
    return bool(
        shown.get("x509_subject_alternative_name") or shown.get("x509_common_name")
    )
