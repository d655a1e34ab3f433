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

_log = logging.getLogger("wsmsg.client")


class Saving:
    """
    Keeps the position file in step with the exchange.

    @param path: L{None}: there is no file.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._file = PositionFile(Path(path)) if path else None
        self._due: asyncio.TimerHandle | None = None

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
        Write the changes at once.
        """
        if self._due is not None:
            self._due.cancel()
            self._due = None
        exchange.outbound.saved()
        if self._file is None:
            return
        try:
            self._file.save(
                user=exchange.user,
                position=exchange.position,
                epoch=exchange.epoch,
                positions=exchange.inbound.positions(),
                unsent=exchange.outbound,
            )
        except BadPositions as error:
            _log.error("cannot save the position file: %s", error)
