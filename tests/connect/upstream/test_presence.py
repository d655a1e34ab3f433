"""
Tests of presence merged from several Messages, without any network.
"""

from __future__ import annotations

from tests.connect.upstream.cases import ManyTestCase
from tests.connect.upstream.doubles import MemoryStream, World
from wsmsg.connect.upstream.outgoing import FRAME_WATCHED
from wsmsg.errors import Unavailable
from wsmsg.model import UserPresence
from wsmsg.rpc import rest_pb2


class WatchTests(ManyTestCase):
    """
    Presence of watched users.
    """

    def sent(self, world: World) -> list[UserPresence]:
        return [one[1] for one in world.edge.calls if one[0] == "presence"]

    def test_all_are_asked(self) -> None:
        """
        Every Message is asked; presence that two of them report is sent once.
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
        self.assertEqual(self.sent(world), [UserPresence(5, True)])
        a.say(presence=[rest_pb2.Presence(user=5, last_seen_ms=7)])
        self.assertEqual(self.sent(world), [UserPresence(5, True)])
        b.say(presence=[rest_pb2.Presence(user=5, last_seen_ms=8)])
        self.assertEqual(self.sent(world)[1:], [UserPresence(5, False, 8)])

    def test_known_by_a_read(self) -> None:
        """
        Presence that a client has read is not sent again when the streams report it;
        another read with a different answer is sent to all who watch.
        """
        world = self.both()
        a, b = self.streams(world)
        world.upstream.watch([5, 6])
        found: list[UserPresence] = []
        self.read(
            world, (a, b), [UserPresence(5, True), UserPresence(6, False, 4)], found
        )
        self.assertEqual(found, [UserPresence(5, True), UserPresence(6, False, 4)])
        for stream in (a, b):
            stream.say(presence=[rest_pb2.Presence(user=5, online=True)])
        self.assertEqual(self.sent(world), [])
        self.read(
            world, (a, b), [UserPresence(5, False, 3), UserPresence(6, True)], found
        )
        self.assertEqual(found, [UserPresence(5, True), UserPresence(6, True)])
        self.assertEqual(self.sent(world), [UserPresence(6, True)])

    def test_read_fails(self) -> None:
        """
        After a client's read failed, presence is sent as soon as a Message answers.
        """
        world = self.both()
        a, b = self.streams(world)
        world.upstream.watch([5])
        a.say(presence=[rest_pb2.Presence(user=5, online=True)])
        asked = world.upstream.reads.presence([5])
        for stream in (a, b, a, b):
            for _, answer in stream.queries:
                if not answer.called:
                    answer.errback(Unavailable("busy"))
        self.failureResultOf(asked, Unavailable)
        world.run(1.5)
        (stream,) = [s for s in (a, b) if s.queries and not s.queries[-1][1].called]
        self.answer(stream, UserPresence(5, True))
        self.assertEqual(self.sent(world), [UserPresence(5, True)] * 2)

    def test_row_12_many_in_parts(self) -> None:
        """
        Row 12 of who may: a new stream names many watched users in several frames,
        those left out whom nobody watches any more when it is their turn.
        """
        world = World("a:1")
        users = list(range(1, 2 * FRAME_WATCHED + 2))
        world.upstream.watch(users)
        world.edge.asked_for = users
        world.message("a:1").refuses = ""
        world.upstream.startService()
        world.clock.advance(0)
        stream = world.message("a:1").stream
        named: list[int] = []
        while (request := stream.protocol.drain()) is not None:
            watch = request.batch.watch
            self.assertLessEqual(len(watch.add), FRAME_WATCHED + 1)
            if watch.add and not named:
                world.upstream.unwatch([users[-1]])
                world.upstream.watch([users[-1] + 1])
            named += watch.add
        self.assertEqual(sorted(named), [*users[:-1], users[-1] + 1])

    def test_gone_for_a_while(self) -> None:
        """
        After a time without any Message all presence is sent again, as clients that
        began to watch meanwhile were sent nothing.
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
        self.assertEqual(self.sent(world), [UserPresence(5, True)] * 2)

    def read(
        self,
        world: World,
        streams: tuple[MemoryStream, ...],
        said: list[UserPresence],
        found: list[UserPresence],
    ) -> None:
        """
        Have a client read the presence of these users, and one of the Messages answer.
        """
        before = {s: len(s.queries) for s in streams}
        asked = world.upstream.reads.presence([p.user for p in said])
        (stream,) = [s for s, n in before.items() if len(s.queries) > n]
        found.clear()
        asked.addCallback(found.extend)
        self.answer(stream, *said)

    def test_late_word(self) -> None:
        """
        A report about a user whom nobody watches any more is ignored.
        """
        world = self.both()
        a, _ = self.streams(world)
        world.upstream.watch([5])
        world.upstream.unwatch([5])
        a.say(presence=[rest_pb2.Presence(user=5, online=True)])
        self.assertEqual(self.sent(world), [])

    def test_message_lost(self) -> None:
        """
        A lost Message's reports are withdrawn.  Users whom only that Message reported
        are queried until a stream reports them or they are gone.
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
        self.answer(b, UserPresence(5, True))
        world.run(2.5)
        self.assertEqual(self.asked(b, before + 1), [5])
        self.answer(b, UserPresence(5, False, 9))
        self.assertEqual(self.sent(world)[-1], UserPresence(5, False, 9))
        n_asked = len(b.queries)
        world.run(3)
        self.assertEqual(len(b.queries), n_asked)

    def test_old_answer(self) -> None:
        """
        A read that is older than a stream's report changes nothing.
        """
        world = World("a:1")
        world.edge.asked_for = [5]
        world.upstream.watch([5])
        world.start("a:1")
        stream = world.message().stream
        stream.say(presence=[rest_pb2.Presence(user=5, online=True)])
        self.answer(stream, UserPresence(5, False, 3))
        self.assertEqual(self.sent(world), [UserPresence(5, True)])

    def asked(self, stream: MemoryStream, nth: int) -> list[int]:
        return list(stream.queries[nth][0].items[0].presence.users)

    def answer(self, stream: MemoryStream, *presence: UserPresence) -> None:
        """
        Answer the last query.
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
