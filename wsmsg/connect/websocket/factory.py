"""
The parts that all WebSockets of a Connect share.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from wsmsg.auth.identity import Authenticate
from wsmsg.connect.edge.interface import TICKS, Admission, HeartbeatSweep
from wsmsg.connect.session.interface import Subprotocol
from wsmsg.connect.websocket.autobahn import Handshakes, deny
from wsmsg.connect.websocket.connection import WebSocketConnection
from wsmsg.connect.websocket.output import Soon, TurnWrites
from wsmsg.http.origins import Origins
from wsmsg.http.pages import Pages
from wsmsg.settings.values import ConnectSettings

#: Pings and pongs of one connection, per second and at once.
_CONTROLS_PER_S = 2048
_CONTROLS_AT_ONCE = 1024

#: The time that the end of a connection may take while the client still receives, in
#: multiples of C{close_timeout_s}.
_LONGER = 10


class WebSocketConnections:
    """
    Makes the WebSocket connections of a Connect, and holds what they share.

    @ivar closing_ticks: the ticks that the end of a connection may take without
        progress.
    @ivar most_closing_ticks: the ticks that it may take altogether.
    @ivar control_frames: the maximum of pings and pongs between two ticks.
    """

    def __init__(
        self,
        settings: ConnectSettings,
        clock: IReactorTime,
        *,
        admission: Admission,
        sweep: HeartbeatSweep,
        subprotocols: Sequence[Subprotocol],
        authenticate: Authenticate,
        soon: Soon,
    ) -> None:
        """
        @param soon: calls a function at the end of the reactor turn.
        """
        self.handshakes = Handshakes(clock)
        self.admission = admission
        self.sweep = sweep
        self._subprotocols = {s.name: s for s in subprotocols}
        self.authenticate = authenticate
        self.writes = TurnWrites(soon)
        self.apply_settings(settings)

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Apply new settings, to open connections too.
        """
        self.frame_bytes = settings.limits.frame_bytes
        self.origins = Origins(settings.origins)
        # A proxy may pass on any name, so only listed names limit them.
        self.hosts = Pages(hosts=settings.hosts or ["*"])
        self.closing_ticks = self.sweep.ticks(settings.close_timeout_s)
        self.most_closing_ticks = _LONGER * self.closing_ticks
        at_once = int(_CONTROLS_PER_S * settings.heartbeat_s / TICKS)
        self.control_frames = max(_CONTROLS_AT_ONCE, at_once)

    def build(self, address: str) -> WebSocketConnection:
        """
        Return the protocol for a connection that begins with a handshake.
        """
        return WebSocketConnection(self, address)

    def abort_all(self, why: str) -> int:
        """
        End all connections at once.

        @return: their number.
        """
        left = [c for c in self.sweep.all() if isinstance(c, WebSocketConnection)]
        for connection in left:
            connection.abort(why)
        return len(left)

    @property
    def callers(self) -> Authenticate:
        """
        The check of the tokens of HTTP calls: C{online_status} is a call of clients
        without a subprotocol.
        """
        return self.choose([]).authenticate or self.authenticate

    def choose(self, offered: list[str]) -> Subprotocol:
        """
        Return the first offered subprotocol that this node knows.

        @raise ConnectionDeny: there is none.
        """
        for name in offered or [""]:
            if name in self._subprotocols:
                return self._subprotocols[name]
        names = " or ".join(name for name in self._subprotocols if name)
        raise deny(400, f"offer the WebSocket subprotocol {names}")
