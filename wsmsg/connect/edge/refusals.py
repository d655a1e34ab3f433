"""
The refusals of handshakes and logins: counted by reason, and logged with the address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.connect.edge.budgets import group_of
from wsmsg.errors import WsmsgError
from wsmsg.monitoring.repeats import Repeats

#: Lines of one address, and of all, in a minute.
FIRST = 5
_LINES = 300
_REASON_CHARACTERS = 200

#: The faults of tokens, by a word in the reason; the first that fits.
_TOKEN_FAULTS = (
    *(("debug token", "debug"), ("expired", "expired"), ("signature", "signature")),
    *(("audience", "audience"), ("issuer", "issuer"), ("algorithm", "algorithm")),
    *(("is of another user", "other_user"), ("differ", "other_user")),
    *(("user id", "subject"), ("subject", "subject"), ("key", "key")),
    *(
        ("revoked", "revoked"),
        ("before", "too_early"),
        ("cannot be read", "unreadable"),
    ),
    *(("has no", "incomplete"), ("characters", "too_long"), ("neither", "missing")),
    ("there is no token", "missing"),
)


def token_fault(reason: str) -> str:
    """
    Return the label of a fault of a token, out of a small closed set.
    """
    fits = (label for word, label in _TOKEN_FAULTS if word in reason)
    return f"token_{next(fits, 'other')}"


def label_of(error: WsmsgError) -> str:
    """
    Return the label of a refused handshake or login.
    """
    status = error.http_status
    if status == 401:
        return token_fault(error.reason)
    return {403: "origin", 503: "unavailable"}.get(status, "bad_request")


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

        @param fault: the reason's label, out of a small closed set.
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
