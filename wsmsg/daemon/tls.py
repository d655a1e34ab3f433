"""
TLS on the listeners that Twisted serves.

A connection has the certificate that was current when it began; a reload changes that
of later ones.  A handshake that fails is counted and logged, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from OpenSSL.SSL import (
    NO_OVERLAPPING_PROTOCOLS,
    VERIFY_FAIL_IF_NO_PEER_CERT,
    VERIFY_PEER,
    Connection,
    Context,
    Error,
    WantReadError,
    WantWriteError,
)
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    KeyPair,
    trustRootFromCertificates,
)
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from wsmsg.auth.reread import NOTHING_READ, FileRead
from wsmsg.monitoring.metrics import Metrics
from wsmsg.monitoring.repeats import Repeats
from wsmsg.settings.listeners import ListenerTls
from wsmsg.text.counted import plural

#: Lines about failed handshakes of one address, and of all, in a minute.
_FIRST = 5
_LINES = 60

#: What is wrong with a caller's certificate, by the number of OpenSSL (x509_vfy.h).
_FAULTS = {
    9: "is not valid yet",
    10: "has expired",
    **dict.fromkeys((18, 19, 20, 21), "is not of an authority in client_ca"),
}

#: What all of these listeners speak, by its name in ALPN.
_HTTP = b"http/1.1"
_LOCAL = "this machine"
_END = b"-----END CERTIFICATE-----"


class TlsTransport(TLSMemoryBIOProtocol):
    """
    A TLS connection, with what our protocols need of a TCP transport.

    @cvar _tempDataBuffer: not empty, so nobody passes bytes to the socket directly.
    @ivar caller: the address of the client.
    """

    _tempDataBuffer = None

    def __init__(self, factory: TlsFactory, protocol: Any, caller: str) -> None:
        super().__init__(factory, protocol)  # type: ignore[no-untyped-call]
        self.caller = caller

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


class TlsFactory(TLSMemoryBIOFactory):
    """
    A factory whose connections speak TLS.
    """

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> TlsTransport | None:
        protocol = self.wrappedFactory.buildProtocol(addr)
        if protocol is None:
            return None  # refused before the handshake
        return TlsTransport(self, protocol, getattr(addr, "host", "") or _LOCAL)


class FailedHandshakes:
    """
    Counts and logs the handshakes that failed.

    @ivar counts: by listener.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.counts: Counter[str] = Counter()
        self._repeats = Repeats(clock, self._log_sum, first=_FIRST, lines=_LINES)
        self.stop = self._repeats.stop

    def note(self, listener: str, address: str, reason: str) -> None:
        """
        Note that the handshake of a caller failed.
        """
        self.counts[listener] += 1
        if self._repeats.allow(address):
            self._log.warn(
                "the TLS handshake of {address} at {listener} failed: {reason}",
                address=address,
                listener=listener,
                reason=reason,
            )

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Have the counts read by each scrape.
        """
        metrics.counters(
            "wsmsg_tls_failed",
            "TLS handshakes that failed at a listener, other than gRPC",
            label="listener",
            read=lambda: self.counts,
        )

    def _log_sum(self, address: Hashable, more: int, seconds: float) -> None:
        self._log.warn(
            "the TLS handshakes of {address} failed {more:,} more {noun} in "
            "{seconds:.0f} s",
            address=address or "others",
            more=more,
            noun=plural(more, "time"),
            seconds=seconds,
        )


class _ServerConnection(Connection):
    """
    One TLS connection, which reports why its handshake failed.
    """

    def __init__(self, context: Context, failed: Callable[[str], object]) -> None:
        super().__init__(context, None)
        self._failed = failed
        self._fault = ""

    def found(self, error: int) -> None:
        """
        Note what is wrong with the certificate of the caller.
        """
        fault = _FAULTS.get(error, f"is not accepted (error {error} of OpenSSL)")
        self._fault = self._fault or f"the certificate {fault}"

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (WantReadError, WantWriteError):
            raise
        except Error as e:
            self._failed(self._fault or _reason(e))
            raise


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """
    The certificate of one listener.

    @param failed: told of handshakes that failed: the address and the reason.
    @raise ValueError: the files cannot be used together.
    @raise OSError: a file cannot be read.
    """

    def __init__(self, tls: ListenerTls, failed: Callable[[str, str], object]) -> None:
        self._tls = tls
        self._failed = failed
        self.read()

    def read(self) -> Sequence[FileRead]:
        """
        Read the files again, for connections that begin from now on.

        @return: nothing: L{wsmsg.monitoring.certificates} tells of them.
        """
        self._options = _options(self._tls)
        return NOTHING_READ

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """
        Begin a connection with the present certificate.
        """

        def failed(reason: str) -> None:
            self._failed(tlsProtocol.caller, reason)

        return _ServerConnection(self._options.getContext(), failed)

    def wrap(self, factory: Any) -> TlsFactory:
        """
        Return a factory whose connections speak TLS.
        """
        return TlsFactory(self, False, factory)


def _options(tls: ListenerTls) -> CertificateOptions:
    with open(tls.key, "rb") as file:
        key = KeyPair.load(file.read(), format=1)
    own, *chain = _certificates(tls.cert)
    trust = None
    if tls.client_ca:
        trust = trustRootFromCertificates(_certificates(tls.client_ca))
    options = CertificateOptions(
        privateKey=key.original,
        certificate=own.original,
        extraCertChain=[each.original for each in chain],
        trustRoot=trust,
    )
    context = options.getContext()
    context.set_alpn_select_callback(_protocol_of)
    if trust is not None:
        context.set_verify(VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
    return options


def _protocol_of(connection: object, offered: Sequence[bytes]) -> Any:
    """
    Choose the protocol inside of TLS (ALPN, RFC 7301), as browsers and curl ask.
    """
    return _HTTP if _HTTP in offered else NO_OVERLAPPING_PROTOCOLS


def _verify(
    connection: Any, certificate: object, error: int, depth: int, is_good: int
) -> bool:
    if not is_good:
        connection.found(error)
    return bool(is_good)


def _reason(e: Error) -> str:
    """
    Return OpenSSL's reasons, as C{peer did not return a certificate}.
    """
    found = e.args[0] if e.args and isinstance(e.args[0], list) else []
    return ", ".join(str(each[-1]) for each in found) or "the connection was cut"


def _certificates(path: str) -> list[Certificate]:
    with open(path, "rb") as file:
        parts = file.read().split(_END)[:-1]
    return [Certificate.loadPEM(part + _END) for part in parts]
