"""
The rule by which both ends of a stream write: one write at a time, and everything that
was queued meanwhile in the next.

A busy stream so carries large frames, and an idle one adds no delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message


class BatchWriter:
    """
    Writes one batch at a time; what queues meanwhile leaves together in the next.

    @param drain: returns the next batch, with all that waits; L{None} when nothing
        does.
    @param write: writes a batch; never called before the last call has finished.
    @param spacing_s: the least time between the starts of two writes.  The first
        write after a silence is not delayed.
    @param patience_s: the delay of L{flush_later}, in which more may be queued.
    """

    __slots__ = (
        "_drain",
        "_finishing",
        "_flush_timer",
        "_patience_s",
        "_pending",
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
        self._pending = False
        self._finishing = False
        self._waiter: asyncio.Future[None] | None = None
        self._flush_timer: asyncio.TimerHandle | None = None

    def flush_soon(self) -> None:
        """
        Write what is queued now.
        """
        if self._pending:
            return
        self._pending = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def flush_later(self) -> None:
        """
        Write what is queued after C{patience_s}, or with the next write.
        """
        if self._pending or self._flush_timer is not None or self._waiter is None:
            return
        loop = self._waiter.get_loop()
        self._flush_timer = loop.call_later(self._patience_s, self._flush_is_due)

    def _flush_is_due(self) -> None:
        self._flush_timer = None
        self.flush_soon()

    def finish(self) -> None:
        """
        Write what is still queued, then let L{run} return.
        """
        self._finishing = True
        self._pending = False
        self.flush_soon()

    async def run(self) -> None:
        """
        Write until L{finish} is called or a write fails.
        """
        loop = asyncio.get_running_loop()
        self._pending = True  # what was queued before this ran
        try:
            while True:
                if not self._pending:
                    self._waiter = loop.create_future()
                    await self._waiter
                await self._write_all(loop)
                # Whatever was queued up to now is written.
                self._pending = False
                if self._finishing:
                    return
        finally:
            if self._flush_timer is not None:
                self._flush_timer.cancel()
                self._flush_timer = None
            # Nothing runs any more: a late flush_later() must not set a timer.
            self._waiter = None

    async def _write_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while (batch := self._drain()) is not None:
            started = loop.time()
            await self._write(batch)
            if self._spacing_s and not self._finishing:
                pause = started + self._spacing_s - loop.time()
                if pause > 0:
                    await asyncio.sleep(pause)
