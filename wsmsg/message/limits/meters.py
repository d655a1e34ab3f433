"""
Meters of users: the sends a second and the bytes a day of each, in memory.

A send costs one look-up in a dictionary and the arithmetic of its meter
(L{wsmsg.flow.token_bucket.Meter}), and never waits.  A user of whom this Message knows
nothing begins with a full bucket, and with no bytes until L{wsmsg.message.limits.usage}
has asked the store, a few seconds later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wsmsg.errors import RateLimited, WsmsgError
from wsmsg.flow.token_bucket import Meter
from wsmsg.message.limits.rates import ConnectRates
from wsmsg.message.limits.settings import UserLimits

#: The most meters.
MOST: Final = 100_000
#: The bytes that a message takes in the store besides its texts, about.
OVERHEAD_BYTES: Final = 128

# The least time to retry, so that a client repeats several sends at once.
_LEAST_HINT_MS = 500
# The bursts of a Connect that Message allows at once: sends that waited for a stream
# arrive together.
_BURSTS = 2
# The meters that are looked at for one to forget.
_LOOKS = 8


class UserMeters:
    """
    The meters, by user; over the bound, one that is not in use is forgotten.

    @param seconds: returns monotonic seconds.
    @param rates: those of the Connects, for settings that name no others.
    @ivar on: whether any of these limits is set.
    @ivar meters: by user.
    @ivar seconds: as the parameter.
    """

    def __init__(
        self,
        limits: UserLimits,
        seconds: Callable[[], float],
        rates: ConnectRates,
        most: int = MOST,
    ) -> None:
        self.meters: dict[int, Meter] = {}
        self.seconds = seconds
        self._limits = limits
        self._rates = rates
        self._most = most
        self._unsaved: list[Meter] = []
        self.rate = self.burst = 0.0
        self.amount = 0
        self.period = limits.day()
        self.on = False
        rates.on_change(self.apply_settings)
        self.apply_settings()

    def apply_settings(self) -> None:
        """
        Apply the limits as they are now.
        """
        settings = self._limits.settings
        self.rate = float(settings.sends_per_s or self._rates.rate)
        burst = settings.sends_burst or _BURSTS * self._rates.burst
        self.burst = float(burst or _BURSTS * self.rate)
        self.amount = settings.stored_bytes_per_day
        self.on = bool(self.rate or self.amount)

    def begin(self, user: int, now: float) -> Meter:
        """
        Return a new meter for a user who has none.
        """
        if len(self.meters) >= self._most:
            self._forget_one(now)
        meter = self.meters[user] = Meter(user, now, self)
        return meter

    def refusal(self, meter: Meter, limit: str, now: float) -> WsmsgError:
        """
        Return the error for a send that a meter refused.

        @param limit: as L{Meter.count} returned it.
        """
        if limit == "amount":
            return self._limits.refuse(
                "stored_bytes",
                f"user {meter.user} has sent the {self.amount} bytes of today"
                " (limits.stored_bytes_per_day)",
            )
        self._limits.refused["sends"] += 1
        wait_ms = int(meter.wait_s(now, self.rate) * 1000) + 1
        reason = "too many sends of the user, over all connections (limits.sends_per_s)"
        return RateLimited(reason, max(wait_ms, _LEAST_HINT_MS))

    # -- saving

    def unsaved(self, meter: Meter) -> None:
        """
        As L{wsmsg.flow.token_bucket.MeterLimits.unsaved}.
        """
        self._unsaved.append(meter)

    def take_unsaved(self) -> list[tuple[int, int]]:
        """
        Return the users who have sent something since the last call, with the bytes.
        """
        meters, self._unsaved = self._unsaved, []
        return [(meter.user, meter.take_unsaved()) for meter in meters]

    def turn(self) -> int:
        """
        Begin a new day if there is one.

        @return: its number.
        """
        self.period = self._limits.day()
        return self.period

    def saved(self, user: int, total: int, period: int) -> None:
        """
        Take over the bytes that all Messages have counted of a user.
        """
        meter = self.meters.get(user)
        if meter is not None:
            meter.saved(total, period)

    def _forget_one(self, now: float) -> None:
        meters = self.meters
        for _ in range(_LOOKS):
            user = next(iter(meters))
            meter = meters.pop(user)
            if not self.rate or not meter.wait_s(now, self.rate, self.burst):
                return
            meters[user] = meter
        del meters[next(iter(meters))]
