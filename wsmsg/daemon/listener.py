"""
A TCP listener that begins and ends.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from wsmsg.settings.urls.address import Address, parse_address

#: Connections that the system holds until we take them; it may allow fewer.
_BACKLOG = 4096


class Listener:
    """
    Listens for a factory, at an address of the settings.

    @param listen: C{host:port}, or a server endpoint that begins with C{systemd:}.
    @ivar address: where it listens, once it does: the port that was chosen for 0.
    """

    def __init__(self, reactor: Any, listen: str, factory: IProtocolFactory) -> None:
        self._reactor = reactor
        self._listen = listen
        self._factory = factory
        self._port: IListeningPort | None = None
        self.address: Address | None = None

    def start(self) -> Deferred[None]:
        """
        @return: fires when connections are taken; fails with L{OSError} if they
            cannot be.
        """
        if self._listen.startswith("systemd:"):
            return maybeDeferred(self._adopt).addCallback(self._listening)
        return maybeDeferred(self._bind)

    def stop(self) -> Deferred[None]:
        """
        Take no more connections; those there are go on.

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
                f"cannot listen on {self._listen}: systemd handed over no such socket"
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

    def _listening(self, port: IListeningPort) -> None:
        self._port = port
        host = port.getHost()
        self.address = Address(getattr(host, "host", ""), getattr(host, "port", 0))
