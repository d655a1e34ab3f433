"""
Tests of the stream to a legacy Message and of its dialling, by a manual clock.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import World
from wsmsg.connect.upstream.upstream import Upstream
from wsmsg.dependency.state import State
from wsmsg.errors import Unsupported
from wsmsg.model import Mark
from wsmsg.rpc import rest_pb2


class LegacyWorld(World):
    """
    A world whose Messages are legacy ones.
    """

    def __init__(self, addresses: str = "a:1", **settings: Any) -> None:
        settings.setdefault("upstream", {"peer": "auto"})
        super().__init__(addresses, **settings)
        for address in addresses.split(","):
            self.message(address).unnumbered = True

    def start(self, *up: str) -> None:
        for address in up:
            self.message(address).refuses = ""
        self.upstream.startService()
        self.clock.advance(0)

    def events(self, address: str = "a:1") -> list[Any]:
        """
        Take all events that Connect has for a Message.
        """
        return self.message(address).stream.events()

    def echo(self, address: str = "a:1") -> None:
        """
        Answer the oldest echo.
        """
        self.message(address).stream.echoes.pop(0).callback(None)


class LegacyStreamTests(SynchronousTestCase):
    """
    The stream, by a manual clock.
    """

    def setUp(self) -> None:
        self.world = LegacyWorld()
        self.world.edge.there = [1, 2]

    def stream(self) -> Any:
        return self.world.message().stream

    def test_accepted_when_it_has_it(self) -> None:
        """
        A send is accepted when Message answers a call that was made after it was
        written.
        """
        world = self.world
        world.start("a:1")
        world.send("one")
        (event,) = world.events()
        self.assertEqual(event.send_message.msg.content, "text of one")
        self.assertEqual(world.answers, {})
        world.send("two")
        world.events()
        world.echo()
        self.assertEqual(list(world.answers), ["one"])
        self.assertEqual(world.answers["one"].time_ms, int(world.clock.seconds() * 1e3))
        world.echo()
        self.assertEqual(list(world.answers), ["one", "two"])

    def test_clock_set_forward(self) -> None:
        """
        A send carries the time of the system clock at which the client made it, and
        is not late because that clock was stepped.
        """
        world = self.world
        world.start("a:1")
        world.send("one")
        world.ahead_s = 3600.0
        world.run(0.5)
        (event,) = world.events()
        self.assertEqual(event.send_message.msg.timestamp, 4600)
        world.echo()
        self.assertEqual(world.answers["one"].time_ms, 4_600_500)

    def test_lost_before_it_has_it(self) -> None:
        """
        A send that had not arrived when the stream was lost is written again on the
        next stream, before newer ones.
        """
        world = self.world
        world.start("a:1")
        world.send("one")
        world.events()
        self.stream().lose()
        world.send("two")
        world.run(0.5)
        said = [event.send_message.msg.content for event in world.events()]
        self.assertEqual(said, ["text of one", "text of two"])

    def test_away(self) -> None:
        """
        Sends wait while Message is missing, and are rejected as unavailable in the
        end.
        """
        world = LegacyWorld(upstream={"peer": "legacy"})
        world.start()
        world.send("one")
        world.run(4.9)
        self.assertEqual(world.answers, {})
        world.run(0.5)
        self.assertEqual(world.answers["one"].code, "unavailable")
        self.assertGreater(world.answers["one"].retry_after_ms, 0)

    def test_takes_nothing(self) -> None:
        """
        An event that cannot be written for C{stalled_s} ends the stream.
        """
        world = self.world
        world.start("a:1")
        world.send("one")
        assert self.stream().protocol.drain() is not None
        world.run(0.9)
        self.assertEqual(self.stream().dropped, "")
        world.run(3.5)
        reasons = [s.dropped for s in world.message().streams]
        self.assertIn("the Message took nothing that was written for 4.", reasons[0])

    def test_answers_nothing(self) -> None:
        """
        A silent Message is probed each second, and dropped when it does not answer.
        """
        world = self.world
        world.start("a:1")
        world.run(1.5)
        self.assertEqual(len(self.stream().echoes), 1)
        world.echo()
        world.run(5.6)
        self.assertIn("did not answer for 4.", world.message().streams[0].dropped)

    def test_late_welcome(self) -> None:
        """
        After a late welcome the next attempt waits for the welcome.
        """
        world = self.world
        world.start("a:1")
        self.assertTrue(world.upstream.unnumbered)
        welcome = rest_pb2.LinkWelcome(incarnation="m1")
        response = rest_pb2.MessageStreamResponse(welcome=welcome)
        self.stream().protocol.messageReceived(response)
        world.message().unnumbered = False
        world.run(0.5)
        self.assertEqual(world.message().peers[-2:], ["auto", "wsmsg"])
        self.assertFalse(world.upstream.unnumbered)
        renewed = [told for told in world.edge.calls if told[0] == "reconnect_all"]
        self.assertEqual(len(renewed), 2)

    def test_pinned(self) -> None:
        """
        If the settings say that Message is a legacy one, the subscribe has only legacy
        fields, and the first welcome says that messages have no numbers.
        """
        world = LegacyWorld(upstream={"peer": "legacy"})
        self.assertTrue(world.upstream.unnumbered)
        world.start("a:1")
        hello = self.world_hello(world)
        self.assertEqual(
            hello, rest_pb2.SubscribeRequest(connect_service_id="connect-1")
        )
        self.assertEqual([t for t in world.edge.calls if t[0] == "reconnect_all"], [])

    def world_hello(self, world: World) -> rest_pb2.SubscribeRequest:
        return world.message().stream.hello

    def test_mixed(self) -> None:
        """
        A legacy Message is dropped when one of wsmsg is up, and not used again as long
        as the other is found; its dependency says why.
        """
        world = LegacyWorld("a:1,b:1")
        world.message("b:1").unnumbered = False
        world.start("a:1")
        self.assertTrue(world.upstream.unnumbered)
        world.message("b:1").refuses = ""
        world.run(3)
        self.assertFalse(world.upstream.unnumbered)
        legacy, native = world.upstream.dependencies()
        self.assertIn("sends no welcome", legacy.snapshot().last_error)
        self.assertIs(legacy.state, State.CONNECTING)
        self.assertEqual(native.snapshot().about, "wsmsg")

    def test_marks(self) -> None:
        """
        Marks become acknowledgements, also those made while Message is missing.
        """
        world = LegacyWorld(upstream={"peer": "legacy"})
        marked = self.successResultOf(
            world.upstream.reads.mark(2, [Mark(2, 5), Mark(2, 0, "u:1:2", 3)])
        )
        self.assertEqual(marked, [True, False])
        world.start("a:1")
        (event,) = world.events()
        self.assertEqual((event.ack.user_id, event.ack.message_id), (2, 5))

    def test_reads(self) -> None:
        """
        Reads fail as unsupported.
        """
        upstream: Upstream = LegacyWorld(upstream={"peer": "legacy"}).upstream
        asked: list[Deferred[Any]] = [
            upstream.reads.page(1, "u:1:2", 0, 10),
            upstream.reads.heads(1, "", 10, continued=False),
            upstream.reads.group(1, "g:5", 0, 10),
            upstream.reads.unread(1, "", 10),
        ]
        for deferred in asked:
            self.failureResultOf(deferred, Unsupported)

    def test_presence(self) -> None:
        """
        Users of this node are online, and their logins and logouts are sent to those
        who watch them.
        """
        world = self.world
        world.start("a:1")
        found = self.successResultOf(world.upstream.reads.presence([1, 9]))
        self.assertEqual([(p.user, p.online) for p in found], [(1, True), (9, False)])
        world.edge.calls.clear()
        self.assertTrue(self.successResultOf(world.upstream.user_joined(2)))
        world.upstream.user_left(2)
        told = [(p.user, p.online) for _, p in world.edge.calls]
        self.assertEqual(told, [(2, True), (2, False)])

    def test_nothing_gathers(self) -> None:
        """
        Nothing is kept that a legacy Message would not understand.
        """
        world = self.world
        world.start("a:1")
        for seq in range(1, 100):
            world.upstream.cursor("u:1:2", 1, seq, seq)
            world.upstream.typing(f"u:1:{seq}", 1)
        world.upstream.watch([5])
        self.assertEqual(world.events(), [])

    def test_failure(self) -> None:
        """
        A failure of an unaccepted send rejects the send; any other failure is counted.
        """
        world = self.world
        world.start("a:1")
        world.send("one")
        (event,) = world.events()
        failure = rest_pb2.MessageFailureEvent(
            failure_reason="full", original_message=event.send_message.msg
        )
        response = rest_pb2.MessageStreamResponse(failure=failure)
        self.stream().protocol.messageReceived(response)
        self.assertEqual(world.answers["one"].code, "bad_request")
        self.assertIn("full", world.answers["one"].reason)
        self.stream().protocol.messageReceived(response)
        self.assertEqual(world.upstream.stats()["failures"], 2)
        world.echo()
        self.assertEqual(list(world.answers), ["one"])

    def test_odd_messages(self) -> None:
        """
        A message that does not belong on the stream ends it with a reason; an odd push
        does not.
        """
        world = self.world
        world.start("a:1")
        odd = rest_pb2.MessageStreamResponse(push_event={"target_user_id": 1})
        self.stream().protocol.messageReceived(odd)
        self.stream().protocol.messageReceived(rest_pb2.MessageStreamResponse())
        self.assertEqual(world.upstream.stats()["odd_events"], 1)
        self.assertEqual(self.stream().dropped, "")
        self.stream().protocol.messageReceived(None)
        self.assertIn("not a MessageStreamResponse", self.stream().dropped)
