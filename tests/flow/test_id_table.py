"""
Tests of L{wsmsg.flow.id_table}.
"""

from __future__ import annotations

import random
import sys
from array import array
from collections.abc import Callable
from types import FrameType

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.flow.id_table import BLOCK, IdTable

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


class Model:
    """
    A dict of sets that should have the same content as a table.
    """

    def __init__(self) -> None:
        self.table = IdTable()
        self.numbers: dict[int, set[int]] = {}

    def add(self, id: int, number: int) -> tuple[bool, bool]:
        is_new = id not in self.numbers
        self.numbers.setdefault(id, set()).add(number)
        return self.table.add(id, number), is_new

    def discard(self, id: int, number: int) -> tuple[bool, bool]:
        numbers = self.numbers.get(id, set())
        is_last = numbers == {number}
        numbers.discard(number)
        if not numbers:
            self.numbers.pop(id, None)
        return self.table.discard(id, number), is_last


class PairTests(SynchronousTestCase):
    """
    Ids with several numbers.
    """

    def test_as_a_dict_of_sets(self) -> None:
        """
        A table that grows and shrinks has what a dict of sets has, with few ids of
        many numbers as with many ids of few.
        """
        for seed, (ids, numbers) in enumerate([(3, 3000), (60, 40), (3000, 2)]):
            with self.subTest(ids=ids):
                self.compare(random.Random(seed), ids, numbers)

    def compare(self, rng: random.Random, ids: int, numbers: int) -> None:
        model = Model()
        known = [_LOWEST, _HIGHEST, *(rng.randrange(2**62) for _ in range(ids))]
        for step in range(12_000):
            id, number = rng.choice(known), rng.randrange(numbers)
            grows = rng.random() < (0.8 if step // 3000 % 2 == 0 else 0.1)
            found, wanted = (model.add if grows else model.discard)(id, number)
            self.assertEqual(found, wanted)
            if step % 400 == 0:
                self.check(model, known)

    def check(self, model: Model, known: list[int]) -> None:
        table = model.table
        self.assertEqual(len(table), len(model.numbers))
        self.assertEqual(list(table.ids()), sorted(model.numbers))
        for id in known[:60]:
            wanted = sorted(model.numbers.get(id, ()))
            self.assertEqual(list(table.numbers(id)), wanted)
            self.assertEqual(table.get(id), wanted[0] if wanted else None)
            self.assertEqual(id in table, bool(wanted))


class MapTests(SynchronousTestCase):
    """
    Ids with one number each.
    """

    def setUp(self) -> None:
        rng = random.Random(7)
        self.table = IdTable()
        self.model: dict[int, int] = {}
        for _ in range(9000):
            id, number = rng.randrange(4000), rng.randrange(1, 6)
            if rng.random() < 0.7:
                self.table.put(id, number)
                self.model[id] = number
            else:
                self.assertEqual(self.table.pop(id), self.model.pop(id, None))

    def check(self) -> None:
        found = {id: self.table.get(id) for id in self.table.ids()}
        self.assertEqual(found, self.model)

    def test_as_a_dict(self) -> None:
        """
        A table whose ids have one number each has what a dict has.
        """
        self.check()
        for id in range(0, 5000, 7):
            number = self.table.setdefault(id, 9)
            self.assertEqual(number, self.model.setdefault(id, 9))
        self.check()

    def test_having(self) -> None:
        """
        Ids are found by their numbers.
        """
        wanted = sorted(id for id, number in self.model.items() if number in (1, 3))
        self.assertEqual(list(self.table.having({1, 3})), wanted)

    def test_renumber(self) -> None:
        """
        Numbers are exchanged for others, all at once.
        """
        self.table.renumber({1: 2, 2: 1})
        self.model = {id: {1: 2, 2: 1}.get(n, n) for id, n in self.model.items()}
        self.check()

    def test_add_all(self) -> None:
        """
        Ids are added to a table with others, or to an empty one.
        """
        table = IdTable(array("q", range(0, 3000, 2)))
        table.add_all(array("q", range(0, 3000, 3)))
        wanted = sorted({*range(0, 3000, 2), *range(0, 3000, 3)})
        self.assertEqual((list(table.ids()), len(table)), (wanted, len(wanted)))
        other = IdTable()
        other.add_all(table.ids())
        self.assertEqual(other.ids(), table.ids())


class WorkTests(SynchronousTestCase):
    """
    The work for one change does not grow with the table.
    """

    def calls(self, change: Callable[[int], object], ids: list[int]) -> float:
        """
        Return the calls of functions, C functions included, for each of these ids.
        """
        count = 0

        def note(frame: FrameType, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(note)
        try:
            for id in ids:
                change(id)
        finally:
            sys.setprofile(None)
        return count / len(ids)

    def test_one_at_a_time(self) -> None:
        """
        Adding ids one at a time, and removing them, takes as many steps in a table of
        60,000 as in one of 1000, each with a binary search or a move within one block.
        """
        rng = random.Random(1)
        for order in (list(range(60_000)), rng.sample(range(2**62), 60_000)):
            table = IdTable()
            small = self.calls(table.add, order[:1000])
            for id in order[1000:-1000]:
                table.add(id)
            large = self.calls(table.add, order[-1000:])
            self.assertLess(large, small + 2)
            self.assertLess(max(map(len, table._ids)), BLOCK)
            self.assertLess(len(table._ids), 1 + 60_000 / (BLOCK / 2))
            self.assertLess(self.calls(table.discard, order[-1000:]), small + 4)

    def test_many_watch_one(self) -> None:
        """
        The same holds for an id with 60,000 numbers.
        """
        table = IdTable()
        numbers = list(range(60_000))
        random.Random(2).shuffle(numbers)

        def add(number: int) -> None:
            table.add(1001, number)

        def discard(number: int) -> None:
            table.discard(1001, number)

        small = self.calls(add, numbers[:1000])
        for number in numbers[1000:-1000]:
            add(number)
        self.assertLess(self.calls(add, numbers[-1000:]), small + 4)
        self.assertLess(self.calls(discard, numbers[:1000]), small + 6)
