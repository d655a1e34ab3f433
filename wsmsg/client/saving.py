"""
Times at which the position file is written: before frames that depend on it, else soon
after a change.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from wsmsg.client.state.exchange import Exchange
from wsmsg.client.state.positions import BadPositions, PositionFile, Saved

#: Seconds in which changes are collected for one write.
_SAVE_S = 0.2
_AGAIN_S = 5.0

_log = logging.getLogger("wsmsg.client")


class Saving:
    """
    Keeps the position file in step with the exchange.

    @param path: L{None}: there is no file.
    @param again_s: seconds until a file that could not be written is written again.
    """

    def __init__(self, path: str | Path | None, again_s: float = _AGAIN_S) -> None:
        self._again_s = again_s
        self._file = PositionFile(Path(path)) if path else None
        self._due: asyncio.TimerHandle | None = None
        self._failing = False

    def load(self) -> Saved:
        """
        Read the state that an earlier run saved.

        @raise BadPositions: the file is not valid.
        """
        return self._file.load() if self._file else Saved()

    def soon(self, exchange: Exchange) -> None:
        """
        Write the file soon, after a change.
        """
        if self._file is not None and self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_later(_SAVE_S, self.now, exchange)

    def before_write(self, exchange: Exchange) -> None:
        """
        Write the file before frames are sent, since a message keeps its id from then
        on.
        """
        if exchange.outbound.changed:
            self.now(exchange)

    def now(self, exchange: Exchange) -> None:
        """
        Write the changes at once.  Where that fails, for example as the disk is full,
        the old file stays, and is replaced as soon as that is possible.
        """
        problem = self._save(exchange)
        if problem:
            loop = asyncio.get_running_loop()
            self._due = loop.call_later(self._again_s, self.now, exchange)
        if problem and not self._failing:
            _log.error("cannot save the position file, and try again: %s", problem)
        elif self._failing and not problem:
            _log.warning("the position file is saved again")
        self._failing = bool(problem)

    def last(self, exchange: Exchange) -> None:
        """
        Write the changes at once, and no more.
        """
        problem = self._save(exchange)
        if problem:
            _log.error("the position file is not up to date: %s", problem)

    def _save(self, exchange: Exchange) -> str:
        """
        @return: the reason why that failed; empty if it did not.
        """
        if self._due is not None:
            self._due.cancel()
            self._due = None
        exchange.outbound.saved()
        if self._file is None:
            return ""
        try:
            self._file.save(
                user=exchange.user,
                position=exchange.position,
                epoch=exchange.history.epoch,
                positions=exchange.inbound.positions(),
                unsent=exchange.outbound,
                witness=exchange.history.witness,
            )
        except BadPositions as error:
            return str(error)
        return ""
