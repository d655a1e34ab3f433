"""
The Connects that do not keep up with their pushes.

A link is cut by the number and the size of its unacknowledged pushes
(L{wsmsg.message.links.link}), and by their age: always at C{ack_s}, and much earlier
while the reading of the journal waits for them, as everybody else waits too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from wsmsg.message.links.link import Link
from wsmsg.text.counted import counted

#: A Connect that has not acknowledged for so long is called slow.
SLOW_S: Final = 2.0
#: For so long after a cut, too.
REMEMBERED_S: Final = 60.0
# A check that is this late comes from a Message that stalled: the acknowledgements may
# have arrived, and are not read yet.
_LATE_S = 2.0
_NAMED = 5


class SlowConnects:
    """
    Cuts the links of slow Connects, and remembers them for a while.

    @param ack_s: for how long a push may stay unacknowledged on an open stream.
    """

    def __init__(self, seconds: Callable[[], float], ack_s: float) -> None:
        self.ack_s = ack_s
        self._seconds = seconds
        self._cut_s: dict[str, float] = {}
        self._checked_s = seconds()

    def apply_settings(self, ack_s: float) -> None:
        """
        Apply the time for acknowledging.
        """
        self.ack_s = ack_s

    def was_cut(self, node: str) -> None:
        """
        Remember a Connect whose link was cut.
        """
        self._cut_s[node] = self._seconds()

    def check(self, links: Iterable[Link]) -> None:
        """
        Cut the links with a push that is too old.  Called once a second.

        The pushes of a link without a stream are kept for the grace time, however old.
        """
        now_s = self._seconds()
        late = now_s - self._checked_s > _LATE_S
        self._checked_s = now_s
        for link in () if late else links:
            if link.open and link.age_s(now_s) > self.ack_s:
                link.cut(f"a push has not been acknowledged for {self.ack_s} s")

    def release(self, links: Iterable[Link], age_s: float) -> None:
        """
        Cut the links with a push of this age, as others wait for it.
        """
        now_s = self._seconds()
        for link in links:
            if link.age_s(now_s) >= age_s:
                pushes = counted(link.held, "push", "pushes")
                link.cut(
                    f"reading the journal waited for {pushes} not acknowledged for "
                    f"{age_s} s"
                )

    def reason(self, links: Collection[Link]) -> str:
        """
        Return the Connects that are slow, in a sentence; empty if there is none.
        """
        now_s = self._seconds()
        for node, cut_s in list(self._cut_s.items()):
            if now_s - cut_s > REMEMBERED_S:
                del self._cut_s[node]
        slow = {link.node for link in links if link.age_s(now_s) > SLOW_S}
        nodes = sorted(slow | self._cut_s.keys())
        if not nodes:
            return ""
        named = ", ".join(nodes[:_NAMED])
        more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
        return f"pushes are not acknowledged in time by {named}{more}"
