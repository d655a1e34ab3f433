"""
What Connect keeps for a deployed Message, without any network.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream_doubles import World
from wsmsg.connect.deployed_acks import ACKS, Acks
from wsmsg.connect.deployed_repeats import Repeats
from wsmsg.connect.deployed_wire import ack_event, pushed, same, send_event
from wsmsg.connect.interfaces import NewSend, OnAnswer, SendAnswer
from wsmsg.connect.upstream import Upstream
from wsmsg.dependency import State
from wsmsg.errors import Unsupported
from wsmsg.model import INT64_MAX, Mark
from wsmsg.rpc import rest_pb2


def ws(sender: int, to: int = 0, content: str = "hi", **more: Any) -> Any:
    more.setdefault("message_id", 5)
    more.setdefault("message_type", 1)
    return rest_pb2.WSMessage(**{"from": sender}, to=to, content=content, **more)


class WireTests(SynchronousTestCase):
    """
    The events as bytes, and what comes as our values.
    """

    def test_recorded_send(self) -> None:
        """
        A send is the bytes of the recording.
        """
        new = NewSend(1001, "c1", "u:1001:1002", "hello from 1001", 1)
        event = send_event(new, 1795447835)
        self.assertEqual(
            event.SerializeToString().hex(),
            "22210a1f10e90718ea072a0f68656c6c6f2066726f6d2031303031309bb891d8063801",
        )

    def test_recorded_ack(self) -> None:
        """
        An acknowledgement is the bytes of the recording.
        """
        event = ack_event(1002, 1795447835846364, 1795447835)
        self.assertEqual(
            event.SerializeToString().hex(), "121210dccddfb3b49e980318ea07209bb891d806"
        )

    def test_places(self) -> None:
        """
        A send goes to the other of two, to oneself, or to a group.
        """
        places = []
        for sender, conversation in ((2, "u:1:2"), (1, "u:1:2"), (7, "u:7:7")):
            new = NewSend(sender, "c", conversation, "x", 1)
            places.append(send_event(new, 1).send_message.msg.to)
        self.assertEqual(places, [1, 2, 7])
        group = send_event(NewSend(1, "c", "g:5", "x", 1), 1).send_message.msg
        self.assertEqual((group.to, group.group_id), (0, 5))

    def test_pushed(self) -> None:
        """
        What is pushed has no number; its time is told in milliseconds.
        """
        event = rest_pb2.MessagePushEvent(
            target_user_id=2, message=ws(1, 2, timestamp=17)
        )
        message = pushed(event)
        assert message is not None
        self.assertEqual((message.seq, message.time_ms), (0, 17_000))
        self.assertEqual((message.conversation, message.kind), ("u:1:2", 1))

    def test_odd(self) -> None:
        """
        What nobody can have said is nothing, however it is spelled.
        """
        for message in (
            ws(0, 2),
            ws(-1, 2),
            ws(1),
            ws(1, -2),
            ws(1, 0, group_id=-5),
            ws(1, 2, message_id=0),
            ws(1, 2, message_id=-INT64_MAX),
            ws(1, 2, message_type=2),
            ws(1, 2, message_type=10),
            rest_pb2.WSMessage(),
        ):
            event = rest_pb2.MessagePushEvent(target_user_id=2, message=message)
            self.assertIsNone(pushed(event), message)
        for target in (0, -1):
            event = rest_pb2.MessagePushEvent(target_user_id=target, message=ws(1, 2))
            self.assertIsNone(pushed(event))

    def test_odd_times_and_types(self) -> None:
        """
        A time or a type that cannot be becomes one that can.
        """
        for timestamp, kind in ((-5, -1), (INT64_MAX, 2**31 - 1), (0, 0)):
            message = ws(1, 2, timestamp=timestamp, message_type=kind)
            event = rest_pb2.MessagePushEvent(target_user_id=2, message=message)
            found = pushed(event)
            assert found is not None
            self.assertTrue(0 <= found.time_ms <= INT64_MAX)
            self.assertEqual(found.kind, 1)

    def test_same(self) -> None:
        """
        A failed message is known by sender, place, content and time.
        """
        new = NewSend(1, "c", "u:1:2", "hi", 1)
        self.assertTrue(same(new, 9, ws(1, 2, timestamp=9)))
        for other in (ws(2, 1, timestamp=9), ws(1, 2, "ho"), ws(1, 2, timestamp=8)):
            self.assertFalse(same(new, 9, other))


class AcksTests(SynchronousTestCase):
    """
    What L{Acks} keeps.
    """

    def test_once(self) -> None:
        """
        An acknowledgement that waits is written once, however often it was asked.
        """
        acks = Acks()
        acks.add(1, 5)
        acks.add(1, 5)
        acks.add(2, 5)
        taken = [acks.take(0), acks.take(0), acks.take(0)]
        self.assertEqual(taken, [(1, 5), (2, 5), None])

    def test_early(self) -> None:
        """
        One that came too early is said again, later and later, and then no more.
        """
        acks = Acks()
        acks.add(1, 5)
        now = 0.0
        waits = []
        while acks.take(now):
            acks.answered(5, False, now)
            began = now
            while not acks.sweep(now) and now < began + 20:
                now += 0.5
            waits.append(now - began)
        self.assertEqual(waits, [0.5, 2.0, 8.0, 20.0])

    def test_lost(self) -> None:
        """
        What was not confirmed when the stream was lost is said on the next.
        """
        acks = Acks()
        for message_id in (5, 6):
            acks.add(1, message_id)
            acks.take(0)
        acks.answered(5, True, 0)
        acks.lost()
        self.assertEqual([acks.take(0), acks.take(0)], [(1, 6), None])

    def test_bounded(self) -> None:
        """
        However many are asked for or never confirmed, so many are kept.
        """
        acks = Acks()
        for message_id in range(1, ACKS + 11):
            acks.add(1, message_id)
        self.assertEqual((len(acks), acks.shed), (ACKS, 10))
        for _ in range(2):
            while acks.take(0):
                pass
            for message_id in range(1, ACKS + 11):
                acks.add(2, message_id)
        acks.lost()
        self.assertLessEqual(len(acks), ACKS)

    def test_not_asked(self) -> None:
        """
        A confirmation of nothing that was said is nothing.
        """
        acks = Acks()
        acks.answered(5, False, 0)
        acks.answered(0, True, 0)
        self.assertFalse(acks.sweep(100))


class RepeatsTests(SynchronousTestCase):
    """
    What L{Repeats} keeps.
    """

    def setUp(self) -> None:
        self.sent: list[tuple[NewSend, OnAnswer]] = []
        self.repeats = Repeats(lambda new, answer: self.sent.append((new, answer)))
        self.answers: list[SendAnswer] = []

    def say(self, content: str = "hi") -> None:
        new = NewSend(1, "c1", "u:1:2", content, 1)
        self.repeats.send(new, self.answers.append)

    def test_waiting(self) -> None:
        """
        One that is repeated while it waits is sent once, and both are answered.
        """
        self.say()
        self.say()
        ((_, on_answer),) = self.sent
        on_answer(SendAnswer(7))
        self.assertEqual(self.answers, [SendAnswer(7)] * 2)

    def test_accepted(self) -> None:
        """
        One that was accepted is answered in the same way again; with other words it
        is a conflict.
        """
        self.say()
        self.sent[0][1](SendAnswer(7))
        self.say()
        self.say("other words")
        self.assertEqual(len(self.sent), 1)
        codes = [(answer.time_ms, answer.code) for answer in self.answers]
        self.assertEqual(codes, [(7, ""), (7, ""), (0, "conflict")])

    def test_rejected(self) -> None:
        """
        One that was rejected is sent again.
        """
        self.say()
        self.sent[0][1](SendAnswer(code="unavailable"))
        self.say()
        self.assertEqual(len(self.sent), 2)


class DeployedWorld(World):
    """
    A world whose Messages are deployed ones.
    """

    def __init__(self, addresses: str = "a:1", **settings: Any) -> None:
        super().__init__(addresses, **settings)
        for address in addresses.split(","):
            self.message(address).deployed = True

    def start(self, *up: str) -> None:
        for address in up:
            self.message(address).refuses = ""
        self.upstream.startService()
        self.clock.advance(0)

    def events(self, address: str = "a:1") -> list[Any]:
        """
        Take all events that Connect has for it.
        """
        return self.message(address).stream.events()

    def echo(self, address: str = "a:1") -> None:
        """
        Answer whether it is there.
        """
        self.message(address).stream.echoes.pop(0).callback(None)


class DeployedStreamTests(SynchronousTestCase):
    """
    The stream, by the clock.
    """

    def setUp(self) -> None:
        self.world = DeployedWorld()
        self.world.edge.there = [1, 2]

    def stream(self) -> Any:
        return self.world.message().stream

    def test_accepted_when_it_has_it(self) -> None:
        """
        A send is accepted when Message answered something after it was written.
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

    def test_lost_before_it_has_it(self) -> None:
        """
        What had not arrived when the stream was lost is written again on the next,
        before what is newer.
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
        While it is away sends wait, and are refused as unavailable in the end.
        """
        world = DeployedWorld(upstream={"peer": "deployed"})
        world.start()
        world.send("one")
        world.run(4.9)
        self.assertEqual(world.answers, {})
        world.run(0.5)
        self.assertEqual(world.answers["one"].code, "unavailable")
        self.assertGreater(world.answers["one"].retry_after_ms, 0)

    def test_takes_nothing(self) -> None:
        """
        An event that cannot be written for so long ends the stream.
        """
        world = self.world
        world.start("a:1")
        world.send("one")
        assert self.stream().protocol.drain() is not None
        world.run(0.9)
        self.assertEqual(self.stream().dropped, "")
        world.run(3.5)
        reasons = [s.dropped for s in world.message().streams]
        self.assertIn("it took nothing that was written for 4.", reasons[0])

    def test_answers_nothing(self) -> None:
        """
        A silent peer is asked each second, and given up when it does not answer.
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
        A welcome that comes late ends the mistake: the next attempt waits for it.
        """
        world = self.world
        world.start("a:1")
        self.assertTrue(world.upstream.unnumbered)
        welcome = rest_pb2.LinkWelcome(incarnation="m1")
        response = rest_pb2.MessageStreamResponse(welcome=welcome)
        self.stream().protocol.messageReceived(response)
        world.message().deployed = False
        world.run(0.5)
        self.assertEqual(world.message().peers[-2:], ["auto", "wsmsg"])
        self.assertFalse(world.upstream.unnumbered)
        renewed = [told for told in world.edge.told if told[0] == "renew"]
        self.assertEqual(len(renewed), 2)

    def test_pinned(self) -> None:
        """
        Where the settings name it, the subscribe is theirs alone, and the first
        session is told already.
        """
        world = DeployedWorld(upstream={"peer": "deployed"})
        self.assertTrue(world.upstream.unnumbered)
        world.start("a:1")
        hello = self.world_hello(world)
        self.assertEqual(
            hello, rest_pb2.SubscribeRequest(connect_service_id="connect-1")
        )
        self.assertEqual([t for t in world.edge.told if t[0] == "renew"], [])

    def world_hello(self, world: World) -> rest_pb2.SubscribeRequest:
        return world.message().stream.hello

    def test_mixed(self) -> None:
        """
        When one of ours comes up, a deployed one beside it is let go, and not used
        again while that is found; its dependency says why.
        """
        world = DeployedWorld("a:1,b:1")
        world.message("b:1").deployed = False
        world.start("a:1")
        self.assertTrue(world.upstream.unnumbered)
        world.message("b:1").refuses = ""
        world.run(3)
        self.assertFalse(world.upstream.unnumbered)
        deployed, ours = world.upstream.dependencies()
        self.assertIn("beside others of wsmsg", deployed.snapshot().last_error)
        self.assertIs(deployed.state, State.CONNECTING)
        self.assertEqual(ours.snapshot().about, "wsmsg")

    def test_marks(self) -> None:
        """
        Marks become acknowledgements, also those made while it is away.
        """
        world = DeployedWorld(upstream={"peer": "deployed"})
        marked = self.successResultOf(
            world.upstream.mark(2, [Mark(2, 5), Mark(2, 0, "u:1:2", 3)])
        )
        self.assertEqual(marked, [True, False])
        world.start("a:1")
        (event,) = world.events()
        self.assertEqual((event.ack.user_id, event.ack.message_id), (2, 5))

    def test_reads(self) -> None:
        """
        What reads fails, and says that there is no such thing.
        """
        upstream: Upstream = DeployedWorld(upstream={"peer": "deployed"}).upstream
        asked: list[Deferred[Any]] = [
            upstream.page(1, "u:1:2", 0, 10),
            upstream.heads(1, 0, 10),
            upstream.group(1, "g:5", 0, 10),
            upstream.unread(1, 0, 10),
        ]
        for deferred in asked:
            self.failureResultOf(deferred, Unsupported)

    def test_presence(self) -> None:
        """
        Who is here is online; who watches is told of those who come and go.
        """
        world = self.world
        world.start("a:1")
        found = self.successResultOf(world.upstream.presence([1, 9]))
        self.assertEqual([(p.user, p.online) for p in found], [(1, True), (9, False)])
        world.edge.told.clear()
        self.assertTrue(self.successResultOf(world.upstream.came(2)))
        world.upstream.left(2)
        told = [(p.user, p.online) for _, p in world.edge.told]
        self.assertEqual(told, [(2, True), (2, False)])

    def test_nothing_gathers(self) -> None:
        """
        What it would not understand is not kept for it either.
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
        A failure of a send that is not accepted rejects it; of any other it is
        counted.
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
        What is no message of the stream ends it with a reason; odd pushes do not.
        """
        world = self.world
        world.start("a:1")
        odd = rest_pb2.MessageStreamResponse(push_event={"target_user_id": 1})
        self.stream().protocol.messageReceived(odd)
        self.stream().protocol.messageReceived(rest_pb2.MessageStreamResponse())
        self.assertEqual(world.upstream.stats()["odd_events"], 1)
        self.assertEqual(self.stream().dropped, "")
        self.stream().protocol.messageReceived(None)
        self.assertIn("no MessageStreamResponse", self.stream().dropped)
