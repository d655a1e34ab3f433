"""
Tests of the users that Connect reports to its Messages, without any network.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.doubles import World, client_ids
from wsmsg.connect.upstream import stream as upstream_stream
from wsmsg.connect.upstream.interface import Login
from wsmsg.rpc import rest_pb2

SNAPSHOT = rest_pb2.PresenceDelta


class PresenceTests(SynchronousTestCase):
    """
    Snapshots, deltas, and the logins that wait for them.
    """

    def test_snapshot_in_parts(self) -> None:
        """
        Many users are reported in parts, before anything else.
        """
        self.patch(upstream_stream, "SNAPSHOT_USERS", 2)
        world = World()
        world.edge.there = [1, 2, 3, 4, 5]
        world.start()
        world.send("one")
        world.message().refuses = ""
        world.run(0.2)
        frames = world.message().stream.frames()
        kinds = [f.presence.snapshot for f in frames]
        self.assertEqual(
            kinds, [SNAPSHOT.BEGIN, SNAPSHOT.MORE, SNAPSHOT.END, SNAPSHOT.NONE]
        )
        users = [list(f.presence.online) for f in frames]
        self.assertEqual(users, [[1, 2], [3, 4], [5], []])
        numbers = [f.presence.number for f in frames[:3]]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(client_ids(frames[3]), ["one"])

    def test_deltas(self) -> None:
        """
        Only the last of several changes of a user between two frames is reported.
        """
        world = World()
        world.start("a:1")
        world.upstream.user_joined(1)
        world.upstream.user_joined(2)
        world.upstream.user_left(1)
        world.upstream.user_joined(3)
        world.upstream.user_joined(3)
        delta = world.message().stream.take().presence
        self.assertEqual(sorted(delta.online), [2, 3])
        self.assertEqual(list(delta.offline), [1])

    def test_logins(self) -> None:
        """
        A delta names the devices that logged in since the one before, and the last
        login; a snapshot has the last login of those whom it lists.
        """
        world = World()
        world.edge.there = [4]
        world.start()
        world.upstream.user_joined(4, Login("early", 1))
        world.message().refuses = ""
        world.run(0.2)
        stream = world.message().stream
        self.assertEqual([f.presence.last_login for f in stream.frames()], [1])
        world.upstream.user_joined(1, Login("phone", 2))
        world.upstream.user_joined(1, Login("phone", 3))
        world.upstream.user_joined(2, Login("tab", 4))
        world.upstream.user_joined(2)
        delta = stream.take().presence
        named = [(login.user, login.device) for login in delta.logins]
        self.assertEqual(named, [(1, "phone"), (2, "tab")])
        self.assertEqual(delta.last_login, 4)
        world.upstream.user_joined(3)
        delta = stream.take().presence
        self.assertEqual((list(delta.logins), delta.last_login), ([], 4))

    def test_second_session_then_none(self) -> None:
        """
        A user who opens a second session and then closes both is reported as gone.
        """
        world = World()
        world.edge.there = [1]
        world.start("a:1")
        world.upstream.user_joined(1)
        world.upstream.user_left(1)
        self.assertEqual(list(world.message().stream.take().presence.offline), [1])

    def test_came(self) -> None:
        """
        A login waits until every stream has applied the delta with the user.
        """
        world = World("a:1,b:1")
        world.start("a:1", "b:1")
        a, b = (world.message(name).stream for name in ("a:1", "b:1"))
        first = world.upstream.user_joined(1)
        number = a.take().presence.number
        second = world.upstream.user_joined(2)
        b.apply()
        self.assertNoResult(first)
        a.say(presence_applied=number)
        self.assertTrue(self.successResultOf(first))
        self.assertNoResult(second)
        a.apply()
        self.assertTrue(self.successResultOf(second))

    def test_came_and_lost(self) -> None:
        """
        A login learns that no stream is up, or that one was lost while it waited.
        """
        world = World("a:1,b:1")
        world.start()
        self.assertFalse(self.successResultOf(world.upstream.user_joined(1)))
        world.message("a:1").refuses = world.message("b:1").refuses = ""
        world.run(1)
        a, b = (world.message(name).stream for name in ("a:1", "b:1"))
        a.apply()
        b.apply()
        waiting = world.upstream.user_joined(2)
        a.apply()
        self.assertNoResult(waiting)
        b.lose()
        self.assertFalse(self.successResultOf(waiting))

    def test_came_while_another_comes_up(self) -> None:
        """
        The second of two logins waits for a stream that came up between them.
        """
        world = World("a:1,b:1")
        world.start("a:1")
        a = world.message("a:1").stream
        first = world.upstream.user_joined(1)
        world.message("b:1").refuses = ""
        world.run(0.2)
        second = world.upstream.user_joined(2)
        a.apply()
        self.assertTrue(self.successResultOf(first))
        self.assertNoResult(second)
        world.message("b:1").stream.apply()
        self.assertTrue(self.successResultOf(second))

    def test_old_answers(self) -> None:
        """
        A replayed answer to a delta of an earlier stream is ignored.
        """
        world = World()
        world.start("a:1")
        for user in range(5):
            world.upstream.user_joined(user)
            old = world.message().stream.apply().presence.number
        world.message().resumes = True
        world.message().stream.lose()
        world.run(0.2)
        waiting = world.upstream.user_joined(9)
        stream = world.message().stream
        stream.take()
        stream.say(presence_applied=old)
        self.assertNoResult(waiting)
