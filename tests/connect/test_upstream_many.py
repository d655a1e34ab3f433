"""
Several Messages at one Connect, without any network.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream_doubles import MemoryStream, World, client_ids
from wsmsg.connect.upstream_peers import LINGER_S
from wsmsg.model import Presence
from wsmsg.rpc import rest_pb2

BOTH = ("a:1", "b:1")


class ManyTestCase(SynchronousTestCase):
    """
    One Connect, two Messages.
    """

    def both(self) -> World:
        world = World(",".join(BOTH))
        for name in BOTH:
            world.message(name).refuses = ""
        world.upstream.startService()
        world.clock.advance(0)
        return world

    def streams(self, world: World) -> tuple[MemoryStream, MemoryStream]:
        """
        @return: the stream of the primary and the other one, whose frames are taken.
        """
        a, b = (world.message(name).stream for name in BOTH)
        primary = [stream.apply().primary for stream in (a, b)]
        self.assertEqual(sorted(primary), [False, True])
        return (a, b) if primary[0] else (b, a)

    def name(self, world: World, stream: MemoryStream) -> str:
        return next(n for n in BOTH if world.message(n).stream is stream)

    def found(self, world: World, *addresses: str) -> None:
        assert world.discovery.changed is not None
        world.discovery.changed(frozenset(addresses))


class PrimaryTests(ManyTestCase):
    """
    One Message writes our users' presence, at any time.
    """

    def test_said_first(self) -> None:
        """
        The primary is told so in its first frame, and keeps it while it is there.
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
        When the primary's stream is lost another is told at once.
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
        When all were lost, the first that is back is the primary.
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
        A primary that is silent gives way before its lease on us can run out, and
        is told so in case that it lives.
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
        A primary that discovery does not name any more is told to stop being it.
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
        Nodes that lose a Message do not all turn to the same other one.
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


class DiscoveryTests(ManyTestCase):
    """
    Messages that come and go while Connect runs.
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
        One that is not found any more keeps its stream for a while, with all users
        and their pushes, but gets no new conversation.
        """
        world = self.both()
        leaving, stays = self.streams(world)
        self.found(world, self.name(world, stays))
        world.upstream.came(7)
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
        One that has left and ends its stream is not dialled again.
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
        One that was missing for a moment goes on with the stream that it has.
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
        While nobody else is up, one that has left is still asked.
        """
        world = World("a:1")
        world.start("a:1")
        self.found(world, "b:1")
        world.send("one")
        self.assertEqual(client_ids(world.message("a:1").stream.take()), ["one"])


class FailoverTests(ManyTestCase):
    """
    Sends whose Message dies.
    """

    def test_nothing_overtakes_what_was_refused(self) -> None:
        """
        What is behind a send that one Message refused for a moment is refused too
        when that Message dies, and not accepted by another.
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


class WatchTests(ManyTestCase):
    """
    Who is online, by the words of several Messages.
    """

    def told(self, world: World) -> list[Presence]:
        return [one[1] for one in world.edge.told if one[0] == "presence"]

    def test_all_are_asked(self) -> None:
        """
        Every Message is asked; what both say is told once.
        """
        world = self.both()
        a, b = self.streams(world)
        world.upstream.watch([5, 6])
        world.upstream.unwatch([6])
        for stream in (a, b):
            watch = stream.take().watch
            self.assertEqual((list(watch.add), list(watch.remove)), ([5], [6]))
        for stream in (a, b):
            stream.say(presence=[rest_pb2.Presence(user=5, online=True)])
        self.assertEqual(self.told(world), [Presence(5, True)])
        a.say(presence=[rest_pb2.Presence(user=5, last_seen_ms=7)])
        self.assertEqual(self.told(world), [Presence(5, True)])
        b.say(presence=[rest_pb2.Presence(user=5, last_seen_ms=8)])
        self.assertEqual(self.told(world)[1:], [Presence(5, False, 8)])

    def test_known_by_a_read(self) -> None:
        """
        What a client's own read told it is not told again when the streams say it,
        but to all who watch where another read says otherwise.
        """
        world = self.both()
        a, b = self.streams(world)
        world.upstream.watch([5, 6])
        found: list[Presence] = []
        self.read(world, (a, b), [Presence(5, True), Presence(6, False, 4)], found)
        self.assertEqual(found, [Presence(5, True), Presence(6, False, 4)])
        for stream in (a, b):
            stream.say(presence=[rest_pb2.Presence(user=5, online=True)])
        self.assertEqual(self.told(world), [])
        self.read(world, (a, b), [Presence(5, False, 3), Presence(6, True)], found)
        self.assertEqual(found, [Presence(5, True), Presence(6, True)])
        self.assertEqual(self.told(world), [Presence(6, True)])

    def test_gone_for_a_while(self) -> None:
        """
        When no Message was there for a while all that is known then is told, as who
        came meanwhile was told nothing.
        """
        world = World("a:1")
        world.start("a:1")
        world.upstream.watch([5])
        stream = world.message().stream
        stream.say(presence=[rest_pb2.Presence(user=5, online=True)])
        world.edge.asked_for = [5]
        stream.lose()
        world.run(3)
        world.message().stream.say(presence=[rest_pb2.Presence(user=5, online=True)])
        self.assertEqual(self.told(world), [Presence(5, True)] * 2)

    def read(
        self,
        world: World,
        streams: tuple[MemoryStream, ...],
        said: list[Presence],
        found: list[Presence],
    ) -> None:
        """
        A client asks for these users, and one of the Messages says this of them.
        """
        before = {s: len(s.queries) for s in streams}
        asked = world.upstream.presence([p.user for p in said])
        (stream,) = [s for s, n in before.items() if len(s.queries) > n]
        found.clear()
        asked.addCallback(found.extend)
        self.answer(stream, *said)

    def test_late_word(self) -> None:
        """
        A word about somebody who is not watched any more is nobody's news.
        """
        world = self.both()
        a, _ = self.streams(world)
        world.upstream.watch([5])
        world.upstream.unwatch([5])
        a.say(presence=[rest_pb2.Presence(user=5, online=True)])
        self.assertEqual(self.told(world), [])

    def test_message_lost(self) -> None:
        """
        With a Message its words go; whom only it said to be online is asked for, and
        asked again until a stream tells or the user is gone.
        """
        world = self.both()
        a, b = self.streams(world)
        world.edge.asked_for = [5, 6]
        world.upstream.watch([5, 6])
        a.say(presence=[rest_pb2.Presence(user=n, online=True) for n in (5, 6)])
        b.say(presence=[rest_pb2.Presence(user=6, online=True)])
        world.message(self.name(world, a)).refuses = "connection refused"
        before = len(b.queries)
        a.lose()
        self.assertEqual(self.asked(b, before), [5])
        self.answer(b, Presence(5, True))
        world.run(2.5)
        self.assertEqual(self.asked(b, before + 1), [5])
        self.answer(b, Presence(5, False, 9))
        self.assertEqual(self.told(world)[-1], Presence(5, False, 9))
        n_asked = len(b.queries)
        world.run(3)
        self.assertEqual(len(b.queries), n_asked)

    def test_old_answer(self) -> None:
        """
        A read that is older than the word of a stream changes nothing.
        """
        world = World("a:1")
        world.edge.asked_for = [5]
        world.start("a:1")
        stream = world.message().stream
        stream.say(presence=[rest_pb2.Presence(user=5, online=True)])
        self.answer(stream, Presence(5, False, 3))
        self.assertEqual(self.told(world), [Presence(5, True)])

    def asked(self, stream: MemoryStream, nth: int) -> list[int]:
        return list(stream.queries[nth][0].items[0].presence.users)

    def answer(self, stream: MemoryStream, *presence: Presence) -> None:
        """
        Answer what was asked last.
        """
        found = rest_pb2.PresenceAnswer(
            presence=[
                rest_pb2.Presence(
                    user=p.user, online=p.online, last_seen_ms=p.last_seen_ms
                )
                for p in presence
            ]
        )
        stream.queries[-1][1].callback(
            rest_pb2.QueryResponse(answers=[rest_pb2.QueryAnswer(presence=found)])
        )
