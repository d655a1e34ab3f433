"""
Tests of L{wsmsg.connect.session.watchers}: the memory of watched users at Connect.
"""

from __future__ import annotations

from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.upstream.recording_edge import RecordingEdge
from tests.memory import traced_bytes
from wsmsg.connect.session.watchers import Watchers
from wsmsg.connect.upstream.presence import WatchedPresence
from wsmsg.model import UserPresence

#: Ids of nineteen digits, as the numbers that applications make from time and node.
FIRST = 2**62
_SESSIONS, _EACH = 200, 500


class MemoryTests(SynchronousTestCase):
    """
    Row 12 of who may: a watched id takes at most 100 bytes at Connect.
    """

    def watching(self, apart: int) -> int:
        """
        Return the bytes for sessions that watch 500 users each, all of them online.

        @param apart: the distance of the first users of two sessions.
        """
        sessions = [object() for _ in range(_SESSIONS)]
        stream = object()

        def make() -> object:
            watchers: Watchers[object] = Watchers()
            watching = WatchedPresence(RecordingEdge())
            for at, session in enumerate(sessions):
                users = range(FIRST + at * apart, FIRST + at * apart + _EACH)
                added, _ = watchers.replace(session, tuple(users))
                watching.watch(added)
                for user in added:
                    watching.query_answered([UserPresence(user, True)])
            for user in watchers.users()[::2]:
                watching.reported(stream, UserPresence(user, True))
            return watchers, watching

        return traced_bytes(make)

    def test_row_12_different_users(self) -> None:
        """
        Sessions that watch different users take at most 100 bytes a user.
        """
        self.assertLess(self.watching(_EACH) / (_SESSIONS * _EACH), 100)

    def test_row_12_same_users(self) -> None:
        """
        Sessions that watch the same users take at most 100 bytes a user of a session.
        """
        self.assertLess(self.watching(0) / (_SESSIONS * _EACH), 100)

    def test_row_14_hidden_users(self) -> None:
        """
        A user who is hidden from a session takes at most 20 bytes more.
        """

        def make(hidden: bool) -> object:
            watchers: Watchers[object] = Watchers()
            for at in range(_SESSIONS):
                users = tuple(range(FIRST + at * _EACH, FIRST + (at + 1) * _EACH))
                watchers.replace(at, users)
                for user in users if hidden else ():
                    watchers.judged(at, UserPresence(user, True, hidden=True))
            return watchers

        shown, hidden = (traced_bytes(partial(make, it)) for it in (False, True))
        self.assertLess((hidden - shown) / (_SESSIONS * _EACH), 20)

    def test_row_12_two_sessions_each(self) -> None:
        """
        The same holds where two sessions watch each user.
        """
        self.assertLess(self.watching(_EACH // 2) / (_SESSIONS * _EACH), 100)


class WatchersTests(SynchronousTestCase):
    """
    The table of users and sessions.
    """

    def test_places_are_used_again(self) -> None:
        """
        A session that ends leaves nothing, and the next one takes its place in the
        table.
        """
        watchers: Watchers[str] = Watchers()
        for name in ("a", "b", "c"):
            watchers.add(name, [1001, 1002])
            watchers.replace(name, [1001])
        self.assertEqual(sorted(watchers.of(1001)), ["a", "b", "c"])
        self.assertEqual(watchers.remove("b"), [])
        self.assertEqual(watchers.add("d", [1003]), [1003])
        self.assertEqual(sorted(watchers.of(1001)), ["a", "c"])
        self.assertEqual(list(watchers.of(1003)), ["d"])
        self.assertEqual(watchers.remove("e"), [])
        for name in ("a", "c", "d"):
            watchers.remove(name)
        self.assertEqual(list(watchers.users()), [])
        self.assertEqual(vars(watchers._places)["_objects"], {})


class HiddenTests(SynchronousTestCase):
    """
    Row 14: users who are hidden from sessions.
    """

    def setUp(self) -> None:
        self.watchers: Watchers[str] = Watchers()
        self.watchers.replace("a", [5, 6])
        self.watchers.replace("b", [5])

    def told(self, user: int) -> list[str]:
        """
        Return the sessions that are told the presence of a user.
        """
        return sorted(self.watchers.to_tell(UserPresence(user, online=True)))

    def test_row_14_only_one_session(self) -> None:
        """
        A user who is hidden from one session is shown to the others, and to it again
        when that ends, or once it has left off and begins anew.
        """
        self.watchers.judged("a", UserPresence(5, online=True, hidden=True))
        self.assertEqual((self.told(5), self.told(6)), (["b"], ["a"]))
        self.assertFalse(
            self.watchers.judged("a", UserPresence(5, online=True, hidden=True))
        )
        self.assertTrue(self.watchers.judged("a", UserPresence(5, online=True)))
        self.assertEqual(self.told(5), ["a", "b"])
        self.watchers.judged("a", UserPresence(5, online=True, hidden=True))
        self.watchers.replace("a", [6])
        self.assertFalse(self.watchers.hides)
        self.watchers.replace("a", [5])
        self.assertEqual(self.told(5), ["a", "b"])

    def test_row_14_a_place_is_used_again(self) -> None:
        """
        Nothing is hidden from a session that takes the place of one that has ended.
        """
        self.watchers.judged("a", UserPresence(5, online=True, hidden=True))
        self.watchers.remove("a")
        self.watchers.replace("c", [5])
        self.assertEqual(self.told(5), ["b", "c"])

    def test_row_14_not_before_the_answer(self) -> None:
        """
        The reports of streams before a session is judged are kept back, and dropped
        for the users who are hidden.
        """
        kept = self.watchers.record("a")
        self.assertEqual((self.told(5), self.told(6)), (["b"], []))
        answer = [UserPresence(5, online=True, hidden=True), UserPresence(6, False, 7)]
        told = self.watchers.answered("a", kept, answer)
        self.assertEqual(
            [p.shown() for p in told], [UserPresence(5, False), UserPresence(6, True)]
        )
        self.assertEqual((self.told(5), self.told(6)), (["b"], ["a"]))

    def test_row_14_a_later_query(self) -> None:
        """
        The answer to an older query of a session tells it nothing.
        """
        kept = self.watchers.record("a")
        self.watchers.record("a")
        self.assertEqual(self.watchers.answered("a", kept, [UserPresence(5, True)]), [])

    def test_row_14_unknown(self) -> None:
        """
        While Message cannot be asked, users stay hidden, and the session waits.
        """
        self.watchers.hide("a", [5, 6, 7])
        self.assertEqual((self.told(5), self.told(6)), (["b"], []))
        self.assertEqual(self.watchers.take_waiting(), ["a"])
        self.assertEqual(self.watchers.take_waiting(), [])

    def test_row_14_doubt(self) -> None:
        """
        Only users whom the session watches are judged again.
        """
        asked: list[object] = []
        self.watchers.on_doubt(lambda session, users: asked.append((session, users)))
        self.watchers.doubt("b", [5, 6])
        self.watchers.doubt("b", [6])
        self.watchers.doubt("c", [5])
        self.assertEqual(asked, [("b", [5])])
