"""
The addresses that clients are given when they are asked to move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs

#: The most addresses in one C{goaway}.
MOST_ADDRESSES = 8


@attrs.define
class OtherConnect:
    """
    A Connect, as it has told Message last.

    @ivar url: where clients reach this very Connect; empty: not known.
    @ivar sessions: open sessions, those included that were sent there since.
    @ivar accepting: whether it is ready, and takes new clients.
    @ivar status_page: the URL of its status page; empty: not known.
    """

    node: str
    url: str
    sessions: int
    most_sessions: int
    accepting: bool
    status_page: str = ""

    @property
    def room(self) -> int:
        return self.most_sessions - self.sessions

    def take(self) -> None:
        """
        Count a client that is sent there.
        """
        self.sessions += 1


class Alternatives:
    """
    The other Connects by the room that they have.

    @param listed: returns the addresses of the settings, which come last.
    @ivar busy: whether clients need the address of another Connect, and none takes
        clients now.
    """

    def __init__(self, listed: Callable[[], Sequence[str]] = tuple) -> None:
        self._listed = listed
        self._others: list[OtherConnect] = []
        self.busy = False

    def update(self, others: Iterable[OtherConnect], *, needed: bool = False) -> None:
        """
        Take what the other Connects told last.

        @param needed: clients know none but this Connect.
        """
        known = [o for o in others if o.url]
        self._others = [o for o in known if o.accepting and o.room > 0]
        self.busy = bool(needed or known) and not (self._others or self._listed())

    def next(self) -> tuple[str, ...]:
        """
        Return the addresses for one more client: first that of the Connect with the
        most room, which counts the client as its own from now on.
        """
        by_room = sorted(self._others, key=lambda o: o.room, reverse=True)
        if by_room:
            by_room[0].take()
        addresses = dict.fromkeys([*(o.url for o in by_room), *self._listed()])
        return tuple(addresses)[:MOST_ADDRESSES]


def surplus(own: OtherConnect, others: Iterable[OtherConnect]) -> int:
    """
    Return how many sessions a Connect has above its share of all sessions, which is by
    the most sessions that each Connect may have; 0, if another one takes no clients.
    """
    taking = [own, *(o for o in others if o.accepting)]
    total = sum(o.sessions for o in taking)
    most = sum(o.most_sessions for o in taking)
    if len(taking) == 1 or not most:
        return 0
    return max(own.sessions - -(-total * own.most_sessions // most), 0)
