"""
The presence of watched users, merged from several Messages.

Every Message is asked for the watched users, and reports what the Connects with streams
to it say.  A user is online while any Message reports so.  A Message that lost its
stream to a Connect which is alive reports its users as gone, and the other Messages
know better.  The loss of a Message withdraws its reports, and means nothing by
itself::

    Message 1: online -------------- lost the stream of the user's Connect: offline
    Message 2: ------- online -----------------------------------------------------
    sent to clients: online
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.upstream.interface import IEdge
from wsmsg.errors import WsmsgError
from wsmsg.model import UserPresence

#: The interval of queries about users whose presence no stream reports.
_REQUERY_S = 1.0
_QUERY_USERS = 1000

_NOBODY: frozenset[Hashable] = frozenset()


class WatchedPresence:
    """
    The users that sessions watch, the Messages that report each of them as online, and
    what was last sent of each: unchanged presence is not sent again.

    The sets of Messages are shared, as there are few different ones.

    @ivar unreported: users to be queried again: those known to be online only by a
        query or by a Message that was lost since, and those whose query failed.
    """

    def __init__(self, edge: IEdge) -> None:
        self.unreported: dict[int, None] = {}
        self._edge = edge
        self._reporters: dict[int, frozenset[Hashable]] = {}
        self._sets: dict[frozenset[Hashable], frozenset[Hashable]] = {}
        self._sent: dict[int, bool] = {}

    def watch(self, users: Iterable[int]) -> None:
        for user in users:
            self._reporters.setdefault(user, _NOBODY)

    def unwatch(self, users: Iterable[int]) -> None:
        for user in users:
            self._reporters.pop(user, None)
            self._sent.pop(user, None)
            self.unreported.pop(user, None)

    def reported(self, by: Hashable, presence: UserPresence) -> None:
        """
        Take the report of a Message, and send what it changes.

        @param by: the stream to that Message.
        """
        user = presence.user
        before = self._reporters.get(user)
        if before is None:
            return  # no session watches the user any more
        after = before | {by} if presence.online else before - {by}
        self._reporters[user] = self._sets.setdefault(after, after)
        self.unreported.pop(user, None)
        if presence.online or not after:
            self._send(presence)

    def stream_lost(self, by: Hashable) -> list[int]:
        """
        Withdraw the reports of a Message.

        @return: the users that no other Message reports as online.
        """
        alone = []
        for user, those in self._reporters.items():
            if by in those:
                left = those - {by}
                self._reporters[user] = self._sets.setdefault(left, left)
                if not left:
                    alone.append(user)
        self._sets.clear()
        self.unreported.update(dict.fromkeys(alone))
        return alone

    def all_lost(self) -> None:
        """
        Forget what was sent, as it may have changed while no stream is up.  Sessions
        that watch a user from now on are sent nothing until a Message answers.
        """
        self._sent.clear()

    def query_answered(self, found: Sequence[UserPresence]) -> list[UserPresence]:
        """
        Correct the answer to a session's query, and send it to the other sessions that
        were sent something else.

        @return: the answer, but for users whose presence the streams report: the query
            may be older than the reports.
        """
        return [self._merge(presence, must_send=False) for presence in found]

    def query_failed(self, users: Iterable[int]) -> None:
        """
        Have these users queried again, and sent to all sessions that watch them: the
        session that asked knows nothing.
        """
        for user in users:
            if user in self._reporters:
                self._sent.pop(user, None)
                self.unreported[user] = None

    def refreshed(self, found: Sequence[UserPresence]) -> None:
        """
        Take the answer to a query of L{PresenceRefresh}, and send what it changes.
        """
        for presence in found:
            self._merge(presence, must_send=True)

    def _merge(self, presence: UserPresence, *, must_send: bool) -> UserPresence:
        user = presence.user
        reporters = self._reporters.get(user)
        if reporters is None:
            return presence
        if reporters and not presence.online:
            presence = UserPresence(user, True)
        if presence.online and not reporters:
            self.unreported[user] = None
        else:
            self.unreported.pop(user, None)
        if must_send or user in self._sent:
            self._send(presence)
        else:
            self._sent[user] = presence.online
        return presence

    def _send(self, presence: UserPresence) -> None:
        if self._sent.get(presence.user) is not presence.online:
            self._sent[presence.user] = presence.online
            self._edge.presence(presence)


class PresenceRefresh:
    """
    Queries about watched users whose presence no stream reports.

    @param query: queries the presence of users, of one Message.
    """

    _log = Logger()

    def __init__(
        self,
        watching: WatchedPresence,
        edge: IEdge,
        query: Callable[[Sequence[int]], Deferred[list[UserPresence]]],
    ) -> None:
        self._watching = watching
        self._edge = edge
        self._query = query
        self._is_stale = True
        self._queried_s = 0.0

    def stream_synced(self) -> None:
        """
        Query all watched users, if a stream knows the users of this node again after a
        time without any stream.
        """
        if self._is_stale:
            self._is_stale = False
            self.query(self._edge.watched())

    def all_lost(self) -> None:
        """
        No stream is left.
        """
        self._is_stale = True
        self._watching.all_lost()

    def sweep(self, now_s: float) -> None:
        """
        Query the users whose presence no stream reports, once a second.
        """
        if self._watching.unreported and now_s >= self._queried_s + _REQUERY_S:
            self._queried_s = now_s
            self.query(list(self._watching.unreported))

    def query(self, users: Sequence[int]) -> None:
        """
        Query the presence of these users, and send what changed to the sessions that
        watch them.
        """
        for at in range(0, len(users), _QUERY_USERS):
            found = self._query(users[at : at + _QUERY_USERS])
            found.addCallbacks(self._watching.refreshed, self._failed)

    def _failed(self, failure: Failure) -> None:
        failure.trap(WsmsgError)
        self._log.debug("presence is not known: {reason}", reason=failure.value)
