"""
Tests for L{wsmsg.message.store.windows}: a list of conversations that is read in
windows has all of them, and each page costs what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.store.numbers import BITS
from wsmsg.message.store.windows import WindowWalk

_GENERATION = 1 << BITS
# A window with more conversations takes the server too long.
_MOST = 300
_ROOM = 100


class Reading:
    """
    A walk through the numbers of some conversations.

    @ivar found: the numbers that were found, in order.
    @ivar windows: the number of windows that were asked for.
    @ivar refused: the number of those that took too long.
    @ivar looked_at: the conversations in the largest window that was read.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self.numbers = sorted(numbers)
        self.found: list[int] = []
        self.windows = self.refused = self.looked_at = 0

    def read(self, since: int, end: int, width: int = 0) -> None:
        """
        Read all numbers from C{since} on, in pages.
        """
        walk = WindowWalk(since, end, width)
        room = _ROOM
        while True:
            self.windows += 1
            first, beyond = walk.window
            there = [
                n for n in self.numbers if n >= first and (not beyond or n < beyond)
            ]
            if len(there) > _MOST and not walk.is_narrowest:
                self.refused += 1
                walk.took_too_long()
                continue
            self.looked_at = max(self.looked_at, len(there))
            if len(there) > room:
                self.found += there[:room]
                last = there[room - 1]
                walk = WindowWalk(last + 1, end, max(last - first, 1))
                room = _ROOM
                continue
            self.found += there
            if beyond is None:
                return
            room = room - len(there) or _ROOM
            walk.passed(len(there), room)


def _number(generation: int, counter: int) -> int:
    return generation << BITS | counter


_numbers = st.builds(
    _number,
    st.sampled_from([0, 1, 2, 3, 40, 5000]),
    st.one_of(st.integers(0, 3000), st.sampled_from([10**6, 10**9, _GENERATION - 1])),
)


class WalkTests(SynchronousTestCase):
    """
    A walk through a shard.
    """

    @settings(max_examples=200, deadline=None)
    @given(st.sets(_numbers, max_size=600), _numbers, st.integers(-1, 2**62))
    def test_has_all(self, numbers: set[int], since: int, width: int) -> None:
        """
        A walk finds all conversations from its first number on, each once and in order,
        at whatever numbers they changed, and it ends.
        """
        reading = Reading(numbers)
        reading.read(since, max(numbers, default=0), width)
        self.assertEqual(reading.found, [n for n in reading.numbers if n >= since])
        self.assertLessEqual(reading.looked_at, _MOST)
        self.assertLess(reading.windows, 400)

    def test_above_the_end(self) -> None:
        """
        A change after the begin of the list is found with the last window.
        """
        reading = Reading([5, 7, 9])
        reading.read(0, 6)
        self.assertEqual((reading.found, reading.windows), ([5, 7, 9], 1))

    def test_dense(self) -> None:
        """
        A page takes one or two windows, however many conversations there are, if each
        batch changed one of the user's.
        """
        for count in (2_000, 20_000):
            reading = Reading(_number(1, n) for n in range(count))
            reading.read(0, _number(1, count))
            self.assertEqual(len(reading.found), count)
            self.assertLess(reading.windows, 20 + 2 * count / _ROOM)
            self.assertLessEqual(reading.refused, 4)

    def test_one_batch(self) -> None:
        """
        The conversations of one batch have one number, which is read as a whole.
        """
        reading = Reading([_number(1, 5)] * 1000)
        reading.read(_number(1, 5), _number(1, 9), 1)
        self.assertEqual(reading.looked_at, 1000)
        self.assertEqual(reading.refused, 0)

    def test_many_generations(self) -> None:
        """
        Empty generations are passed many at a time.
        """
        reading = Reading([_number(1, 5), _number(5000, 7), *range(400)])
        reading.read(0, _number(5001, 0))
        self.assertEqual(len(reading.found), 402)
        self.assertLess(reading.windows, 60)
