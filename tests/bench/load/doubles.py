"""
Doubles of the transport and the event loop of a load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class MemoryTransport(asyncio.Transport):
    """
    A transport that records writes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def take(self) -> bytes:
        """
        Return the bytes written since the last call.
        """
        taken, self.written = self.written, b""
        return taken


class ManualTime:
    """
    The part of an event loop that pairs use, advanced by hand.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object], /) -> object:
        self.calls.append((self.now + delay, callback))
        return None

    def advance(self, seconds: float) -> None:
        """
        Advance the time and make the calls that are due.
        """
        self.now += seconds
        due = [call for call in self.calls if call[0] <= self.now]
        self.calls = [call for call in self.calls if call[0] > self.now]
        for _, callback in due:
            callback()
