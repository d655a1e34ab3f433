"""
The end of a WebSocket over a real socket that is full.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.connect.websocket.conformance.cases import echoed, failed
from tests.connect.websocket.conformance.echo import (
    CLOSE,
    TEXT,
    EchoEdge,
    Event,
    events_in,
    frame,
)
from tests.connect.websocket.port_in_memory import upgrade

reactor: Any = installed

_MESSAGE = b"x" * 60_000
_COUNT = 200


class SlowClient(Protocol):
    """
    A client that reads nothing for a while.
    """

    def __init__(self) -> None:
        self.data = b""
        self.opened: Deferred[None] = Deferred()
        self.ended: Deferred[bool] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if not self.opened.called and b"\r\n\r\n" in self.data:
            self.transport.pauseProducing()  # type: ignore[union-attr]
            self.data = self.data.partition(b"\r\n\r\n")[2]
            self.opened.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(reason.check(ConnectionDone) is not None)


class FullTransportTests(TestCase):
    """
    Ends while the transport is full.  The heartbeat stands still, so that no timer ends
    the connection.
    """

    def setUp(self) -> Any:
        return Deferred.fromCoroutine(self._set_up())

    async def _set_up(self) -> None:
        self.edge = EchoEdge()
        server = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        listening: Any = await server.listen(self.edge.port)
        self.addCleanup(listening.stopListening)
        port = listening.getHost().port
        client = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        connected: Any = await client.connect(Factory.forProtocol(SlowClient))
        connected.transport.write(upgrade("wsmsg.v1.json"))
        await connected.opened
        self.client = connected

    async def events_of(self, last: bytes) -> list[Event]:
        """
        Send many messages and a last frame, then read everything.
        """
        (session,) = self.edge.sessions
        self.client.transport.write(frame(TEXT, _MESSAGE) * _COUNT + last)
        while not session.losses:
            turned: Deferred[None] = Deferred()
            reactor.callLater(0, turned.callback, None)
            await turned
        self.client.transport.resumeProducing()
        self.assertTrue(await self.client.ended, "the connection was reset")
        return events_in(self.client.data)

    async def test_closed_by_the_client(self) -> None:
        """
        The client gets all answers and the Close, and then the end of the connection.
        """
        events = await self.events_of(frame(CLOSE, b"\x03\xe8"))
        self.assertEqual(events, [echoed(_MESSAGE)] * _COUNT + [("close", 1000)])

    async def test_violation(self) -> None:
        """
        So does a client that violates the protocol.
        """
        events = await self.events_of(frame(3))
        self.assertEqual(events, [echoed(_MESSAGE)] * _COUNT + [failed(1002)])
