"""
The connections that are refused for their header of the PROXY protocol.
"""

from __future__ import annotations

from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.monitoring.repeats import Repeats
from wsmsg.text.counted import plural

#: Lines of one address, and of all, in a minute.
_FIRST = 5
_LINES = 60


class RefusedConnections:
    """
    Counts and logs refused connections.

    @ivar count: their number.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.count = 0
        self._repeats = Repeats(clock, self._log_sum, first=_FIRST, lines=_LINES)
        self.stop = self._repeats.stop

    def note(self, address: str, reason: str) -> None:
        """
        Count a refused connection, and log it unless the address has caused many lines
        of late.
        """
        self.count += 1
        if self._repeats.allow(address):
            self._log.info(
                "refused {address}: proxy: {reason}", address=address, reason=reason
            )

    def _log_sum(self, address: Hashable, more: int, seconds: float) -> None:
        self._log.info(
            "refused {address}: {more:,} more {noun} in {seconds:.0f} s",
            address="others" if address is None else address,
            more=more,
            noun=plural(more, "connection"),
            seconds=seconds,
        )
