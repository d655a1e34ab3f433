"""
Records of what a peer received and sent, in order, which a test can await.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

#: Seconds to wait, on a slow machine too.
LIMIT_S = 30.0


class Said(NamedTuple):
    """
    One payload on the wire, unchanged.

    @ivar way: C{>} if the peer sent it, C{<} if the peer received it.
    """

    way: str
    data: bytes


class Record(Generic[T]):
    """
    A list that only grows, and whose growth can be awaited.

    @param name: what the record contains, for the error of a failed wait.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.items: list[T] = []
        self._grown = asyncio.Event()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __getitem__(self, index: int) -> T:
        return self.items[index]

    def __repr__(self) -> str:
        return f"{self.name}: {len(self.items)}, the last {self.items[-5:]}"

    def add(self, item: T) -> None:
        """
        Append an entry.
        """
        self.items.append(item)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def count(self, number: int, limit_s: float = LIMIT_S) -> list[T]:
        """
        Wait for this number of entries.

        @return: the first entries.
        """
        await self.until(lambda: len(self.items) >= number, f"{number}", limit_s)
        return self.items[:number]

    async def find(
        self, test: Callable[[T], Any], what: str = "such a one", since: int = 0
    ) -> T:
        """
        Wait for an entry that passes a test.

        @param since: number of entries to skip.
        @return: the first such entry.
        """

        def there() -> bool:
            return any(test(item) for item in self.items[since:])

        await self.until(there, what)
        return next(item for item in self.items[since:] if test(item))

    async def until(
        self, test: Callable[[], bool], what: str, limit_s: float = LIMIT_S
    ) -> None:
        """
        Wait until a condition holds that only a new entry can change.
        """
        try:
            async with asyncio.timeout(limit_s):
                while not test():
                    await self._grown.wait()
        except TimeoutError:
            raise AssertionError(f"not {what} within {limit_s:g} s; {self!r}") from None


class Gate:
    """
    A gate at which a peer waits until a test opens it.
    """

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    @property
    def closed(self) -> bool:
        return not self._open.is_set()

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        """
        Wait until the gate is open.
        """
        await self._open.wait()
