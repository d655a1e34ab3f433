"""
The refusals of handshakes and logins: counted by reason, and logged with the address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import get_args

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.connect.edge.budgets import group_of
from wsmsg.errors import Fault, Unauthenticated, WsmsgError
from wsmsg.monitoring.repeats import Repeats

#: All reasons.
REASONS = (
    *(f"token_{fault}" for fault in get_args(Fault)),
    *("origin", "bad_request", "no_hello", "proxy", "unavailable", "draining"),
    *("connections", "handshakes", "address", "address_handshakes"),
)
#: Lines of one address, and of all, in a minute.
FIRST = 5
_LINES = 300
_REASON_CHARACTERS = 200


def label_of(error: WsmsgError) -> str:
    """
    Return the label of a refused handshake or login.
    """
    if isinstance(error, Unauthenticated):
        return f"token_{error.fault}"
    return {403: "origin", 503: "unavailable"}.get(error.http_status, "bad_request")


class RefusedLogins:
    """
    Counts and logs refusals.

    @ivar counts: refusals by reason.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.counts: Counter[str] = Counter()
        self._repeats = Repeats(clock, self._log_sum, first=FIRST, lines=_LINES)
        self.stop = self._repeats.stop

    def note(self, address: str, fault: str, reason: str) -> None:
        """
        Count a refusal, and log it unless the address has caused many lines of late.

        @param fault: the reason's label, of L{REASONS}.
        """
        self.counts[fault] += 1
        if self._repeats.allow(group_of(address)):
            self._log.info(
                "refused {address}: {fault}: {reason}",
                address=address,
                fault=fault,
                reason=reason[:_REASON_CHARACTERS],
            )

    def _log_sum(self, cause: Hashable, more: int, seconds: float) -> None:
        if cause is None:
            self._log.info(
                "refused others: {more:,} more from other addresses in {seconds:.0f} s",
                more=more,
                seconds=seconds,
            )
        else:
            self._log.info(
                "refused {address}: {more:,} more from {address} in {seconds:.0f} s",
                address=cause,
                more=more,
                seconds=seconds,
            )
