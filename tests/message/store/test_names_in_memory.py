"""
Tests of the double of names.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.message.store.name_contract import make_name_tests
from tests.message.store.names_in_memory import NamesInMemory


class _Place:
    def __init__(self, test: TestCase) -> None:
        self._names = NamesInMemory()

    async def first(self) -> NamesInMemory:
        return self._names

    second = killed = first

    async def use(self, user: int) -> None:
        self._names.in_use.add(user)


class NamesInMemoryTests(make_name_tests(_Place)):  # type: ignore[misc]
    """
    The double behaves like the stores.
    """
