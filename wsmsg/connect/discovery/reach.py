"""
The Messages that exist, and that no stream of this Connect reaches.

Messages list each other in Redis.  Each says, in its welcome and at each change, which
address it has in that list, and which addresses there are.  A balancer in front of
several Messages leaves some of them without a stream, which discovery does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final

#: For so long a Message may be in the list before a stream reaches it.
PATIENCE_S: Final = 10.0


class MessageReach:
    """
    The Messages that exist, as the streams tell.

    @param seconds: returns the time of the monotonic clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._addresses: dict[Hashable, str] = {}
        self._lists: dict[Hashable, frozenset[str]] = {}
        self._since_s: dict[str, float] = {}
        self._whole = 0
        self._partial_s: float | None = None

    def welcomed(self, stream: Hashable, address: str) -> None:
        """
        Note the address that a stream's Message has in the list; empty: none.
        """
        self._addresses[stream] = address

    def listed(self, stream: Hashable, addresses: Iterable[str]) -> None:
        """
        Note the list, as a stream's Message has it.
        """
        self._lists[stream] = frozenset(addresses)

    def lost(self, stream: Hashable) -> None:
        """
        Forget a stream.
        """
        self._addresses.pop(stream, None)
        self._lists.pop(stream, None)

    def set_whole(self, connects: int) -> None:
        """
        Note how many Connects reach all Messages.
        """
        self._whole = connects

    def address_of(self, address: str) -> str:
        """
        Return the address in the list of a Message without a stream.

        @param address: that which discovery found.  If it is not in the list, while one
            Message there has no stream, it is that one's other name.
        """
        listed = frozenset().union(*self._lists.values())
        missing = listed.difference(self._addresses.values())
        if address in listed or len(missing) != 1:
            return address
        (only,) = missing
        return only

    def look(self, indirect: Iterable[str] = ()) -> tuple[str, ...]:
        """
        Return the addresses that have been in the list, or known otherwise, for a
        while, and that no direct stream reaches; in order.  Called several times a
        second.

        @param indirect: addresses that discovery found, and that no direct stream
            reaches.
        """
        now_s = self._seconds()
        missing = frozenset().union(*self._lists.values())
        missing = missing.difference(self._addresses.values()).union(indirect)
        if not missing and not self._since_s:
            return ()
        self._since_s = {a: self._since_s.get(a, now_s) for a in sorted(missing)}
        return tuple(
            address
            for address, since_s in self._since_s.items()
            if now_s - since_s >= PATIENCE_S
        )

    def should_move(self, unreached: bool, partial_s: float) -> bool:
        """
        Return whether to ask clients now to move to other Connects: some Message is out
        of direct reach for C{partial_s}, and other Connects reach all.
        """
        now_s = self._seconds()
        if not unreached:
            self._partial_s = None
        elif self._partial_s is None:
            self._partial_s = now_s
        elif self._whole and now_s - self._partial_s >= partial_s:
            self._partial_s = now_s  # and again after that time
            return True
        return False
