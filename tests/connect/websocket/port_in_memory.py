"""
The public port in memory, with sessions that only record.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.auth.identity import Identity
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.edge.heartbeat import HeartbeatSweep
from wsmsg.connect.edge.http import EdgeAccess, edge_site
from wsmsg.connect.edge.online_status import OnlineStatus
from wsmsg.connect.edge.port import Port
from wsmsg.connect.session.interface import ISession, Subprotocol
from wsmsg.connect.websocket.factory import WebSocketConnections
from wsmsg.errors import Unauthenticated
from wsmsg.http.server.proxied import ProxiedFactory
from wsmsg.model import UserPresence
from wsmsg.monitoring.health import Health, any_up
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.json import JsonCodec
from wsmsg.protocol.protobuf import ProtobufCodec
from wsmsg.settings.values import ConnectSettings

KEY = base64.b64encode(b"0123456789abcdef").decode()


class RecordingTransport(StringTransport):
    """
    A TCP transport that records the calls of its protocol.
    """

    aborted = half_closed = False
    protocol: Any = None
    handle: Any = None

    def getHandle(self) -> Any:
        return self.handle

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def abortConnection(self) -> None:
        self.aborted = True

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def unregisterProducer(self) -> None:
        self.producer = None  # as TCP transports do, without a complaint

    def written(self) -> bytes:
        """
        Return what was written since the last call.
        """
        data: bytes = self.value()
        self.clear()
        return data


class RecordingOutbox:
    """
    Records the calls of the transport.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


@implementer(ISession)
class RecordingSession:
    """
    Records what it receives; C{on_received} may do more.
    """

    reads_to_end = False

    def __init__(self, peer: Any, codec: Any, identity: Any, claimed: Any) -> None:
        self.peer, self.codec = peer, codec
        self.identity, self.claimed_user = identity, claimed
        self.outbox = RecordingOutbox()
        self.messages: list[tuple[bytes, bool]] = []
        self.losses: list[str] = []
        self.on_received: Any = lambda data: None
        self.counted = 0
        self.on_counted: Any = lambda: None

    def count_frame(self) -> None:
        self.counted += 1
        self.on_counted()

    def received(self, data: bytes, binary: bool) -> None:
        self.messages.append((data, binary))
        self.on_received(data)

    def lost(self, reason: str) -> None:
        self.losses.append(reason)


class FixedUpstream:
    """
    An upstream with fixed presence.
    """

    def __init__(self, online: Sequence[int] = (), up: bool = True) -> None:
        self.up = up
        self.reads = self
        self.judges = False
        self.online = set(online)
        self.asked: list[Sequence[int]] = []
        self.fails: Exception | None = None
        self.hidden: set[tuple[int, int]] = set()

    def presence(
        self, users: Sequence[int], asker: int = 0
    ) -> Deferred[list[UserPresence]]:
        self.asked.append(users)
        if self.fails is not None:
            raise self.fails
        hidden = {u for watcher, u in self.hidden if watcher == asker}
        return succeed(
            [UserPresence(u, u in self.online, 0, u in hidden) for u in users]
        )


def authenticate(token: str, claimed_user: int | None) -> Identity:
    """
    Accept tokens like C{good:1001}.
    """
    good, _, user = token.removeprefix("Bearer ").partition(":")
    if good != "good" or (claimed_user and claimed_user != int(user)):
        raise Unauthenticated("not a good token", fault="unreadable")
    return Identity(int(user))


class Edge:
    """
    The whole public port except the reactor.
    """

    def __init__(self, must_prove: bool = False, **settings: Any) -> None:
        self.clock = Clock()
        self.settings = ConnectSettings.model_validate({"heartbeat_s": 2.0, **settings})
        self.admission = Admission(
            self.settings.limits, self.clock, self.settings.proxies
        )
        self.sweep = HeartbeatSweep(self.settings.heartbeat_s, self.clock)
        self.sweep.start()
        self.sessions: list[RecordingSession] = []
        self.websockets = WebSocketConnections(
            self.settings,
            self.clock,
            admission=self.admission,
            sweep=self.sweep,
            subprotocols=[
                self.subprotocol(ProtobufCodec()),
                self.subprotocol(JsonCodec()),
            ],
            authenticate=authenticate,
            soon=lambda end: end(),
        )
        self.here = {1001}
        self.upstream = FixedUpstream([1002])
        self.health = Health(self.clock, any_up)
        self.site = edge_site(
            OnlineStatus(self.here, self.upstream),
            self.health,
            self.admission,
            self.clock,
            access=EdgeAccess(self.settings, authenticate, asks_token=must_prove),
            unix_s=self.clock.seconds,
        )
        self.port = Port(
            self.admission,
            self.sweep,
            build_websocket=self.websockets.build,
            build_http=self.site.build,
        )
        self.listening: Any = self.port
        if self.settings.proxy_protocol:
            self.listening = ProxiedFactory(
                self.port,
                self.clock,
                proxies=lambda: self.admission.proxies,
                refused=lambda a, why: self.admission.refusals.note(a, "proxy", why),
                room=lambda: self.admission.room,
            )

    def subprotocol(self, codec: ICodec) -> Subprotocol:
        """
        Return a subprotocol whose sessions only record.
        """

        def open_session(peer: Any, identity: Any, claimed: Any) -> ISession:
            return self.open_session(peer, codec, identity, claimed)

        return Subprotocol(codec.subprotocol, codec.binary, open_session)

    def open_session(self, *args: Any) -> RecordingSession:
        """
        Open a session that records.
        """
        session = RecordingSession(*args)
        self.sessions.append(session)
        return session

    def connect(self, host: str = "10.0.0.1") -> Wire:
        """
        Open a TCP connection.
        """
        return Wire(self, host)

    def open(self, subprotocol: str = "wsmsg.v1.protobuf", **headers: str) -> Wire:
        """
        Open a connection and complete its handshake.
        """
        wire = self.connect()
        wire.send(upgrade(subprotocol, **headers))
        answer = wire.transport.written()
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        return wire

    def advance(self, seconds: float) -> None:
        """
        Advance the clock in small steps.
        """
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)


class Wire:
    """
    The client's end of a TCP connection.
    """

    def __init__(self, edge: Edge, host: str) -> None:
        self.transport = RecordingTransport(peerAddress=IPv4Address("TCP", host, 1))
        protocol = edge.listening.buildProtocol(self.transport.getPeer())
        self.refused = protocol is None
        if protocol is not None:
            self.transport.protocol = protocol
            self.transport.protocol.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """
        Send bytes to the server.
        """
        self.transport.protocol.dataReceived(data)

    def message(self, payload: bytes, opcode: int = 2, fin: bool = True) -> None:
        """
        Send one frame.
        """
        self.send(masked(payload, opcode, fin))

    def lose(self) -> None:
        """
        Lose the connection.
        """
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))


def upgrade(subprotocol: str = "wsmsg.v1.protobuf", **headers: str) -> bytes:
    """
    Return the request for a WebSocket.
    """
    lines = {
        "Host": "example.com",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    if subprotocol:
        lines["Sec-WebSocket-Protocol"] = subprotocol
    lines |= {k.replace("_", "-"): v for k, v in headers.items()}
    head = "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    return f"GET /api/v1/connect/ws HTTP/1.1\r\n{head}\r\n".encode()


def masked(payload: bytes, opcode: int = 2, fin: bool = True) -> bytes:
    """
    Return one frame of a client (RFC 6455 section 5.2).
    """
    mask = b"\x01\x02\x03\x04"
    first = bytes([(0x80 if fin else 0) | opcode])
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | size])
    elif size < 65536:
        head = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    body = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    return first + head + mask + body


def close_of(data: bytes) -> tuple[int, str]:
    """
    Return code and reason of a close frame.
    """
    assert data[0] == 0x88 and data[1] == len(data) - 2, data
    return int.from_bytes(data[2:4], "big"), data[4:].decode()
