"""
Message ids: positive, unique, rising with time, and below 2^53, so that programs whose
numbers are floating-point (JavaScript, Lua in Redis, the Redis hand-over of legacy
Connects) keep them exactly.

::

    | 37 bits: ticks of 8 ms since 2018-01-01 | 8 bits: node number | 8 bits: counter |

So 256 Messages make ids at the same time, each up to 32,000 a second on average, until
November 2052.  Within a tick the counter rises; when it is full, and whenever the clock
went back, ids run ahead of the clock rather than repeat; and so they do if it went back
while Message was down (L{wsmsg.message.cluster.reserved_ids}).  After 2052 they pass
2^53, and are unique as before.

Ids of the legacy system are microseconds since 1970: since 2024, ids made here are
above those made there at the same time.  Ids of before (41 bits of milliseconds, above
2^53) stay valid; L{wsmsg.message.store.id_order} has their order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

EPOCH_MS = 1_514_764_800_000
#: Milliseconds of a tick, as a power of two.
_TICK_BITS = 3
_COUNTER_BITS = 8
_NODE_BITS = 8
#: The most Messages that can give out ids at the same time.
NUMBERS = 1 << _NODE_BITS
#: The end of a reservation that the clock does not reach: ids may run ahead of it
#: there, 320,000 of them.
SPARE_MS = 10_000


class MessageIds:
    """
    The message ids of one Message.  Provides
    L{wsmsg.message.cluster.interface.IMessageIds}.

    @param now_ms: returns unix milliseconds.
    @param node_number: 0 to 255, different for each Message of an installation.
    """

    def __init__(self, now_ms: Callable[[], int], node_number: int = 0) -> None:
        self._now_ms = now_ms
        self._node = _shifted(node_number)
        self._tick = 0
        self._counter = 0
        self._last_of_clock = sys.maxsize

    @property
    def node_number(self) -> int:
        return self._node >> _COUNTER_BITS

    def renumber(self, node_number: int) -> None:
        """
        Use another node number from now on.
        """
        self._node = _shifted(node_number)
        # The ids given out in this tick may be above those with the new number.
        self._tick, self._counter = self._tick + 1, 0

    def horizon_ms(self) -> int:
        """
        Return the unix time of the clock or of the last id, whichever is later.
        """
        return max(self._now_ms(), (self._tick << _TICK_BITS) + EPOCH_MS)

    def begin_behind(self, ms: int) -> None:
        """
        Give out only ids behind a unix time from now on.
        """
        self._tick = max(self._tick, (ms - EPOCH_MS >> _TICK_BITS) + 1)

    def use_until(self, ms: int) -> None:
        """
        Follow the clock no further than L{SPARE_MS} before a unix time.
        """
        self._last_of_clock = ms - SPARE_MS - EPOCH_MS >> _TICK_BITS

    def next(self) -> int:
        """
        Return an id above all ids returned before.
        """
        now = self._now_ms() - EPOCH_MS >> _TICK_BITS
        if now > self._last_of_clock:
            now = self._last_of_clock
        if now > self._tick:
            self._tick, self._counter = now, 0
        elif self._counter < (1 << _COUNTER_BITS) - 1:
            self._counter += 1
        else:
            self._tick, self._counter = self._tick + 1, 0
        return self._tick << (_COUNTER_BITS + _NODE_BITS) | self._node | self._counter


def _shifted(node_number: int) -> int:
    if not 0 <= node_number < NUMBERS:
        raise ValueError(f"node number {node_number} is not in 0 to {NUMBERS - 1}")
    return node_number << _COUNTER_BITS
