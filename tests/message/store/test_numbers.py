"""
Numbers that a store gave, and those that it never gave.
"""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.store.history import NameAndSecret
from wsmsg.message.store.numbers import (
    BITS,
    ENDS,
    StoreNumbers,
    following_generation,
    with_end,
)
from wsmsg.message.store.position import StorePosition, decode_position

_NAME = NameAndSecret("e1", "ab" * 16)


@attrs.define
class Shard:
    """
    A shard as the stores keep it: begin a generation, then give numbers.
    """

    change: int = 0
    ends: list[int] = attrs.field(factory=list)
    begun: int = 0

    def begin(self, most: int = 8) -> None:
        self.ends = with_end(self.ends, self.change)
        latest = max(self.begun, self.change >> BITS)
        self.begun = following_generation(latest, most)

    def give(self) -> int:
        self.change = max(self.change, self.begun << BITS) + 1
        return self.change

    def copied(self) -> Shard:
        return attrs.evolve(self, ends=list(self.ends))

    def lacks(self, number: int) -> bool:
        return StoreNumbers(_NAME, {0: self.change}, {0: self.ends}).lacks(0, number)


_STEPS = st.lists(st.sampled_from("bgggr"), max_size=60)


def run(shard: Shard, steps: list[str]) -> list[int]:
    """
    Do these steps, and return the numbers that a reader could be given meanwhile.
    """
    given_ = [shard.change]
    for step in steps:
        if step == "b" or not shard.begun:
            shard.begin()
        elif step == "g":
            shard.give()
        else:
            given_.append(shard.change)
    return [*given_, shard.change]


class NumberTests(SynchronousTestCase):
    """
    A shard through the lives of several processes.
    """

    @given(_STEPS)
    def test_no_false_proof(self, steps: list[str]) -> None:
        """
        A store lacks no number that it gave, however many generations ago.
        """
        shard = Shard()
        for number in run(shard, steps):
            self.assertFalse(shard.lacks(number))

    @given(_STEPS, _STEPS, _STEPS)
    def test_copy(self, before: list[str], lost: list[str], after: list[str]) -> None:
        """
        A copy that goes on lacks what its original gave since, unless it began the
        same generation and has passed the number, or the ends are forgotten.
        """
        shard = Shard()
        run(shard, before)
        copy = shard.copied()
        began, floor = copy.begun, copy.change
        beyond = [n for n in run(shard, lost) if n > floor]
        copy.begin()
        run(copy, after)
        mine = {copy.change >> BITS, *(end >> BITS for end in copy.ends)} - {began}
        for number in beyond:
            if number >> BITS in mine or floor not in copy.ends:
                continue
            self.assertTrue(copy.lacks(number), (number, floor, copy))

    def test_other_ends(self) -> None:
        """
        A shard remembers a bounded number of ends, and the last generation is
        followed by itself.
        """
        shard = Shard()
        for _ in range(3 * ENDS):
            shard.begin()
            shard.give()
        self.assertEqual(len(shard.ends), ENDS)
        self.assertFalse(shard.lacks(shard.ends[0] - 1))
        self.assertEqual(following_generation(1 << 22, 8), 1 << 22)
        self.assertLess((1 << 22) + 1 << BITS, 1 << 63)

    def test_earlier_versions(self) -> None:
        """
        A position without a code is read, and its text is one that earlier versions
        read as well; without a secret there are no codes.
        """
        now = StoreNumbers(_NAME, {0: 7, 1: 9})
        told = now.told(StorePosition("e1", {0: 5, 1: 10}).encode())
        self.assertEqual(told.at, StorePosition("e1", {0: 5}))
        self.assertEqual((told.ahead, told.forged), ({}, False))
        sealed = decode_position(now.now())
        self.assertEqual((sealed.since, len(sealed.code)), ({0: 7, 1: 9}, 12))
        unsealed = StoreNumbers(NameAndSecret("e1"), {0: 7})
        self.assertEqual(decode_position(unsealed.now()).code, b"")
        self.assertTrue(unsealed.told(now.now()).forged)
