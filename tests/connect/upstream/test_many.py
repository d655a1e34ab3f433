"""
Tests of several Messages at one Connect, without any network.
"""

from __future__ import annotations

from tests.connect.upstream.cases import BOTH, ManyTestCase
from tests.connect.upstream.doubles import World, client_ids
from wsmsg.connect.upstream.peers import LINGER_S
from wsmsg.rpc import rest_pb2


class PrimaryTests(ManyTestCase):
    """
    One Message at a time is the primary.
    """

    def test_said_first(self) -> None:
        """
        The first frame to the primary says that it is, and it stays the primary while
        it is up.
        """
        world = World("a:1,b:1")
        world.edge.there = [1]
        world.start("b:1")
        first = world.message("b:1").stream
        world.message("a:1").refuses = ""
        world.run(3)
        self.assertFalse(world.message("a:1").stream.apply().HasField("primary"))
        self.assertFalse(first.apply().HasField("primary"))

    def test_lost(self) -> None:
        """
        After the loss of the primary's stream another Message is the primary at once.
        """
        world = self.both()
        primary, other = self.streams(world)
        lost = self.name(world, primary)
        world.message(lost).refuses = "connection refused"
        primary.lose()
        self.assertTrue(other.take().primary)
        world.message(lost).refuses = ""
        world.run(5)
        self.assertFalse(world.message(lost).stream.apply().HasField("primary"))
        self.assertFalse(other.take().HasField("primary"))

    def test_all_lost(self) -> None:
        """
        After the loss of all streams, the first Message that is back is the primary.
        """
        world = self.both()
        primary, other = self.streams(world)
        lost = self.name(world, primary)
        world.message(lost).refuses = "connection refused"
        other.lose()
        primary.lose()
        world.run(0.5)
        back = world.message(_but(lost))
        self.assertTrue(back.stream.apply().primary)

    def test_silent(self) -> None:
        """
        A silent primary is replaced before its lease on the users can run out, and is
        sent the news in case it is alive.
        """
        world = World("a:1,b:1")
        for name in BOTH:
            world.message(name).heartbeat_ms = 1500
        world.start(*BOTH)
        a, b = (world.message(name).stream for name in BOTH)
        # Who leads has taken its first frame in start().
        world.upstream.typing("u:1:2", 1)
        leads, other = (a, b) if a.take().typing else (b, a)
        for _ in range(int(3.3 / 0.05)):
            world.clock.advance(0.05)
            other.apply()
            if leads.take().HasField("primary"):
                break
        else:
            self.fail("the primary was not moved in time")
        world.upstream.typing("u:1:2", 1)
        self.assertTrue(other.take().typing)

    def test_leaving(self) -> None:
        """
        A primary that discovery no longer finds is replaced and informed.
        """
        world = self.both()
        primary, other = self.streams(world)
        self.found(world, self.name(world, other))
        ceased = primary.take()
        self.assertTrue(ceased.HasField("primary"))
        self.assertFalse(ceased.primary)
        self.assertTrue(other.take().primary)

    def test_nodes_differ(self) -> None:
        """
        Nodes that lose a Message do not all choose the same other one.
        """
        chosen: set[int] = set()
        for n in range(20):
            world = World("a:1,b:1,c:1", node=f"connect-{n}")
            world.start("a:1", "b:1", "c:1")
            streams = [world.message(name).stream for name in ("a:1", "b:1", "c:1")]
            streams[0].lose()
            chosen.update(i for i in (1, 2) if streams[i].take().primary)
        self.assertEqual(chosen, {1, 2})


def _but(name: str) -> str:
    return BOTH[1 - BOTH.index(name)]


class TwoAddressesTests(ManyTestCase):
    """
    One Message under two addresses.
    """

    def one_message(self) -> World:
        world = World(",".join(BOTH))
        a, b = (world.message(name) for name in BOTH)
        a.other, b.other = b, a
        a.refuses = b.refuses = ""
        world.edge.there = [1]
        world.upstream.startService()
        world.clock.advance(0)
        return world

    def test_one_stream(self) -> None:
        """
        One stream is opened, and stays; both addresses are reported as up, and the
        clients sync once.
        """
        world = self.one_message()
        world.message("a:1").stream.apply()
        for _ in range(60):
            world.run(1)
            world.message("a:1").stream.apply()
        self.assertEqual(len(world.message("a:1").streams), 1)
        self.assertEqual(world.message("b:1").streams, [])
        self.assertLessEqual(world.message("b:1").attempts, 13)
        a, b = (d.snapshot() for d in world.upstream.dependencies())
        self.assertEqual((a.state, b.state, a.losses, b.losses), ("up", "up", 0, 0))
        self.assertEqual(b.about, "there is a stream by another address")
        resyncs = [call for call in world.edge.calls if call[0] == "resync"]
        self.assertEqual(len(resyncs), 1)

    def test_takes_over(self) -> None:
        """
        The other address is dialled at once if the one with the stream breaks; once the
        first is back, the stream stays where it is.
        """
        world = self.one_message()
        a, b = (world.message(name) for name in BOTH)
        a.refuses = "connection refused"
        a.stream.lose()
        self.assertEqual(len(b.streams), 1)
        self.assertEqual(list(b.stream.apply().presence.online), [1])
        a.refuses = ""
        world.run(30)
        self.assertEqual((len(a.streams), len(b.streams)), (1, 1))
        self.assertEqual([d.up for d in world.upstream.dependencies()], [True, True])

    def test_gone(self) -> None:
        """
        Neither address is reported as up once the Message is gone.
        """
        world = self.one_message()
        for name in BOTH:
            world.message(name).refuses = "connection refused"
        world.message("a:1").stream.lose()
        self.assertEqual([d.up for d in world.upstream.dependencies()], [False, False])
        b = world.upstream.dependencies()[1].snapshot()
        self.assertEqual((b.about, b.last_error), ("", "connection refused"))

    def test_becomes_another(self) -> None:
        """
        An address at which another Message answers later gets a stream of its own.
        """
        world = self.one_message()
        a, b = (world.message(name) for name in BOTH)
        a.other = b.other = None
        world.run(6)
        self.assertEqual((len(a.streams), len(b.streams)), (1, 1))
        self.assertTrue(world.upstream.dependencies()[1].up)

    def test_half_open(self) -> None:
        """
        A stream that only the Message still holds does not keep the other address from
        being used.
        """
        world = self.one_message()
        a, b = (world.message(name) for name in BOTH)
        held = a.stream
        protocol = held.protocol
        a.refuses = "connection refused"
        held.lose()
        held.protocol = protocol  # to the Message, the stream is open
        protocol.connectionLost = lambda _: None
        world.run(6)
        self.assertEqual(len(b.streams), 1)


class DiscoveryTests(ManyTestCase):
    """
    Messages that appear and disappear while Connect runs.
    """

    def test_comes(self) -> None:
        """
        A Message that is found later gets a stream, all users, and new conversations.
        """
        world = World("a:1")
        world.edge.there = [1, 2]
        world.start("a:1")
        world.send("one")
        world.message("b:1").refuses = ""
        self.found(world, *BOTH)
        new = world.message("b:1").stream
        self.assertEqual(list(new.apply().presence.online), [1, 2])
        world.send("two", "u:1:3")
        self.assertEqual(client_ids(new.take()), ["two"])
        names = [d.name for d in world.upstream.dependencies()]
        self.assertEqual(names, ["message a:1", "message b:1"])

    def test_leaves(self) -> None:
        """
        A Message that is no longer found keeps its stream for a while, with all users
        and their pushes, but gets no new conversation.
        """
        world = self.both()
        leaving, stays = self.streams(world)
        self.found(world, self.name(world, stays))
        world.upstream.user_joined(7)
        self.assertEqual(list(leaving.apply().presence.online), [7])
        for n in range(4):
            world.send(f"c{n}", f"u:1:{n + 2}")
        self.assertEqual(leaving.take().sends[:], [])
        world.run(LINGER_S - 1)
        self.assertIsNotNone(leaving.protocol)
        world.run(1.5)
        self.assertIsNone(leaving.protocol)
        world.run(10)
        attempts = world.message(self.name(world, leaving)).attempts
        self.assertEqual(attempts, 1)

    def test_leaves_and_ends(self) -> None:
        """
        A Message that is no longer found and ends its stream is not dialled again.
        """
        world = self.both()
        leaving, stays = self.streams(world)
        self.found(world, self.name(world, stays))
        world.send("one")
        leaving.lose("Message is stopping")
        world.run(60)
        self.assertEqual(world.message(self.name(world, leaving)).attempts, 1)

    def test_flaps(self) -> None:
        """
        A Message that was missing for a moment keeps its stream.
        """
        world = self.both()
        leaving, stays = self.streams(world)
        self.found(world, self.name(world, stays))
        world.run(5)
        self.found(world, *BOTH)
        world.run(LINGER_S + 5)
        for n in range(2):
            world.send(f"c{n}", f"u:1:{n + 2}")
        self.assertEqual(len(leaving.take().sends), 1)
        message = world.message(self.name(world, leaving))
        self.assertEqual(message.attempts, 1)
        leaving.lose()
        world.run(1)
        self.assertEqual(message.attempts, 2)

    def test_only_the_leaving_lives(self) -> None:
        """
        While no other stream is up, one to a Message that is no longer found is used.
        """
        world = World("a:1")
        world.start("a:1")
        self.found(world, "b:1")
        world.send("one")
        self.assertEqual(client_ids(world.message("a:1").stream.take()), ["one"])


class FailoverTests(ManyTestCase):
    """
    Sends to a Message that dies.
    """

    def test_nothing_overtakes_what_was_refused(self) -> None:
        """
        Sends behind one that a Message rejected for a moment are rejected as well when
        the Message dies, and not accepted by another one.
        """
        world = self.both()
        a, b = self.streams(world)
        for name in ("one", "two", "three"):
            world.send(name)
        holder, other = (a, b) if (sends := a.take().sends) else (b, a)
        sends = sends or holder.take().sends
        holder.say(
            results=[
                rest_pb2.SendResult(
                    id=sends[0].id, code="unavailable", retry_after_ms=1000
                )
            ]
        )
        self.assertEqual(world.answers["one"].code, "unavailable")
        holder.lose()
        self.assertEqual(client_ids(other.take()), [])
        for name in ("two", "three"):
            self.assertEqual(world.answers[name].code, "unavailable")
            self.assertGreater(world.answers[name].retry_after_ms, 0)
        world.send("four")
        self.assertEqual(world.answers["four"].code, "unavailable")
        world.run(1)
        for name in ("one", "two", "three", "four"):
            del world.answers[name]
            world.send(name)
        self.assertEqual(client_ids(other.take()), ["one", "two", "three", "four"])
