"""
The opening handshake, by Autobahn, where it is not the usual one
(L{wsmsg.connect.websocket.usual_handshake}).

An object of Autobahn's performs the handshake and is then forgotten: L{shake_hands} is
one call, because the port hands over the whole head of the request
(L{wsmsg.connect.edge.port}).  Nothing of Autobahn's remains on an open connection, so
Connect relies on few of its undocumented names (C{tests.connect.websocket} lists them).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import autobahn.twisted.websocket
import autobahn.websocket.types
import txaio
from twisted.internet.interfaces import IReactorTime

# As Any: Autobahn's annotations contradict what it lets subclasses do.
_autobahn: Any = autobahn.twisted.websocket
_types: Any = autobahn.websocket.types
_txaio: Any = txaio

#: The denial of a handshake, which L{Agree} may raise.
ConnectionDeny = _types.ConnectionDeny

#: Checks Autobahn's C{ConnectionRequest}, and returns the subprotocol or L{None}.
Agree = Callable[[Any], str | None]

#: Answers a handshake that is refused: status, reason, and additional headers.
Refuse = Callable[[int, str, Mapping[str, str]], None]

# Connect agrees to no extension, and so need not parse what a client offers: in several
# headers (RFC 6455 section 11.3.2), or with parameters that only a later version knows.
_EXTENSIONS = re.compile(rb"\r\nsec-websocket-extensions[ \t]*:[^\r\n]*", re.IGNORECASE)


def deny(status: int, reason: str) -> Exception:
    """
    Return the exception that refuses a handshake.
    """
    denied: Exception = ConnectionDeny(status, reason)
    return denied


class Handshakes:
    """
    Performs handshakes for one Connect.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._factory = _autobahn.WebSocketServerFactory(server="", reactor=clock)
        self._factory.setProtocolOptions(
            versions=[13],
            webStatus=False,
            allowedOrigins=["*"],
            allowNullOrigin=True,
            openHandshakeTimeout=0,
        )
        names = _autobahn.WebSocketServerProtocol.CONFIG_ATTRS
        self._options = {name: getattr(self._factory, name) for name in names}

    def shake_hands(
        self, transport: Any, head: bytes, agree: Agree, refuse: Refuse
    ) -> bool:
        """
        Answer the request of a handshake.

        @param head: the request line and headers, with the empty line.
        @return: whether the WebSocket is open; if not, C{refuse} was called.
        """
        one = _Handshake(self._factory, self._options, agree, refuse)
        one.makeConnection(transport)
        # Autobahn decodes Latin-1, in which the byte 0x85, a part of characters of
        # UTF-8, is the end of a line.
        one.dataReceived(_EXTENSIONS.sub(b"", head).replace(b"\x85", b"?"))
        return one.is_agreed


class _Handshake(_autobahn.WebSocketServerProtocol):  # type: ignore[misc]
    """
    One handshake.
    """

    # Autobahn would copy the options one by one, and format them for a log that is off:
    # twice the time of the handshake itself.
    CONFIG_ATTRS: tuple[str, ...] = ()
    log = _txaio.make_logger("error")

    def __init__(
        self, factory: Any, options: Mapping[str, Any], agree: Agree, refuse: Refuse
    ) -> None:
        super().__init__()
        self.factory = factory
        self.__dict__.update(options)
        self._agree = agree
        self._refuse = refuse
        self.is_agreed = False

    def onConnect(self, request: Any) -> str | None:
        return self._agree(request)

    def onOpen(self) -> None:
        self.is_agreed = True

    def failHandshake(
        self, reason: str, code: int = 400, responseHeaders: Any = None
    ) -> None:
        self._refuse(code, reason, dict(responseHeaders or ()))
