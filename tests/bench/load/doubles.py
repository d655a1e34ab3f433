"""
Stand-ins for what surrounds the load's connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class MemoryTransport(asyncio.Transport):
    """
    Keeps what is written.
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
        What was written since this was last called.
        """
        taken, self.written = self.written, b""
        return taken


class ManualTime:
    """
    The part of an event loop that pairs use, moved by hand.
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
        Let time pass and call what has come due.
        """
        self.now += seconds
        due = [call for call in self.calls if call[0] <= self.now]
        self.calls = [call for call in self.calls if call[0] > self.now]
        for _, callback in due:
            callback()
