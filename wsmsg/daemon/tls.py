"""
TLS on the listeners that Twisted serves.

A connection has the certificate that was current when it began; a reload changes that
of later ones.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    KeyPair,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from wsmsg.settings.listeners import ListenerTls

_END = b"-----END CERTIFICATE-----"


class TlsTransport(TLSMemoryBIOProtocol):
    """
    A TLS connection, with what our protocols need of a TCP transport.

    @cvar _tempDataBuffer: not empty, so nobody passes bytes to the socket directly.
    """

    _tempDataBuffer = None

    @property
    def protocol(self) -> Any:
        """
        The protocol above; a protocol hands its connection over by setting it.
        """
        return self.wrappedProtocol

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self.wrappedProtocol = protocol

    def tcp_handle(self) -> Any:
        """
        Return the socket, whose progress the kernel knows.
        """
        return self.transport.getHandle()  # type: ignore[union-attr]

    def loseWriteConnection(self) -> None:
        """
        End the connection in order: TLS sends its own farewell, and reads that of the
        other end.
        """
        self.loseConnection()  # type: ignore[no-untyped-call]

    def writeSomeData(self, data: bytes) -> None:
        """
        Never called, as this transport never seems idle.
        """
        raise AssertionError("bytes must not bypass TLS")


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """
    The certificate of one listener.

    @raise ValueError: the files cannot be used together.
    @raise OSError: a file cannot be read.
    """

    def __init__(self, tls: ListenerTls) -> None:
        self._tls = tls
        self.read()

    def read(self) -> None:
        """
        Read the files again, for connections that begin from now on.
        """
        self._options = _options(self._tls)

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """
        Begin a connection with the present certificate.
        """
        from OpenSSL.SSL import Connection

        return Connection(self._options.getContext(), None)

    def wrap(self, factory: Any) -> TLSMemoryBIOFactory:
        """
        Return a factory whose connections speak TLS.
        """
        wrapped = TLSMemoryBIOFactory(self, False, factory)
        wrapped.protocol = TlsTransport
        return wrapped


def _options(tls: ListenerTls) -> CertificateOptions:
    with open(tls.key, "rb") as file:
        key = KeyPair.load(file.read(), format=1)
    own, *chain = _certificates(tls.cert)
    trust = None
    if tls.client_ca:
        trust = trustRootFromCertificates(_certificates(tls.client_ca))
    return CertificateOptions(
        privateKey=key.original,
        certificate=own.original,
        extraCertChain=[each.original for each in chain],
        trustRoot=trust,
    )


def _certificates(path: str) -> list[Certificate]:
    with open(path, "rb") as file:
        parts = file.read().split(_END)[:-1]
    return [Certificate.loadPEM(part + _END) for part in parts]
