"""
The way to one Message: to its own address, or through another Message.

A way can break for one Connect alone.  Then the Message lives, and other Messages reach
it; one of them passes the stream on::

    direct --silent, and another Message reaches it--> through another
    through another --its own address answers again--> direct

An attempt at the Message's own address that ends by a time limit is followed by one
through another, and so is every third that ends at once.  A Message that refuses
connections is mostly starting; a Connect that reaches it through another one would lose
both with that one.
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
#: Attempts at the Message's own address that end at once, before one through another.
STRAIGHT: Final = 3
#: An attempt that is followed by the next one so soon ended at once.
_AT_ONCE_S = 3.0


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
        self._around = False
        self._straight = 0
        self._asked_s = self._chosen_s = 0.0

    def choose(self, others: list[str]) -> str:
        """
        Choose the way of the next attempt.

        @param others: the addresses of Messages that may pass the stream on.
        @return: C{through}.
        """
        now_s = self._seconds()
        timed_out = self._straight and now_s - self._chosen_s >= _AT_ONCE_S
        around = bool(others) and (self._around or bool(timed_out))
        self.through = others[0] if around else ""
        self._straight = 0 if around else self._straight + 1
        self._around = self._straight >= STRAIGHT
        self._chosen_s = now_s
        return self.through

    def stream_up(self) -> None:
        """
        The stream is up; after its loss the same way is tried first.
        """
        self._around = bool(self.through)
        self._straight = 0
        first_s = DIRECT_S - FIRST_DIRECT_S if self.through else 0.0
        self._asked_s = self._seconds() - first_s

    def go_around(self) -> None:
        """
        Make the next attempt through another Message.
        """
        self._around = True

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
