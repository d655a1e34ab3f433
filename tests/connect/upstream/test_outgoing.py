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


class NumberedLogin:
    """
    The login of a session.

    @ivar number: its number; 0: none yet.
    """

    def __init__(
        self, world: World, user: int, device: str, *, lives: bool = True
    ) -> None:
        self.number = 0
        self._lives = lives
        world.upstream.user_joined(user, Login(device, self._numbered))

    def _numbered(self, number: int) -> bool:
        self.number = number
        return self._lives


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
        A login gets a number when every Message has applied the delta with its user,
        above what each of them says; then all are told of the device.  One that ended
        before is not mentioned.
        """
        world = World("a:1,b:1")
        world.edge.there = [4]
        world.start()
        early = NumberedLogin(world, 4, "early")
        self.assertEqual(early.number, 2)
        world.message("a:1").refuses = world.message("b:1").refuses = ""
        world.run(1)
        a, b = (world.message(name).stream for name in ("a:1", "b:1"))
        self.assertEqual([f.presence.last_login for f in a.frames()], [2])
        phone = NumberedLogin(world, 1, "phone")
        NumberedLogin(world, 1, "gone", lives=False)
        tab = NumberedLogin(world, 2, "tab")
        a.say(presence_applied=a.take().presence.number, last_login=70)
        self.assertEqual(phone.number, 0)
        b.say(presence_applied=b.take().presence.number, last_login=50)
        self.assertEqual((phone.number, tab.number), (71, 73))
        for stream in (a, b):
            delta = stream.take().presence
            told = [(it.user, it.device, it.number) for it in delta.logins]
            self.assertEqual(told, [(1, "phone", 71), (2, "tab", 73)])
            self.assertEqual(delta.last_login, 73)

    def test_login_beside_a_lost_stream(self) -> None:
        """
        A login is told to the Messages that are left, if a stream is lost before its
        Message answers.
        """
        world = World("a:1,b:1")
        world.start("a:1", "b:1")
        a, b = (world.message(name).stream for name in ("a:1", "b:1"))
        phone = NumberedLogin(world, 1, "phone")
        b.lose()
        self.assertEqual(phone.number, 0)
        a.apply()
        self.assertEqual([it.device for it in a.take().presence.logins], ["phone"])

    def test_login_newer_than_another(self) -> None:
        """
        A Connect that is told of an older login elsewhere says its own one again, and
        numbers later ones above both.
        """
        world = World()
        world.start("a:1")
        stream = world.message().stream
        world.edge.newer = 12
        kick = rest_pb2.Kick(user=1, device="phone", last_login=9)
        stream.say(kicks=[kick])
        self.assertEqual(world.edge.calls, [("replaced", 1, "phone", 9)])
        (login,) = stream.take().presence.logins
        self.assertEqual((login.user, login.device, login.number), (1, "phone", 12))
        phone = NumberedLogin(world, 2, "phone")
        stream.apply()
        self.assertGreater(phone.number, 10)

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
