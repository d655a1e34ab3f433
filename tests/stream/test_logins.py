"""
Logins of one device at the same moment: exactly one session remains, whatever each
node hears first.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import Client, FakeNode
from tests.connect.upstream.doubles import World
from tests.message.presence.doubles import RecordingPresence
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.input import FrameDecoder
from wsmsg.errors import Close
from wsmsg.message.links.links import Links
from wsmsg.protocol.frames import Hello
from wsmsg.stream.logins import MOST_LOGINS, LoginNumbers

#: A delivery: the Connect, the Message, and whether it is Connect that hears.
Step = tuple[int, int, bool]


class NumberTests(SynchronousTestCase):
    """
    The numbers of one node.
    """

    def test_rising(self) -> None:
        """
        A number is above all that were heard or given; an impossible one is not heard.
        """
        numbers = LoginNumbers()
        given = [numbers.next()]
        for heard in (7, 3, MOST_LOGINS + 1):
            numbers.heard(heard)
            given.append(numbers.next())
        self.assertEqual(given, [2, 8, 9, 10])


class Connect(FakeNode):
    """
    The sessions and the streams of a Connect.
    """

    def __init__(self, node: str, messages: Sequence[str]) -> None:
        super().__init__()
        self.world = World(",".join(messages), node=node, edge=self.registry)
        self.context = SessionContext(
            decoder=FrameDecoder(),
            name=node,
            incarnation="life",
            registry=self.registry,
            upstream=self.world.upstream,
            authenticate=self.context.authenticate,
            clock=self.clock,
            unix_s=self.clock.seconds,
        )
        self.world.start(*messages)
        self.streams = [self.world.message(name).stream for name in messages]


class Fleet:
    """
    Connects with streams to all Messages, whose frames a test delivers one by one.

    @ivar clients: those of the device, at any Connect.
    @ivar heard: the frames that each node has read: for each, the stream it came by.
    """

    def __init__(self, connects: int, messages: int) -> None:
        names = [f"m{n}:1" for n in range(messages)]
        self.clients: list[Client] = []
        self._connects = [Connect(f"c{n}", names) for n in range(connects)]
        self._links = [
            Links(
                RecordingPresence(),
                Clock(),
                grace_s=2,
                limit_records=10,
                limit_bytes=10**6,
            )
            for _ in names
        ]
        self._ways = {(c, m): self._subscribe(c, m) for c, m in self._pairs()}
        self._frames: dict[Step, deque[Any]] = {
            (c, m, inwards): deque() for c, m in self._ways for inwards in (True, False)
        }
        self.heard: dict[tuple[str, int], tuple[int, ...]] = {}
        self._collect()

    def _pairs(self) -> list[tuple[int, int]]:
        return [
            (c, m) for c in range(len(self._connects)) for m in range(len(self._links))
        ]

    def _subscribe(self, connect: int, message: int) -> tuple[Any, Any]:
        stream = self._connects[connect].streams[message]
        link, _ = self._links[message].subscribe(stream.hello, "own")
        link.opened(lambda: None, lambda reason: None)
        return stream, link

    def log_in(self, connect: int) -> Client:
        """
        Begin a login of the device.
        """
        client = self._connects[connect].client()
        client.say(Hello("token-7", "phone"))
        self.clients.append(client)
        self._collect()
        return client

    def waiting(self) -> list[Step]:
        """
        Return the deliveries that are possible now.
        """
        return [step for step, frames in self._frames.items() if frames]

    def deliver(self, step: Step) -> None:
        connect, message, inwards = step
        stream, link = self._ways[connect, message]
        frame = self._frames[step].popleft()
        if inwards:
            stream.protocol.messageReceived(frame)
        elif frame.HasField("presence"):
            self._links[message].users.apply_presence(link, frame.presence)
        node = ("connect", connect) if inwards else ("message", message)
        by = message if inwards else connect
        self.heard[node] = (*self.heard.get(node, ()), by)
        self._collect()

    def settle(
        self, choose: Callable[[Sequence[Step]], Step] = lambda it: it[0]
    ) -> None:
        """
        Deliver everything, in an order.
        """
        while steps := self.waiting():
            self.deliver(choose(steps))

    def ends(self) -> list[Close | None]:
        """
        Return the close codes of the clients; L{None}: the session lives.
        """
        return [client.peer.code for client in self.clients]

    def _collect(self) -> None:
        for (connect, message), (stream, link) in self._ways.items():
            self._frames[connect, message, False].extend(stream.frames())
            while (frame := link.next_frame()) is not None:
                self._frames[connect, message, True].append(frame)


class InterleavingTests(SynchronousTestCase):
    """
    One device that logs in at several Connects.
    """

    def one_remains(self, fleet: Fleet, path: object) -> None:
        ends = fleet.ends()
        self.assertEqual(ends.count(None), 1, f"{ends} after {path}")
        self.assertLessEqual(set(ends), {None, Close.REPLACED})

    def explore(self, connects: int, messages: int) -> int:
        """
        Try the deliveries in every order; those that no node can tell apart, once.

        @return: the number of different ends.
        """
        paths: list[tuple[Step, ...]] = [()]
        seen, ends = set(), 0
        while paths:
            path = paths.pop()
            fleet = Fleet(connects, messages)
            fleet.settle()
            fleet.heard.clear()
            for connect in range(connects):
                fleet.log_in(connect)
            for step in path:
                fleet.deliver(step)
            heard = frozenset(fleet.heard.items())
            if heard in seen:
                continue
            seen.add(heard)
            steps = fleet.waiting()
            paths.extend((*path, step) for step in steps)
            if not steps:
                ends += 1
                self.one_remains(fleet, path)
        return ends

    def test_every_order_at_one_message(self) -> None:
        """
        One of two logins at two Connects of a Message remains, in every order.
        """
        self.assertGreater(self.explore(2, 1), 3)

    def test_any_order(self) -> None:
        """
        The same with more Connects and Messages, and logins at any moment between, in
        orders by chance.
        """
        for connects, messages in ((2, 2), (3, 2), (3, 3)):
            for seed in range(30):
                chance = random.Random(seed)
                fleet = Fleet(connects, messages)
                fleet.settle()
                later = chance.sample(range(connects), connects)
                while later or fleet.waiting():
                    if later and (not fleet.waiting() or chance.random() < 0.5):
                        fleet.log_in(later.pop())
                    else:
                        fleet.deliver(chance.choice(fleet.waiting()))
                self.one_remains(fleet, (connects, messages, seed))

    def test_later_login(self) -> None:
        """
        A login that begins when another one is complete is the newer one, at whichever
        Connect, and however often each of them has been told of others.
        """
        fleet = Fleet(3, 2)
        fleet.settle()
        chance = random.Random(5)
        for _ in range(20):
            client = fleet.log_in(chance.randrange(3))
            fleet.settle(chance.choice)
            self.assertEqual(fleet.ends().count(None), 1)
            self.assertIsNone(client.peer.code)

    def test_gone_before_it_is_known(self) -> None:
        """
        A session that ends before every Message knows its user replaces no other.
        """
        fleet = Fleet(2, 2)
        fleet.settle()
        first, second = fleet.log_in(0), fleet.log_in(1)
        second.hang_up()
        fleet.settle()
        self.assertIsNone(first.peer.code)
