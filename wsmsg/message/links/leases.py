"""
The presence that this Message writes for the users of Connects whose primary it is.

Each Connect has one primary, and chooses another one when it loses its stream to that.
The old primary may still run, believe that it is the primary, and have presence of
that Connect in flight.  No lock can exclude it, so this module makes its writes
harmless:

  - a primary renews only leases of Connects that have a stream to it.  The lease of a
    Connect that moved is therefore the one of the new primary, and
    L{IPresence.forget} leaves alone what another Message has written since;
  - the new primary writes the list of all users at once, and again after the time
    within which the old one notices the loss.  The second write replaces what the old
    primary wrote in between;
  - a Message that stalled until its leases expired first reads what has come
    meanwhile.  If it is still the primary of a Connect, it writes all users again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.message.links.link import Link
from wsmsg.message.presence.interface import LEASE_S, IPresence

#: After this time an old primary has lost its stream and given up the link.
SETTLED_S = 6.0

#: A renewal that is this late comes from a Message that stalled.
LATE_S = 0.75 * LEASE_S


class Leases:
    """
    The leases of the Connects whose primary this Message is.

    @param users: returns the users at a node.
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
        #: When to write the users of a node for the second time.
        self._rewrites: dict[str, float] = {}
        #: Nodes whose leases may have expired, until all users are written again.
        self._expired: set[str] = set()
        self._renewed_s = clock.seconds()

    def set_primary(self, link: Link, primary: bool) -> None:
        """
        Become the primary of a Connect, or cease to be.
        """
        if primary == link.primary:
            return
        link.set_primary(primary)
        self._discard(link.node)
        self._log.info(
            "{which} the primary of {node}",
            which="now" if primary else "no longer",
            node=link.node,
        )
        if primary:
            self._rewrites[link.node] = self._clock.seconds() + SETTLED_S
            if link.is_synced:
                self._write_all(link)

    def users_replaced(self, link: Link) -> None:
        """
        Write all users of a Connect, which has sent the whole list.
        """
        link.synced()
        if link.primary:
            self._write_all(link)

    def users_changed(
        self, link: Link, online: Sequence[int], offline: Sequence[int]
    ) -> None:
        """
        Write the users who came online at a Connect or went offline.
        """
        expired = link.node in self._expired or self._is_late(self._clock.seconds())
        if link.primary and not expired:
            self._ignore_failure(self._presence.change(link.node, online, offline))

    def renew(self, links: Iterable[Link]) -> None:
        """
        Renew the leases of those Connects that have a stream.  Called once a second.
        """
        now_s = self._clock.seconds()
        is_late = self._is_late(now_s)
        self._renewed_s = now_s
        for link in links:
            if not (link.primary and link.open and link.is_synced):
                continue
            if is_late:
                self._expired.add(link.node)
                continue
            with self._log.failuresHandled(
                "the lease of {node} cannot be renewed", node=link.node
            ):
                self._renew(link, now_s)

    def _renew(self, link: Link, now_s: float) -> None:
        if link.node in self._expired or self._take_rewrite(link.node, now_s):
            self._write_all(link)
        else:
            self._ignore_failure(self._presence.renew(link.node))

    def forget(self, link: Link) -> None:
        """
        End the lease of a Connect whose link is given up.
        """
        self._discard(link.node)
        if link.primary:
            self._ignore_failure(self._presence.forget(link.node))

    def _is_late(self, now_s: float) -> bool:
        return now_s - self._renewed_s >= LATE_S

    def _take_rewrite(self, node: str, now_s: float) -> bool:
        """
        Return whether the second write of all users is due, and forget it if so.
        """
        if self._rewrites.get(node, now_s + 1) > now_s:
            return False
        del self._rewrites[node]
        return True

    def _discard(self, node: str) -> None:
        self._rewrites.pop(node, None)
        self._expired.discard(node)

    def _write_all(self, link: Link) -> None:
        users = list(self._users(link.node))
        self._ignore_failure(self._presence.replace(link.node, users))
        self._expired.discard(link.node)

    def _ignore_failure(self, written: Deferred[None]) -> None:
        written.addErrback(self._log_failure)

    def _log_failure(self, failure: Failure) -> None:
        # The Dependency of the presence backend reports the failure, and leases end
        # what could not be written.
        self._log.debug("presence not written: {reason}", reason=failure.value)
