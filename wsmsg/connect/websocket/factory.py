"""
What all WebSockets of a Connect share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.interfaces import IReactorTime

from wsmsg.auth.identity import Authenticate, Identity
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.edge.heartbeat import Sweep
from wsmsg.connect.session.interface import ISession, ISessionPeer
from wsmsg.connect.websocket.autobahn import deny
from wsmsg.connect.websocket.connection import WebSocketConnection
from wsmsg.connect.websocket.origins import Origins
from wsmsg.connect.websocket.turn_writes import Soon, TurnWrites
from wsmsg.protocol.codec import ICodec
from wsmsg.settings.values import ConnectSettings

#: (peer, codec, identity of the header's token, user that a header claims) to session.
MakeSession = Callable[
    [ISessionPeer, ICodec, "Identity | None", "int | None"], ISession
]


class WebSocketConnections(WebSocketServerFactory):
    """
    What all WebSockets share.

    @ivar closing_looks: looks that a closing handshake may take.
    """

    noisy = False

    def __init__(
        self,
        settings: ConnectSettings,
        clock: IReactorTime,
        *,
        admission: Admission,
        sweep: Sweep,
        codecs: Mapping[str, ICodec],
        authenticate: Authenticate,
        make_session: MakeSession,
        soon: Soon,
    ) -> None:
        """
        @param soon: calls a function when this turn of the reactor is over.
        @param codecs: by subprotocol; the one at C{""} serves clients that offer
            none.
        """
        super().__init__(server="", reactor=clock)  # type: ignore[no-untyped-call]
        self.admission = admission
        self.sweep = sweep
        self.codecs = codecs
        self.authenticate = authenticate
        self.make_session = make_session
        self.writes = TurnWrites(soon)
        self.replace(settings)

    def replace(self, settings: ConnectSettings) -> None:
        """
        Go by other settings from now on, for connections that are open too.
        """
        self.frame_bytes = settings.limits.frame_bytes
        self.origins = Origins(settings.origins)
        self.closing_looks = self.sweep.looks(settings.close_timeout_s)

    def build(self, address: str) -> WebSocketConnection:
        """
        The protocol for a connection that begins with a handshake.
        """
        connection = WebSocketConnection(address)
        connection.factory = self
        return connection

    def abort_all(self, why: str) -> int:
        """
        End all connections at once.

        @return: how many there were.
        """
        left = [c for c in self.sweep.all() if isinstance(c, WebSocketConnection)]
        for connection in left:
            connection.abort(why)
        return len(left)

    def choose(self, offered: list[str]) -> ICodec:
        """
        The codec for the first subprotocol that both sides know.
        """
        for name in offered or [""]:
            if name in self.codecs:
                return self.codecs[name]
        raise deny(400, f"offer the WebSocket subprotocol {self.known}")

    @property
    def known(self) -> str:
        """
        The subprotocols, for people.
        """
        return " or ".join(name for name in self.codecs if name)
