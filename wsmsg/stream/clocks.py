"""
Comparison of the system clocks of the two ends of a stream.

Nothing in wsmsg compares times of two machines, but people read them: the times of
messages, and those in logs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

#: The difference above which clocks count as different, in seconds.
BOUND_S = 5.0


class ClockOffsets:
    """
    The differences between the clocks of the peers and ours, by stream.

    @param seconds: the monotonic clock.
    @param unix_s: our system clock.
    """

    def __init__(
        self, seconds: Callable[[], float], unix_s: Callable[[], float]
    ) -> None:
        self._seconds = seconds
        self._unix_s = unix_s
        self._offsets: dict[Hashable, tuple[str, float]] = {}

    def now_ms(self) -> int:
        """
        Return our time, for a peer to compare.
        """
        return int(self._unix_s() * 1000)

    def asked_s(self) -> float:
        """
        Return the time at which a peer is asked, for L{note}.
        """
        return self._seconds()

    def note(
        self, stream: Hashable, name: str, peer_ms: int, asked_s: float | None = None
    ) -> None:
        """
        Note the time of a peer, which has just arrived.

        @param stream: the stream of the peer; it counts until L{forget}.
        @param peer_ms: the peer's unix time in milliseconds; 0: it told none.
        @param asked_s: when the peer was asked: it read its clock in the time since,
            half of which is the error.
        """
        if not peer_ms:
            self.forget(stream)
            return
        error_s = 0.0 if asked_s is None else (self._seconds() - asked_s) / 2
        offset_s = peer_ms / 1000 - self._unix_s() + error_s
        if abs(offset_s) - error_s > BOUND_S:
            self._offsets[stream] = name, offset_s
        else:
            self.forget(stream)

    def forget(self, stream: Hashable) -> None:
        """
        Forget a stream that has ended.
        """
        self._offsets.pop(stream, None)

    def reason(self) -> str:
        """
        Return in one sentence which clocks differ; empty: none.
        """
        if not self._offsets:
            return ""
        some = sorted(self._offsets.values(), key=lambda item: -abs(item[1]))
        told = ", ".join(f"{name} by {offset_s:+.1f} s" for name, offset_s in some[:5])
        return f"the system clock differs from that of {told}"

    def worst_s(self) -> float:
        """
        Return the greatest difference above the bound, in seconds; 0: there is none.
        """
        return max((abs(offset_s) for _, offset_s in self._offsets.values()), default=0)
