"""
The rates of sends that the Connects allow a user, as they say when they subscribe.

All of them usually have the same settings.  If they differ, the highest counts: each
Connect enforces its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable


class ConnectRates:
    """
    The rates of the Connects with a stream; once all streams are lost, those of the
    last one stay.

    @ivar rate: sends a second; 0: no Connect has said any.
    @ivar burst: the highest burst.
    """

    def __init__(self) -> None:
        self.rate = self.burst = 0
        self._rates: dict[Hashable, tuple[int, int]] = {}
        self._on_change: list[Callable[[], object]] = []

    def on_change(self, call: Callable[[], object]) -> None:
        """
        Call this when the highest rates have changed.
        """
        self._on_change.append(call)

    def note(self, stream: Hashable, rate: int, burst: int) -> None:
        """
        Note the rates of a stream that begins; 0: its Connect has said none.
        """
        if rate and burst:
            self._rates[stream] = (rate, burst)
            self._look()

    def forget(self, stream: Hashable) -> None:
        """
        Forget a stream that has ended.
        """
        if self._rates.pop(stream, None) is not None and self._rates:
            self._look()

    def _look(self) -> None:
        before = (self.rate, self.burst)
        self.rate = max(rate for rate, _ in self._rates.values())
        self.burst = max(burst for _, burst in self._rates.values())
        if before != (self.rate, self.burst):
            for call in self._on_change:
                call()
