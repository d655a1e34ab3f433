"""
The faults of a run, as its history tells them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from wsmsg.prove.history import HistoryWriter


class FaultLedger:
    """
    Writes down when faults begin, end, and are recovered from.

    @param recovered: waits until the service is whole again.
    @ivar done: how often each fault was injected.
    """

    def __init__(
        self, history: HistoryWriter, recovered: Callable[[], Awaitable[None]]
    ) -> None:
        self.done: Counter[str] = Counter()
        self._history = history
        self._recovered = recovered
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def fault(
        self, name: str, of: str, *, blinds: bool = False
    ) -> AsyncIterator[None]:
        """
        Inject and repair a fault in the block, and wait for the recovery at its end.

        @param of: who or what has it.
        @param blinds: nobody may be told of presence meanwhile.
        """
        about = {"fault": name, "of": of, "number": next(self._numbers)}
        self.done[name] += 1
        self._history.write("fault", **about, state="begin", blinds=blinds)
        try:
            yield
            self._history.write("fault", **about, state="end")
            await self._recovered()
        except Exception as e:
            text = f"{type(e).__name__}: {e}".strip()[:2000]
            self._history.write("fault", **about, state="failed", text=text)
            raise
        self._history.write("fault", **about, state="recovered")

    def stopped(self, of: str, status: int) -> None:
        """
        Note with which status a daemon ended that was asked to stop.
        """
        self._history.info("stopped", of=of, status=status)
