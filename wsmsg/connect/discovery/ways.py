"""
The way to one Message: to its own address, or through another Message.

A way can break for one Connect alone.  Then the Message lives, and other Messages reach
it; one of them passes the stream on::

    direct --silent, and another Message reaches it--> through another
    through another --its own address answers again--> direct

So does an attempt that has no welcome after a second, and one that is refused: Connect
asks another Message if it reaches this one, first soon and then more and more seldom,
as a Message that is down answers nobody.  A Message that refuses connections is mostly
starting, and when another one reaches it, its own address is tried once more: a Connect
that reaches it through another one would lose both with that one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: A stream that is silent for so long may be on a way that is gone.
DOUBT_S: Final = 1.0
#: The least time between two questions about it.
_ASK_S = 0.5
#: How often a Message that is reached through another one is tried directly.
DIRECT_S: Final = 10.0
#: The time of the first such try, after the stream came up.
FIRST_DIRECT_S: Final = 1.0
#: The longest time between two questions about a Message without a stream.
SELDOM_S: Final = 10.0


class MessageWay:
    """
    The choice of the way for each attempt.

    @param seconds: returns the time of the monotonic clock.
    @ivar through: the address of the Message that the attempt, or the stream, goes
        through; empty: none.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.through = ""
        self._seconds = seconds
        self._around = self._around_next = False
        self._asked_s = self._chosen_s = self._missing_s = seconds()
        self._wait_s = _ASK_S

    @property
    def goes_around(self) -> bool:
        """
        True if the next attempt should go through another Message.
        """
        return self._around

    def choose(self, others: list[str]) -> str:
        """
        Choose the way of the next attempt.

        @param others: the addresses of Messages that may pass the stream on.
        @return: C{through}.
        """
        around = bool(others) and self._around
        self.through = others[0] if around else ""
        self._around, self._around_next = self._around_next, False
        self._chosen_s = self._seconds()
        return self.through

    def stream_up(self) -> None:
        """
        The stream is up; after its loss the same way is tried first.
        """
        self._around, self._around_next = bool(self.through), False
        first_s = DIRECT_S - FIRST_DIRECT_S if self.through else 0.0
        self._asked_s = self._seconds() - first_s

    def stream_lost(self) -> None:
        """
        The stream is lost.
        """
        self._missing_s, self._wait_s = self._seconds(), _ASK_S

    def go_around(self) -> None:
        """
        Make the next attempt through another Message.
        """
        self._around = True

    def reached(self) -> bool:
        """
        Another Message reaches this one, which has no stream.

        @return: whether the present attempt hangs, and should end; if not, an attempt
            at the Message's own address is next, or is under way.
        """
        hangs = self._seconds() - self._chosen_s >= DOUBT_S
        self._around, self._around_next = hangs, not hangs
        return hangs

    def go_straight(self) -> None:
        """
        Make the next attempt to the Message's own address.
        """
        self._around = False

    def is_doubtful(self, silence_s: float) -> bool:
        """
        Return whether to ask now if another Message reaches this one, as the stream has
        been silent for so long.
        """
        return not self.through and silence_s >= DOUBT_S and self._ask(_ASK_S)

    def is_missing(self) -> bool:
        """
        Return whether to ask now if another Message reaches this one, which has had no
        stream for a while.
        """
        if self._seconds() - self._missing_s < DOUBT_S or not self._ask(self._wait_s):
            return False
        self._wait_s = min(2 * self._wait_s, SELDOM_S)
        return True

    def is_direct_due(self) -> bool:
        """
        Return whether to try the Message's own address now.
        """
        return bool(self.through) and self._ask(DIRECT_S)

    def _ask(self, interval_s: float) -> bool:
        now_s = self._seconds()
        if now_s - self._asked_s < interval_s:
            return False
        self._asked_s = now_s
        return True
