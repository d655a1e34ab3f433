"""
Message ids: positive int64, unique, rising with time.

::

    | 41 bits: ms since 2025-01-01 | 10 bits: node number | 12 bits: counter |

Within a millisecond the counter rises; when it is full, and whenever the clock
went back, ids run ahead of the clock rather than repeat.
"""

from __future__ import annotations

from collections.abc import Callable

EPOCH_MS = 1_735_689_600_000
_COUNTER_BITS = 12
_NODE_BITS = 10
#: The most Messages that can give out ids at the same time.
NUMBERS = 1 << _NODE_BITS


def unix_ms(unix_s: Callable[[], float]) -> Callable[[], int]:
    """
    Return a function that gives the unix time in whole milliseconds.
    """
    return lambda: int(unix_s() * 1000)


class MessageIds:
    """
    The message ids of one Message.  Provides
    L{wsmsg.message.cluster.interface.IMessageIds}.

    @param now_ms: returns unix milliseconds.
    @param node_number: 0 to 1023, different for each Message of an installation.
    """

    def __init__(self, now_ms: Callable[[], int], node_number: int = 0) -> None:
        self._now_ms = now_ms
        self._node = _shifted(node_number)
        self._ms = 0
        self._counter = 0

    @property
    def node_number(self) -> int:
        return self._node >> _COUNTER_BITS

    def renumber(self, node_number: int) -> None:
        """
        Use another node number from now on.
        """
        self._node = _shifted(node_number)
        # The ids given out in this millisecond may be above those with the new number.
        self._ms, self._counter = self._ms + 1, 0

    def next(self) -> int:
        """
        Return an id above all ids returned before.
        """
        now = self._now_ms() - EPOCH_MS
        if now > self._ms:
            self._ms, self._counter = now, 0
        elif self._counter < (1 << _COUNTER_BITS) - 1:
            self._counter += 1
        else:
            self._ms, self._counter = self._ms + 1, 0
        return self._ms << (_COUNTER_BITS + _NODE_BITS) | self._node | self._counter


def _shifted(node_number: int) -> int:
    if not 0 <= node_number < NUMBERS:
        raise ValueError(f"node number {node_number} is not in 0 to {NUMBERS - 1}")
    return node_number << _COUNTER_BITS
