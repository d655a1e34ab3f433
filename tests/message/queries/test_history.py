"""
Evidence that the store is an older copy of itself.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from tests.message.presence.doubles import RecordingPresence
from tests.message.store.group_contract import CREW
from tests.message.store.lists_in_memory import SECRET
from wsmsg.errors import NotFound
from wsmsg.events.group_change import GroupChange
from wsmsg.message.links.routes import Routes
from wsmsg.message.queries.history import CLAIM_S, CLAIMS, USERS, HistoryWatch
from wsmsg.message.queries.interface import ComparedNumbers, PushedNumber
from wsmsg.message.queries.queries import MOST_COMPARED, Queries
from wsmsg.message.store.position import StorePosition, decode_position
from wsmsg.model import Cursor, Message


class HistoryTests(SynchronousTestCase):
    """
    Queries with numbers that the store lacks.
    """

    shared = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.watch = HistoryWatch(self.store, self.clock.seconds, shared=self.shared)
        self.queries = Queries(
            self.store, RecordingPresence(), Routes(), page=10, history=self.watch
        )
        for seq in (1, 2):
            m = Message("u:1:2", 1, f"c{seq}", seq, "hi", 1, 5, seq)
            self.store.messages[m.identity] = m

    def compare(self, *pushed: PushedNumber, epoch: str = "e1") -> ComparedNumbers:
        comparing = Deferred.fromCoroutine(self.queries.compare(epoch, pushed))
        return self.successResultOf(comparing)

    def page(self, user: int, after: int) -> None:
        low, high = sorted((1, user))
        asking = self.queries.page(user, f"u:{low}:{high}", after, 1)
        self.successResultOf(Deferred.fromCoroutine(asking))

    def test_heads(self) -> None:
        """
        A comparison has the head of each conversation, and 0 for a group that the user
        is not in; a number that is not above the head changes nothing.
        """
        m = Message(CREW, 1, "g1", 9, "{}", 1001, 5, 1)
        self.store.messages[m.identity] = m
        self.store.groups[CREW] = (GroupChange(True, "crew"), 1, {1: 1, 2: 1})
        found = self.compare(
            PushedNumber(1, "u:1:2", 2),
            PushedNumber(2, "u:1:2", 1),
            PushedNumber(2, CREW, 1),
            PushedNumber(3, CREW, 1),
        )
        self.assertEqual(found, ComparedNumbers([2, 2, 1, 0], "e1"))
        self.assertEqual(self.store.epoch, "e1")

    def test_pushed(self) -> None:
        """
        A number that was pushed and is above the head begins a new epoch, once: what
        was pushed in the epoch before says nothing about this one.
        """
        beyond = PushedNumber(1, "u:1:2", 3)
        with capturedLogs() as logs:
            self.compare(PushedNumber(2, "u:1:2", 2), beyond, PushedNumber(1, "x", 1))
        (event,) = [e for e in logs if "where" in e]
        self.assertIn("message 3 of u:1:2 was pushed", event["where"])
        renewed = self.store.epoch
        self.assertNotEqual(renewed, "e1")
        self.compare(beyond)
        self.compare(beyond, epoch="")
        self.assertEqual(self.store.epoch, renewed)
        self.compare(beyond, epoch=renewed)
        self.assertNotEqual(self.store.epoch, renewed)

    def test_claims(self) -> None:
        """
        Words of clients begin no epoch; several users make an alarm, which goes when
        they say it no more.
        """
        for _ in range(2 * USERS):
            self.page(2, 50)
        self.page(2, 2)
        self.assertEqual(self.watch.reason(), "")
        for user in range(3, 2 + USERS):
            self.page(user, 7)
        self.assertIn(f"{USERS} users", self.watch.reason())
        self.assertIn("message 7", self.watch.reason())
        self.assertEqual(self.store.epoch, "e1")
        for user in range(CLAIMS + 10):
            self.page(user + 2, 7)
        self.assertIn(f"{CLAIMS} users", self.watch.reason())
        self.clock.advance(CLAIM_S + 1)
        self.assertEqual(self.watch.reason(), "")

    def test_journal(self) -> None:
        """
        A store that is behind what the journal says begins a new epoch, once; the
        comparison waits until the store is up.
        """
        self.store.is_behind = "change 5 was stored"
        self.watch.look()
        self.assertEqual(self.store.epoch, "e1")
        self.store.dependency.failed("away", 1.0)
        self.watch.witnessed({0: "e1:5"})
        self.watch.look()
        self.assertEqual(self.store.epoch, "e1")
        self.store.dependency.succeeded()
        for _ in range(40):
            self.watch.look()
            self.clock.advance(1)
        self.assertEqual(self.store.epoch, "e1+")
        self.store.is_behind = ""
        self.watch.witnessed({0: "e1+:4"})
        self.watch.look()
        self.assertEqual(self.store.epoch, "e1+")

    def listed(self, position: str, witness: str = "") -> tuple[str, str]:
        """
        Return the position and the epoch of a list that begins at a position.
        """
        asking = self.queries.heads(1, position, 9, continued=False, witness=witness)
        page = self.successResultOf(Deferred.fromCoroutine(asking))
        return page.position, page.epoch

    def pass_time(self, seconds: int) -> None:
        """
        Let time pass, with a look each second.
        """
        for _ in range(seconds):
            self.watch.look()
            self.clock.advance(1)

    def beyond(self) -> str:
        """
        Return an authentic position that is above what the store has.
        """
        mine = decode_position(self.listed("")[0])
        above = StorePosition(mine.epoch, {0: mine.since[0] + 1})
        return above.sealed(SECRET).encode()

    def test_position(self) -> None:
        """
        An authentic position above what the store has begins a new epoch, once, and
        its reader is told so at once where the store has one Message.
        """
        text = self.beyond()
        with capturedLogs() as logs:
            for witness in ("", text):
                self.store.epoch, self.store.is_behind = "e1", "5 was stored"
                _, epoch = self.listed("" if witness else text, witness)
                if self.shared:
                    self.pass_time(15)
                    self.assertEqual((epoch, self.store.epoch), ("e1", "e1"))
                    self.pass_time(1)
                    epoch = self.store.epoch
                self.assertEqual(epoch, "e1+")
                self.store.is_behind = ""
                self.assertEqual(self.listed(text)[1], "e1+")
                self.pass_time(40)
                self.assertEqual(self.store.epoch, "e1+")
        said = [e["where"] for e in logs if "where" in e]
        self.assertEqual(said, ["as the position of a client proves, 5 was stored"] * 2)

    def test_forged_position(self) -> None:
        """
        A position that the store did not make is counted, and begins nothing.
        """
        good, _ = self.listed("")
        mine = decode_position(good)
        self.store.is_behind = "never asked"
        above = StorePosition(mine.epoch, {0: 99})
        for text in (above.sealed("00" * 16).encode(), above.encode(), good):
            self.assertEqual(self.listed(text, text)[1], "e1")
            self.pass_time(40)
        self.assertEqual((self.watch.forged, self.store.epoch), (1, "e1"))

    def test_for_moments(self) -> None:
        """
        A store that is behind for less than the time of two observations begins no
        epoch where several Messages share it.
        """
        text = self.beyond()
        if not self.shared:
            return
        for _ in range(2):
            self.store.is_behind = "5 was stored"
            self.listed(text)
            self.pass_time(10)
            self.store.is_behind = ""
            self.pass_time(10)
        self.assertEqual(self.store.epoch, "e1")

    def test_cursor(self) -> None:
        """
        A cursor above the head, of which a list has both, is looked at again, and
        begins a new epoch if it is above the head still.
        """
        self.store.moved["u:1:2", 1] = Cursor("u:1:2", 1, 2, 2)
        self.listed("")
        self.store.passing = "never asked"
        self.pass_time(40)
        self.assertEqual(self.store.epoch, "e1")
        self.store.moved["u:1:2", 2] = Cursor("u:1:2", 2, 3, 1)
        for passing, epoch in (("", "e1"), ("2 was at 3", "e1+")):
            self.store.passing = passing
            self.listed("")
            self.pass_time(20)
            self.assertEqual(self.store.epoch, epoch)

    def test_too_many(self) -> None:
        """
        A comparison has a bounded number of conversations.
        """
        pushed = [PushedNumber(1, "u:1:2", 1)] * (MOST_COMPARED + 1)
        comparing = Deferred.fromCoroutine(self.queries.compare("e1", pushed))
        self.failureResultOf(comparing, NotFound)


class SharedHistoryTests(HistoryTests):
    """
    A store of several Messages, which may answer with what it had a moment ago.
    """

    shared = True

    def test_pushed(self) -> None:
        """
        Only a second comparison, some time after the first, begins a new epoch.
        """
        beyond = PushedNumber(1, "u:1:2", 3)
        self.compare(beyond)
        self.clock.advance(14)
        self.compare(beyond)
        self.assertEqual(self.store.epoch, "e1")
        self.clock.advance(CLAIM_S)
        self.compare(beyond)
        self.assertEqual(self.store.epoch, "e1")
        self.clock.advance(15)
        self.compare(PushedNumber(1, "u:1:2", 2))
        self.assertEqual(self.store.epoch, "e1")
        self.compare(beyond)
        self.assertNotEqual(self.store.epoch, "e1")
