"""
Messages that are in the list of Messages, and that no stream of a Connect reaches.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import World
from wsmsg.connect.discovery.reach import PATIENCE_S, MessageReach
from wsmsg.rpc import rest_pb2


class MessageReachTests(SynchronousTestCase):
    """
    The addresses that streams tell of.
    """

    def setUp(self) -> None:
        self.now_s = 0.0
        self.reach = MessageReach(lambda: self.now_s)

    def look(self, seconds: float) -> tuple[str, ...]:
        """
        Look a moment before a time has passed, and then.
        """
        self.now_s += seconds - 0.1
        self.assertEqual(self.reach.look(), ())
        self.now_s += 0.1
        return self.reach.look()

    def test_unreached(self) -> None:
        """
        An address that any Message lists and no stream has is named after a while.
        """
        for stream, address in (("one", "a:1"), ("two", "b:1")):
            self.reach.welcomed(stream, address)
        self.reach.listed("one", ["a:1", "b:1", "c:1"])
        self.reach.listed("two", ["a:1", "b:1"])
        self.reach.look()
        self.assertEqual(self.look(PATIENCE_S), ("c:1",))
        self.reach.welcomed("three", "c:1")
        self.assertEqual(self.reach.look(), ())

    def test_lost(self) -> None:
        """
        A Message whose stream is lost is named as well, unless it left the list.
        """
        self.reach.welcomed("one", "a:1")
        self.reach.welcomed("two", "b:1")
        self.reach.listed("one", ["a:1", "b:1"])
        self.reach.lost("two")
        self.reach.look()
        self.assertEqual(self.look(PATIENCE_S), ("b:1",))
        self.reach.listed("one", ["a:1"])
        self.assertEqual(self.reach.look(), ())

    def test_no_list(self) -> None:
        """
        Without a list nothing is missing.
        """
        self.reach.welcomed("one", "")
        self.reach.listed("one", [])
        self.now_s += 100
        self.assertEqual(self.reach.look(), ())


class UnreachedTests(SynchronousTestCase):
    """
    A Connect whose only address leads to one of two Messages.
    """

    def setUp(self) -> None:
        self.world = World("balancer:1")
        message = self.message = self.world.message("balancer:1")
        message.address, message.listed = "a:1", ["a:1", "b:1"]
        self.world.start("balancer:1")
        message.stream.apply()

    def reasons(self) -> list[str]:
        return [alarm.reason for alarm in self.world.alarms.current]

    def reported(self) -> list[list[str]]:
        """
        Return what the Message is told, in order.
        """
        self.world.clock.advance(0.1)
        frames = self.message.stream.frames()
        return [list(f.unreached.addresses) for f in frames if f.HasField("unreached")]

    def test_said(self) -> None:
        """
        An alarm names the Message that no stream reaches, and the one that is reached
        is told; when the list no longer has it, both end.
        """
        self.world.run(PATIENCE_S - 1)
        self.assertEqual((self.reasons(), self.reported()), ([], []))
        self.world.run(1.5)
        self.assertEqual(
            self.reasons(), ["no direct stream reaches the Message at b:1"]
        )
        self.assertEqual(self.reported(), [["b:1"]])
        self.world.run(5)
        self.assertEqual(self.reported(), [])
        self.message.stream.say(messages=rest_pb2.MessageList(addresses=["a:1"]))
        self.world.run(0.5)
        self.assertEqual((self.reasons(), self.reported()), ([], [[]]))

    def test_next_stream(self) -> None:
        """
        The next stream is told at once.
        """
        self.world.run(PATIENCE_S + 1)
        self.assertEqual(self.reported(), [["b:1"]])
        self.message.stream.lose()
        self.world.run(1)
        self.assertEqual(len(self.message.streams), 2)
        batch = self.message.stream.apply()
        self.assertEqual(list(batch.unreached.addresses), ["b:1"])
        self.assertEqual(
            self.reasons(), ["no direct stream reaches the Message at b:1"]
        )
