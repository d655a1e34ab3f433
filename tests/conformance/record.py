"""
Records of what a peer received and sent, in order, with a way to wait for more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

#: Nothing here takes long; a machine may.
LIMIT_S = 30.0


class Said(NamedTuple):
    """
    One payload on the wire, as it was.

    @ivar way: C{>} that the peer wrote it, C{<} that it came.
    """

    way: str
    data: bytes


class Record(Generic[T]):
    """
    A list that grows, whose growth can be awaited.

    @param name: what it is a record of, for whoever waits in vain.
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
        There is one more.
        """
        self.items.append(item)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def count(self, number: int, limit_s: float = LIMIT_S) -> list[T]:
        """
        Wait until there are so many.

        @return: the first so many.
        """
        await self.until(lambda: len(self.items) >= number, f"{number}", limit_s)
        return self.items[:number]

    async def find(
        self, test: Callable[[T], Any], what: str = "such a one", since: int = 0
    ) -> T:
        """
        Wait until one passes a test.

        @param since: how many of the first do not count.
        @return: the first that does.
        """

        def there() -> bool:
            return any(test(item) for item in self.items[since:])

        await self.until(there, what)
        return next(item for item in self.items[since:] if test(item))

    async def until(
        self, test: Callable[[], bool], what: str, limit_s: float = LIMIT_S
    ) -> None:
        """
        Wait until something is so, which can only become so when the record grows.
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
        Wait until it is open.
        """
        await self._open.wait()
