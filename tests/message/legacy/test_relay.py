"""
Tests for L{wsmsg.message.legacy.relay}, over loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.presence.doubles import RecordingPresence
from tests.message.rpc_case import RpcCase, run
from wsmsg.message.legacy.peer import LegacyConnect
from wsmsg.message.legacy.peers import LegacyConnects
from wsmsg.message.legacy.relay import MISSING_S, LegacyRelay, grpc_endpoint
from wsmsg.message.links.links import Links
from wsmsg.model import Message
from wsmsg.peers.channel import open_unproven
from wsmsg.rpc import rest_pb2
from wsmsg.settings.legacy import MessageLegacySettings


def said(number: int, conversation: str = "u:1:2", kind: int = 1) -> Message:
    """
    Return a stored message.
    """
    return Message(
        conversation, 1, f"c{number}", 1000 + number, "hi", kind, 5000, number
    )


class LinksTests(SynchronousTestCase):
    """
    The Message that delivers.
    """

    def setUp(self) -> None:
        self.links = Links(
            RecordingPresence(), Clock(), grace_s=2, limit_records=9, limit_bytes=10**6
        )
        hello = rest_pb2.SubscribeRequest(
            connect_service_id="message:b", incarnation="b1", everything=True
        )
        self.link, _ = self.links.subscribe(hello, "a1")

    def test_everything(self) -> None:
        """
        Links pushes all visible messages with their recipients to the other Message,
        whoever is connected, and settles them when it acknowledges.
        """
        settled: list[None] = []
        self.links.push(
            [said(1), said(2, kind=1002), said(3, "u:1:1"), said(4, "g:5")],
            lambda: settled.append(None),
            {("g:5", 4): frozenset({1, 7})},
        )
        frame = self.link.next_frame()
        assert frame is not None
        pushed = [(p.message.seq, list(p.targets)) for p in frame.batch.pushes]
        self.assertEqual(pushed, [(1, [2]), (3, [1]), (4, [7])])
        self.assertEqual(settled, [])
        self.link.acknowledged(frame.batch.number)
        self.assertEqual(settled, [None])

    def test_nothing_visible(self) -> None:
        """
        A push without visible messages is settled at once.
        """
        settled: list[None] = []
        self.links.push([said(1, kind=1002)], lambda: settled.append(None))
        self.assertEqual((settled, self.link.next_frame()), ([None], None))

    def test_no_presence(self) -> None:
        """
        A link of another Message makes no user count as connected.
        """
        self.assertEqual(len(self.links.routes), 0)
        self.assertEqual(self.links.status()[0]["everything"], True)


class RelayTests(RpcCase):
    """
    Message C{b}, which has the legacy Connects, and Message C{a}, which delivers.
    """

    def check(self, test: Callable[[], Coroutine[Any, Any, None]]) -> Deferred[Any]:
        """
        Run a test with both Messages.
        """

        async def on_both() -> None:
            await self.start()
            self.b = LegacyConnects(
                self.core.ingress,
                lambda user, marks: succeed([False for _ in marks]),
                reactor,
                MessageLegacySettings(),
                incarnation="b1",
                backoff=lambda failures: 0.02,
            )
            relay = LegacyRelay(
                self.b,
                reactor,
                lambda address, hello: grpc_endpoint(
                    open_unproven, address, hello, 1.0
                ),
                node="b",
                backoff=lambda failures: 0.02,
            )
            self.relay = relay
            relay.listed(frozenset({self.rpc.address}))
            try:
                await test()
            finally:
                await relay.stop().asFuture(asyncio.get_running_loop())
                self.links.give_up_all()
                await self.rpc.stop(0)

        return run(on_both())

    def subscribed(self) -> LegacyConnect:
        """
        Make a legacy stream at C{b} that a test reads by hand.
        """
        peer = self.b.opened(lambda: None, lambda reason, *, overrun: None)
        hello = rest_pb2.SubscribeRequest(connect_service_id="connect-1")
        peer.received(rest_pb2.MessageStreamRequest(subscribe=hello))
        return peer

    async def until(self, true: Callable[[], object]) -> None:
        """
        Wait until a condition holds.
        """
        async with asyncio.timeout(10):
            while not true():
                await asyncio.sleep(0)

    def connected(self) -> bool:
        """
        Return whether C{b} has a stream to C{a}.
        """
        return any(n["open"] for n in self.links.status())

    def given(self, peer: LegacyConnect) -> list[int]:
        """
        Return the seqs of the events that the legacy stream has now.
        """

        def events() -> Iterator[int]:
            while (event := peer.outbox.next_event()) is not None:
                yield event.push_event.message.message_id - 1000

        return list(events())

    def test_relayed(self) -> Deferred[Any]:
        """
        Messages that the other Message delivers are written to the legacy streams here,
        once, and settled there when they are written.
        """

        async def check() -> None:
            self.assertFalse(self.connected())
            peer, other = self.subscribed(), self.subscribed()
            await self.until(self.connected)
            settled: list[None] = []
            self.links.push([said(1), said(2)], lambda: settled.append(None))
            await self.until(lambda: peer.outbox.held == 2)
            self.assertEqual(self.given(peer), [1, 2])
            self.assertEqual(settled, [])
            self.assertEqual(self.given(other), [1, 2])
            await self.until(lambda: settled)
            [state] = self.relay.status()["messages"]
            self.assertEqual((state["state"], state["received"]), ("up", 2))

        return self.check(check)

    def test_only_while_wanted(self) -> Deferred[Any]:
        """
        The stream to the other Message is open only while a legacy Connect is
        subscribed here.
        """

        async def check() -> None:
            peer = self.subscribed()
            await self.until(self.connected)
            self.b.lost(peer, "gone")
            await self.until(lambda: not self.connected())
            self.subscribed()
            await self.until(self.connected)

        return self.check(check)

    def test_resumed(self) -> Deferred[Any]:
        """
        A loss of the stream between the Messages neither loses nor repeats a push.
        """

        async def check() -> None:
            self.links.grace_s = 5
            peer = self.subscribed()
            await self.until(self.connected)
            settled: list[None] = []
            self.links.push([said(1)], lambda: settled.append(None))
            await self.until(lambda: peer.outbox.held == 1)
            self.links.hang_up_all("a network that is not there")
            self.links.push([said(2)], lambda: settled.append(None))
            await self.until(lambda: peer.outbox.held == 2)
            self.assertEqual(self.given(peer), [1, 2])
            await self.until(lambda: len(settled) == 2)

        return self.check(check)

    def test_ourselves(self) -> Deferred[Any]:
        """
        A Message that finds itself in the list does not relay to itself.
        """

        async def check() -> None:
            self.b.incarnation = "life"
            peer = self.subscribed()
            await self.until(self.links.status)
            await self.until(lambda: not self.connected())
            self.links.push([said(1)], lambda: None)
            self.assertEqual(self.given(peer), [])

        return self.check(check)


class ListTests(SynchronousTestCase):
    """
    The Messages that the relay dials.
    """

    @contextmanager
    def relay(self) -> Iterator[LegacyRelay]:
        """
        Make a relay with a manual clock, whose attempts never end.
        """
        self.clock = Clock()
        self.dialled: list[str] = []

        class Endpoint:
            def connect(self, factory: Any) -> Deferred[Any]:
                return Deferred()

        def endpoint(address: str, hello: Any) -> Any:
            self.dialled.append(address)
            return Endpoint()

        self.peers = LegacyConnects(
            None,  # type: ignore[arg-type]
            lambda user, marks: succeed([]),
            self.clock,
            MessageLegacySettings(),
            incarnation="b1",
            backoff=float,
        )
        relay = LegacyRelay(
            self.peers, self.clock, endpoint, node="b", backoff=lambda failures: 1.0
        )
        peer = self.peers.opened(lambda: None, lambda reason, *, overrun: None)
        hello = rest_pb2.SubscribeRequest(connect_service_id="connect-1")
        peer.received(rest_pb2.MessageStreamRequest(subscribe=hello))
        yield relay
        self.successResultOf(relay.stop())

    def test_gone(self) -> None:
        """
        The relay leaves a Message that is missing from the list for a while, but not
        one that is only missing until the list is back.
        """
        with self.relay() as relay:
            relay.listed(frozenset({"a:1", "c:1"}))
            self.assertEqual(sorted(self.dialled), ["a:1", "c:1"])
            relay.listed(frozenset())
            self.clock.advance(MISSING_S - 1)
            relay.listed(frozenset({"a:1"}))
            self.assertEqual(len(relay.status()["messages"]), 2)
            self.clock.advance(1)
            relay.listed(frozenset({"a:1"}))
            self.assertEqual(len(relay.status()["messages"]), 1)
            self.assertEqual(len(self.dialled), 2)
