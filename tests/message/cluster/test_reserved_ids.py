"""
Tests for L{wsmsg.message.cluster.reserved_ids}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.message.doubles import MemoryStore
from wsmsg.errors import Unavailable
from wsmsg.message.cluster.message_ids import EPOCH_MS, MessageIds
from wsmsg.message.cluster.reserved_ids import AHEAD_MS, IdReservation

#: Some day in 2024, and an hour.
_DAY_MS = 1_720_000_000_000
_HOUR_MS = 3_600_000


class Life:
    """
    One life of a Message.

    @ivar closed: why no ids may be given out; empty: they may.
    @ivar at_ms: its system clock, as the test sets it.
    """

    def __init__(self, store: MemoryStore, at_ms: int, number: int = 3) -> None:
        self.at_ms = at_ms
        self.closed = "not started"
        self.clock = Clock()
        self.ids = MessageIds(lambda: self.at_ms, number)
        self.reservation = IdReservation(self.ids, store, self.clock, self._close)
        self.started = self.reservation.start()

    def _close(self, reason: str) -> None:
        self.closed = reason

    def pass_s(self, seconds: int) -> None:
        """
        Let time pass.
        """
        for _ in range(seconds):
            self.at_ms += 1000
            self.clock.advance(1)

    def some(self, count: int) -> list[int]:
        """
        Give out ids.
        """
        assert not self.closed, self.closed
        return [self.ids.next() for _ in range(count)]


class ReservedIdsTests(SynchronousTestCase):
    """
    No id is given out twice.
    """

    def setUp(self) -> None:
        self.store = MemoryStore()

    @given(
        st.lists(
            st.tuples(
                st.integers(-_HOUR_MS, _HOUR_MS),
                st.lists(
                    st.tuples(
                        st.integers(0, 40),
                        st.integers(-_HOUR_MS, _HOUR_MS),
                        st.integers(1, 600),
                    ),
                    max_size=4,
                ),
            ),
            max_size=5,
        )
    )
    def test_clock_set_back(
        self, lives: list[tuple[int, list[tuple[int, int, int]]]]
    ) -> None:
        """
        Ids are unique, and rise, over lives that end at any moment, whatever the system
        clock shows in each, and wherever it steps meanwhile.
        """
        store = MemoryStore()
        given_ids: list[int] = []
        for off_ms, steps in lives:
            life = Life(store, _DAY_MS + off_ms)
            given_ids += life.some(3)
            for seconds, step_ms, count in steps:
                life.pass_s(seconds)
                life.at_ms += step_ms
                given_ids += life.some(count)
        self.assertEqual(given_ids, sorted(set(given_ids)))

    def test_older_copy(self) -> None:
        """
        Ids after the restore of an older copy are above those given out since the copy
        was made, also right after it.
        """
        Life(self.store, _DAY_MS).some(1)
        copy = dict(self.store.reserved)
        lost = Life(self.store, _DAY_MS + 1000).some(5)
        self.store.reserved.clear()
        self.store.reserved.update(copy)
        after = Life(self.store, _DAY_MS + 2000).some(5)
        self.assertGreater(min(after), max(lost))

    def test_follows_the_clock(self) -> None:
        """
        Ids follow the clock, and are reserved anew every ten seconds or so.
        """
        life = Life(self.store, _DAY_MS)
        reservations = set()
        for _ in range(60):
            life.pass_s(1)
            (one,) = life.some(1)
            self.assertEqual(one >> 16, life.at_ms - EPOCH_MS >> 3)
            reservations.add(self.store.reserved[3])
        self.assertIn(len(reservations), range(5, 9))

    def test_store_away(self) -> None:
        """
        Ids are not given out before the store was reached, and the start does not wait
        for it; once it was reached, they are given out while it is away.
        """
        self.store.dependency.lost("gone")
        life = Life(self.store, _DAY_MS)
        self.assertIn("not reserved", life.closed)
        self.assertNoResult(life.started)
        life.pass_s(1)
        self.successResultOf(life.started)
        self.store.dependency.succeeded()
        self.assertEqual(life.closed, "")
        before = life.some(1)
        self.store.dependency.lost("gone")
        life.pass_s(3600)
        ids = life.some(100_000)
        self.assertEqual(ids, sorted({*before, *ids} - {*before}))
        self.assertLess((ids[-1] >> 16 << 3) + EPOCH_MS, self.store.reserved[3])

    def test_fails(self) -> None:
        """
        A reservation that fails is tried again.
        """
        reserve = self.store.reserve_ids

        def unavailable(number: int, until_ms: int) -> Deferred[int]:
            return fail(Unavailable("not now"))

        self.store.reserve_ids = unavailable  # type: ignore[assignment,method-assign]
        life = Life(self.store, _DAY_MS)
        self.assertIn("not reserved", life.closed)
        self.successResultOf(life.started)
        self.store.reserve_ids = reserve  # type: ignore[method-assign]
        life.pass_s(1)
        self.assertEqual(life.closed, "")

    def test_renumbered(self) -> None:
        """
        Ids with another number begin behind those that were given out with it.
        """
        other = Life(self.store, _DAY_MS + _HOUR_MS, number=7)
        theirs = other.some(10)
        life = Life(self.store, _DAY_MS)
        mine = life.some(10)
        life.reservation.renumber(7)
        ours = life.some(10)
        self.assertEqual({i >> 8 & 255 for i in ours}, {7})
        self.assertGreater(min(ours), max(theirs + mine))
        self.assertEqual(
            self.store.reserved[3], _DAY_MS + AHEAD_MS, "of the first number"
        )
