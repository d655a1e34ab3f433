"""
The Connects and Messages without a stream between them, as far as a Message can know.

A balancer in front of several Messages, or an address that discovery lacks, leaves a
Connect without a stream to one of them.  Its users then miss the messages which that
one delivers, and neither daemon sees a failure.  There are two signs of it:

  - the list of Messages in Redis, if there is one.  Message passes it to each Connect,
    which compares it with its streams, and says which Messages it does not reach;
  - records name the Connect that they came through.  A Connect whose users' messages
    are delivered here, again and again, should have a stream to here.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final

#: For so long a Connect must have sent messages without a stream to here.
UNLINKED_S: Final = 5.0
# Only the records accepted this short a time ago show that a Connect is alive.
_RECENT_S = 10.0
# After so long without such a record, the Connect is forgotten.
_FORGOTTEN_S = 60.0
_MOST = 1000
_NAMED = 5


class ReachOfConnects:
    """
    The streams that are missing, as far as this Message knows.

    @param seconds: returns the time of the monotonic clock.
    @param unix_s: returns the unix time.
    @ivar address: of this Message in the list; empty: there is no list.
    @ivar listed: all addresses in the list, in order.
    @ivar suspects: when records of each Connect without a stream to here were read
        first and last.
    """

    def __init__(
        self, seconds: Callable[[], float], unix_s: Callable[[], float]
    ) -> None:
        self.address = ""
        self.listed: tuple[str, ...] = ()
        self._seconds = seconds
        self._unix_s = unix_s
        self._unreached: dict[str, tuple[str, ...]] = {}
        self.suspects: dict[str, tuple[float, float]] = {}

    def set_list(self, address: str, others: Iterable[str]) -> bool:
        """
        Note the list of Messages.

        @return: whether it changed.
        """
        listed = tuple(sorted({address, *others}))
        changed = (address, listed) != (self.address, self.listed)
        self.address, self.listed = address, listed
        return changed

    def set_unreached(self, node: str, addresses: Iterable[str]) -> None:
        """
        Note which Messages of the list a Connect does not reach.
        """
        self._unreached[node] = tuple(addresses)[:_MOST]
        if not self._unreached[node]:
            del self._unreached[node]

    def is_whole(self, node: str) -> bool:
        """
        Return whether a Connect reaches all Messages.
        """
        return node not in self._unreached

    def forget(self, node: str) -> None:
        """
        Forget a Connect whose stream is lost.
        """
        self._unreached.pop(node, None)

    def used(self, latest_ms: Mapping[str, int], linked: Container[str]) -> None:
        """
        Note the Connects that records came through.

        @param latest_ms: when the last of these records was accepted, by Connect.
        @param linked: the Connects that have a stream to here.
        """
        now_s = self._seconds()
        for node, time_ms in latest_ms.items():
            if node in linked:
                self.suspects.pop(node, None)
            elif self._unix_s() - time_ms / 1000 < _RECENT_S:
                first_s, _ = self.suspects.get(node, (now_s, now_s))
                if node in self.suspects or len(self.suspects) < _MOST:
                    self.suspects[node] = (first_s, now_s)

    def unreached_by(self) -> Mapping[str, list[str]]:
        """
        Return the Connects that do not reach a Message, by the address of that one.
        """
        found: dict[str, list[str]] = {}
        for node, addresses in sorted(self._unreached.items()):
            for address in addresses:
                found.setdefault(address, []).append(node)
        return found

    def unreached(self) -> str:
        """
        Return which Connects do not reach which Messages, in a sentence; empty if all
        that this Message knows of do.
        """
        pairs = [
            f"{node} has no stream to the Message at {address}"
            for node, addresses in sorted(self._unreached.items())
            for address in addresses
        ]
        return _first_of(pairs)

    def unlinked(self, linked: Container[str]) -> str:
        """
        Return the Connects that have no stream to this Message, in a sentence; empty if
        this Message knows of none.
        """
        now_s = self._seconds()
        for node, (_, last_s) in list(self.suspects.items()):
            if node in linked or now_s - last_s > _FORGOTTEN_S:
                del self.suspects[node]
        nodes = sorted(
            node
            for node, (first_s, last_s) in self.suspects.items()
            if last_s - first_s >= UNLINKED_S
        )
        if not nodes:
            return ""
        return (
            "messages of its users are delivered here, and it has no stream to here: "
            f"{_first_of(nodes)}"
        )


def _first_of(texts: list[str]) -> str:
    more = len(texts) - _NAMED
    return "; ".join(texts[:_NAMED]) + (f" and {more} more" if more > 0 else "")
