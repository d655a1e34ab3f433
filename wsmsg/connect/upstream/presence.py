"""
Who is online, by the words of all Messages.

Every Message is asked for the users that are watched here, and each says what its own
streams tell it.  A user is online while any of them says so: a Message that lost its
stream to a Connect which lives says that users are gone, and the others know better.
The loss of a Message takes its words along, and means nothing by itself::

    Message 1: online ---------------- lost its stream to the user's Connect: offline
    Message 2: ------- online -------------------------------------------------------
    told here: online
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.upstream.interface import IEdge
from wsmsg.errors import WsmsgError
from wsmsg.model import UserPresence

#: The interval of queries about users whom no Message reports by its streams.
_REQUERY_S = 1.0
_QUERY_USERS = 1000

_NOBODY: frozenset[Hashable] = frozenset()


class WatchedPresence:
    """
    The users that are watched here, which Messages say that they are online, and what
    was told of them last: nothing is told twice.

    The sets of Messages are shared, as there are few different ones.

    @ivar unbacked: users to be asked for again: those who are online by an answer to a
        read, or by a Message that is lost, and by no Message's own streams; and those
        about whom a read failed.
    """

    def __init__(self, edge: IEdge) -> None:
        self.unbacked: dict[int, None] = {}
        self._edge = edge
        self._by: dict[int, frozenset[Hashable]] = {}
        self._sets: dict[frozenset[Hashable], frozenset[Hashable]] = {}
        self._told: dict[int, bool] = {}

    def watch(self, users: Iterable[int]) -> None:
        for user in users:
            self._by.setdefault(user, _NOBODY)

    def unwatch(self, users: Iterable[int]) -> None:
        for user in users:
            self._by.pop(user, None)
            self._told.pop(user, None)
            self.unbacked.pop(user, None)

    def said(self, by: Hashable, presence: UserPresence) -> None:
        """
        A Message says what its streams told it; what changes by that is told on.
        """
        user = presence.user
        before = self._by.get(user)
        if before is None:
            return  # nobody watches any more
        after = before | {by} if presence.online else before - {by}
        self._by[user] = self._sets.setdefault(after, after)
        self.unbacked.pop(user, None)
        if presence.online or not after:
            self._tell(presence)

    def lost(self, by: Hashable) -> list[int]:
        """
        The stream to a Message is gone.

        @return: the users that only it said to be online.
        """
        alone = []
        for user, those in self._by.items():
            if by in those:
                left = those - {by}
                self._by[user] = self._sets.setdefault(left, left)
                if not left:
                    alone.append(user)
        self._sets.clear()
        self.unbacked.update(dict.fromkeys(alone))
        return alone

    def all_lost(self) -> None:
        """
        No stream is left: what was told may not be so any more, and who watches from
        now on is told nothing until somebody knows.
        """
        self._told.clear()

    def answered(self, found: Sequence[UserPresence]) -> list[UserPresence]:
        """
        A read was answered with this, and whoever asked for it is told by the caller.
        All who watch are told where they were told otherwise.

        @return: the same, but for users of whom the streams know better: a read may be
            older than what they say meanwhile.
        """
        return [self._answered(presence, is_news=False) for presence in found]

    def unanswered(self, users: Iterable[int]) -> None:
        """
        A read about these failed, and whoever asked knows nothing: they are to be asked
        for again, and all who watch are told.
        """
        for user in users:
            if user in self._by:
                self._told.pop(user, None)
                self.unbacked[user] = None

    def tell(self, found: Sequence[UserPresence]) -> None:
        """
        The same, where nobody but those who watch is to be told.
        """
        for presence in found:
            self._answered(presence, is_news=True)

    def _answered(self, presence: UserPresence, *, is_news: bool) -> UserPresence:
        user = presence.user
        by = self._by.get(user)
        if by is None:
            return presence
        if by and not presence.online:
            presence = UserPresence(user, True)
        if presence.online and not by:
            self.unbacked[user] = None
        else:
            self.unbacked.pop(user, None)
        if is_news or user in self._told:
            self._tell(presence)
        else:
            self._told[user] = presence.online
        return presence

    def _tell(self, presence: UserPresence) -> None:
        if self._told.get(presence.user) is not presence.online:
            self._told[presence.user] = presence.online
            self._edge.presence(presence)


class PresenceRefresh:
    """
    Queries about watched users whose presence the streams do not report.

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
        Query the users whom no Message reports by its streams, once a second.
        """
        if self._watching.unbacked and now_s >= self._queried_s + _REQUERY_S:
            self._queried_s = now_s
            self.query(list(self._watching.unbacked))

    def query(self, users: Sequence[int]) -> None:
        """
        Query the presence of these users, and tell those who watch them.
        """
        for at in range(0, len(users), _QUERY_USERS):
            found = self._query(users[at : at + _QUERY_USERS])
            found.addCallbacks(self._watching.tell, self._failed)

    def _failed(self, failure: Failure) -> None:
        failure.trap(WsmsgError)
        self._log.debug("presence not known: {reason}", reason=failure.value)
