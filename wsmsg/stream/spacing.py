"""
The rule by which the frames of a stream keep their distance.

A frame costs CPU whatever is in it, so fewer and larger frames are cheaper; but what
waits for a frame arrives later.  The rule buys latency with CPU only while the process
has CPU to spare::

    busy   the share of one core that the process has used lately
    pause  0 up to L{IDLE}, then rising to L{MOST_S} at L{BUSY}

    frames may be written a pause apart on average, L{BURST} of them at once after a
    silence

So a lone message, and what answers it, waits for nothing, and a busy stream carries a
frame every L{MOST_S}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: The share of a core up to which frames are not spaced.
IDLE: Final = 0.1
#: The share of a core from which they are spaced the most.
BUSY: Final = 0.2
#: The longest pause, in seconds.
MOST_S: Final = 0.005
#: The frames that may follow each other without a pause after a silence.
BURST: Final = 3
#: A pause below this is not worth a timer.
_LEAST_S: Final = 0.0002
#: The CPU time is read once in so many seconds.
_WINDOW_S: Final = 0.05
#: The share is smoothed over about so many seconds.
_SMOOTHING_S: Final = 0.1


class BusyShare:
    """
    The share of one core that this process uses, smoothed.

    @param seconds: returns the time of the monotonic clock.
    @param cpu_s: returns the CPU time that the process has used, in seconds.
    """

    __slots__ = ("_cpu_s", "_seconds", "_share", "_since_s", "_used_s")

    def __init__(
        self, seconds: Callable[[], float], cpu_s: Callable[[], float]
    ) -> None:
        self._seconds = seconds
        self._cpu_s = cpu_s
        self._since_s = seconds()
        self._used_s = cpu_s()
        self._share = 0.0

    def at(self, now_s: float) -> float:
        """
        Return the share, more than 1 if several threads are busy.

        @param now_s: the time of the monotonic clock.
        """
        passed_s = now_s - self._since_s
        if 0.0 <= passed_s < _WINDOW_S:
            return self._share
        used_s = self._cpu_s()
        if passed_s > 0.0:
            share = max(0.0, used_s - self._used_s) / passed_s
            weight = passed_s / (passed_s + _SMOOTHING_S)
            self._share += weight * (share - self._share)
        self._since_s, self._used_s = now_s, used_s
        return self._share


class Spacing:
    """
    The times at which one stream may write its frames.

    @param seconds: returns the time of the monotonic clock.
    @param cpu_s: returns the CPU time that the process has used, in seconds.
    """

    __slots__ = ("_busy", "_due_s", "_seconds")

    def __init__(
        self, seconds: Callable[[], float], cpu_s: Callable[[], float]
    ) -> None:
        self._seconds = seconds
        self._busy = BusyShare(seconds, cpu_s)
        self._due_s = seconds()

    def wrote(self) -> float:
        """
        Count a frame whose writing begins now.

        @return: the seconds to wait before the next one; 0: it need not wait.
        """
        now_s = self._seconds()
        pause_s = pause_at(self._busy.at(now_s))
        ahead_s = max(0.0, self._due_s - now_s) + pause_s
        # The pause may have become shorter, or the clock been set back.
        ahead_s = min(ahead_s, BURST * pause_s)
        self._due_s = now_s + ahead_s
        wait_s = ahead_s - (BURST - 1) * pause_s
        return wait_s if wait_s >= _LEAST_S else 0.0


def pause_at(share: float) -> float:
    """
    Return the average pause between two frames at a share of a core, in seconds.
    """
    return MOST_S * min(1.0, max(0.0, (share - IDLE) / (BUSY - IDLE)))
