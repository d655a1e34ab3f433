"""
What we write about the users of the Connects whose primary we are.

A Connect has one primary, and moves it when its stream is lost.  The old one may
still live, think that it is the primary, and have news of that Connect on its way.
Nobody can lock it out, so this makes what it does harmless:

  - it renews only what has a stream; so the lease of a Connect that moved is the
    new one's, and L{IPresence.forget} lets alone what another has written since;
  - the new one writes the whole list at once, and a second time when the old one
    must have noticed: whatever that wrote in between is gone then;
  - one that stood still until its leases were over first hears what came meanwhile.
    If it is the primary of a Connect even so, it writes the whole list again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.message.links.link import Link
from wsmsg.message.presence.interface import LEASE_S, IPresence

#: By then an old primary has found its stream lost, and given the link up.
SETTLED_S = 6.0

#: A renewal that is so late comes from a Message that stood still.
LATE_S = 0.75 * LEASE_S


class Leases:
    """
    The leases of the Connects whose primary we are.

    @param users: who is at a node, as we know.
    """

    _log = Logger()

    def __init__(
        self,
        presence: IPresence,
        clock: IReactorTime,
        users: Callable[[str], Iterable[int]],
    ) -> None:
        self._presence = presence
        self._clock = clock
        self._users = users
        self._unsettled: dict[str, float] = {}
        #: Those whose lease may be over, until all users are written again.
        self._untold: set[str] = set()
        self._renewed_s = clock.seconds()

    def lead(self, link: Link, primary: bool) -> None:
        """
        The Connect says whether we are its primary.
        """
        if primary == link.primary:
            return
        link.primary = primary
        self._let_go(link.node)
        self._log.info(
            "{which} the primary of {node}",
            which="now" if primary else "no longer",
            node=link.node,
        )
        if primary:
            self._unsettled[link.node] = self._clock.seconds() + SETTLED_S
            if link.known:
                self._write(link)

    def replaced(self, link: Link) -> None:
        """
        All users of the Connect are known.
        """
        link.known = True
        if link.primary:
            self._write(link)

    def changed(
        self, link: Link, online: Sequence[int], offline: Sequence[int]
    ) -> None:
        untold = link.node in self._untold or self._is_late(self._clock.seconds())
        if link.primary and not untold:
            self._note(self._presence.change(link.node, online, offline))

    def renew(self, links: Iterable[Link]) -> None:
        """
        Say which of these Connects live; called once a second.
        """
        now_s = self._clock.seconds()
        is_late = self._is_late(now_s)
        self._renewed_s = now_s
        for link in links:
            if not (link.primary and link.open and link.known):
                continue
            if is_late:
                self._untold.add(link.node)
            elif link.node in self._untold or self._is_due(link.node, now_s):
                self._write(link)
            else:
                self._note(self._presence.renew(link.node))

    def forget(self, link: Link) -> None:
        """
        The Connect is gone, as far as we know.
        """
        self._let_go(link.node)
        if link.primary:
            self._note(self._presence.forget(link.node))

    def _is_late(self, now_s: float) -> bool:
        return now_s - self._renewed_s >= LATE_S

    def _is_due(self, node: str, now_s: float) -> bool:
        """
        Whether all users are to be written once more; said once.
        """
        if self._unsettled.get(node, now_s + 1) > now_s:
            return False
        del self._unsettled[node]
        return True

    def _let_go(self, node: str) -> None:
        self._unsettled.pop(node, None)
        self._untold.discard(node)

    def _write(self, link: Link) -> None:
        self._untold.discard(link.node)
        self._note(self._presence.replace(link.node, list(self._users(link.node))))

    def _note(self, changed: Deferred[None]) -> None:
        changed.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        # Its Dependency has said that it is down; leases end what it could not be told.
        self._log.debug("presence not written: {reason}", reason=failure.value)
