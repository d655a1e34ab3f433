"""
A TCP listener that starts and stops.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from wsmsg.daemon.worker.ports import shared_socket
from wsmsg.settings.urls.address import Address, parse_address

#: Connections that the kernel queues until they are accepted; it may allow fewer.
_BACKLOG = 4096


class Listener:
    """
    A listener for a protocol factory, at an address of the settings.

    @param listen: C{host:port}, or a server endpoint that begins with C{systemd:}.
    @param shared: whether other workers listen on the port as well.
    @ivar address: the address it listens at, once started, with the port that the
        system chose for port 0.
    """

    def __init__(
        self,
        reactor: Any,
        listen: str,
        factory: IProtocolFactory,
        *,
        shared: bool = False,
    ) -> None:
        self._shared = shared
        self._reactor = reactor
        self._listen = listen
        self._factory: Any = factory
        self._port: IListeningPort | None = None
        self.address: Address | None = None

    def start(self) -> Deferred[None]:
        """
        Listen.

        @return: fires when the listener accepts connections; fails with L{OSError} if
            it cannot listen.
        """
        if self._listen.startswith("systemd:"):
            return maybeDeferred(self._adopt).addCallback(self._listening)
        return maybeDeferred(self._share if self._shared else self._bind)

    def stop(self) -> Deferred[None]:
        """
        Accept no more connections; open ones stay open.

        @return: fires when the port is closed.
        """
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        return maybeDeferred(port.stopListening).addCallback(lambda _: None)

    def _adopt(self) -> Deferred[IListeningPort]:
        """
        Take over a socket on which systemd listens.
        """
        try:
            endpoint = serverFromString(self._reactor, self._listen)
        except (LookupError, TypeError, ValueError) as e:
            raise OSError(
                f"cannot listen on {self._listen}: systemd passed no such socket"
                f" ({e}); is there a socket unit for this service?"
            ) from None
        listening: Deferred[IListeningPort] = endpoint.listen(self._factory)
        return listening

    def _bind(self) -> None:
        host, port = parse_address(self._listen)
        try:
            listening = self._reactor.listenTCP(
                port, self._factory, backlog=_BACKLOG, interface=host
            )
        except CannotListenError as e:
            raise OSError(f"cannot listen on {self._listen}: {e.socketError}") from None
        self._listening(listening)

    def _share(self) -> None:
        try:
            bound = shared_socket(parse_address(self._listen))
        except OSError as e:
            raise OSError(f"cannot listen on {self._listen}: {e}") from None
        with bound:
            bound.listen(_BACKLOG)
            # The reactor has a copy of the socket.
            listening = self._reactor.adoptStreamPort(
                bound.fileno(), bound.family, self._factory
            )
        self._listening(listening)

    def _listening(self, port: IListeningPort) -> None:
        self._port = port
        host = port.getHost()
        self.address = Address(getattr(host, "host", ""), getattr(host, "port", 0))
