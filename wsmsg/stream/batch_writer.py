"""
One write at a time, and all that queued meanwhile in the next.

Both ends of a stream write by this rule: a busy stream carries big frames, and an
idle one adds no delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message


class BatchWriter:
    """
    Writes one batch at a time; what queues meanwhile leaves together in the next.

    @param drain: makes the next batch of all that waits; L{None}: nothing does.
    @param write: writes it; never called before the last call has finished.
    @param spacing_s: the least time between the starts of two writes.  The first
        write after a silence is not delayed.
    @param patience_s: how long what L{flush_later} told of may wait for company.
    """

    __slots__ = (
        "_awake",
        "_drain",
        "_ending",
        "_flush_timer",
        "_patience_s",
        "_spacing_s",
        "_waiter",
        "_write",
    )

    def __init__(
        self,
        drain: Callable[[], Message | None],
        write: Callable[[Any], Awaitable[object]],
        *,
        spacing_s: float = 0.0,
        patience_s: float = 0.02,
    ) -> None:
        self._drain = drain
        self._write = write
        self._spacing_s = spacing_s
        self._patience_s = patience_s
        self._awake = False
        self._ending = False
        self._waiter: asyncio.Future[None] | None = None
        self._flush_timer: asyncio.TimerHandle | None = None

    def flush_soon(self) -> None:
        """
        There is something to drain.
        """
        if self._awake:
            return
        self._awake = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def flush_later(self) -> None:
        """
        There is something to drain that may wait a moment for something else.
        """
        if self._awake or self._flush_timer is not None or self._waiter is None:
            return
        loop = self._waiter.get_loop()
        self._flush_timer = loop.call_later(self._patience_s, self._flush_is_due)

    def _flush_is_due(self) -> None:
        self._flush_timer = None
        self.flush_soon()

    def end(self) -> None:
        """
        Write what there still is, then let L{run} return.
        """
        self._ending = True
        self._awake = False
        self.flush_soon()

    async def run(self) -> None:
        """
        Write until L{end} was called or a write fails.
        """
        loop = asyncio.get_running_loop()
        self._awake = True  # what came before we ran
        try:
            while True:
                if not self._awake:
                    self._waiter = loop.create_future()
                    await self._waiter
                self._awake = False
                await self._write_all(loop)
                if self._ending and not self._awake:
                    return
        finally:
            if self._flush_timer is not None:
                self._flush_timer.cancel()
                self._flush_timer = None
            # Nobody waits here any more: a late flush_later() must not set a timer.
            self._waiter = None

    async def _write_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while (batch := self._drain()) is not None:
            started = loop.time()
            await self._write(batch)
            if self._spacing_s and not self._ending:
                pause = started + self._spacing_s - loop.time()
                if pause > 0:
                    await asyncio.sleep(pause)
