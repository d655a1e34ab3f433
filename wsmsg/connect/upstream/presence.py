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
from wsmsg.flow.id_table import IdTable
from wsmsg.model import UserPresence

#: The interval of queries about users whose presence no stream reports.
_REQUERY_S = 1.0
_QUERY_USERS = 1000

#: What was last sent of a user: nothing, offline, online.
_NOTHING, _OFFLINE, _ONLINE = range(3)


class WatchedPresence:
    """
    The users that sessions watch, the Messages that report each of them as online, and
    what was last sent of each: unchanged presence is not sent again.

    All that is one number a user, for there are few different sets of Messages: three
    times the number of the set, and what was sent.  A user takes about 13 bytes, and as
    many again while unreported.

    @ivar unreported: users to be queried again: those known to be online only by a
        query or by a Message that was lost since, and those whose query failed.
    """

    def __init__(self, edge: IEdge) -> None:
        self.unreported = IdTable()
        self._edge = edge
        self._users = IdTable()
        self._sets = ReporterSets()

    def __contains__(self, user: int) -> bool:
        return user in self._users

    def watch(self, users: Iterable[int]) -> None:
        for user in users:
            self._users.setdefault(user, _NOTHING)

    def unwatch(self, users: Iterable[int]) -> None:
        for user in users:
            self._users.pop(user)
            if self.unreported:
                self.unreported.discard(user)

    def reported(self, by: Hashable, presence: UserPresence) -> None:
        """
        Take the report of a Message, and send what it changes.

        @param by: the stream to that Message.
        """
        user = presence.user
        state = self._users.get(user)
        if state is None:
            return  # no session watches the user any more
        number, sent = divmod(state, 3)
        before = self._sets.at(number)
        after = before | {by} if presence.online else before - {by}
        state = 3 * self._sets.number_of(after) + sent
        if self.unreported:
            self.unreported.discard(user)
        must_send = presence.online or not after
        self._note(user, state, presence, must_send=must_send)

    def stream_lost(self, by: Hashable) -> Sequence[int]:
        """
        Withdraw the reports of a Message.

        @return: the users that no other Message reports as online.
        """
        moved = self._sets.withdraw(by)
        changes = {
            3 * before + sent: 3 * after + sent
            for before, after in moved.items()
            for sent in (_NOTHING, _OFFLINE, _ONLINE)
        }
        alone = self._users.having(n for n, after in changes.items() if after < 3)
        self._users.renumber(changes)
        self.unreported.add_all(alone)
        return alone

    def all_lost(self) -> None:
        """
        Forget what was sent, as it may have changed while no stream is up.  Sessions
        that watch a user from now on are sent nothing until a Message answers.
        """
        states = range(3 * self._sets.most)
        self._users.renumber({n: n - n % 3 for n in states if n % 3})

    def query_answered(self, found: Sequence[UserPresence]) -> list[UserPresence]:
        """
        Correct the answer to a session's query, and send it to the other sessions that
        were sent something else.

        @return: the answer, but for users whose presence the streams report: the query
            may be older than the reports.
        """
        return [self._answered(presence) for presence in found]

    def _answered(self, presence: UserPresence) -> UserPresence:
        # What is hidden from the one who asked is not from the other sessions.
        user, online, seen_ms = presence.user, presence.online, presence.last_seen_ms
        merged = self._merge(UserPresence(user, online, seen_ms), must_send=False)
        if not presence.hidden:
            return merged
        return UserPresence(user, merged.online, merged.last_seen_ms, hidden=True)

    def query_failed(self, users: Iterable[int]) -> None:
        """
        Have these users queried again, and sent to all sessions that watch them: the
        session that asked knows nothing.
        """
        for user in users:
            state = self._users.get(user)
            if state is not None:
                self._users.put(user, state - state % 3)
                self.unreported.add(user)

    def refreshed(self, found: Sequence[UserPresence]) -> None:
        """
        Take the answer to a query of L{PresenceRefresh}, and send what it changes.
        """
        for presence in found:
            self._merge(presence, must_send=True)

    def _merge(self, presence: UserPresence, *, must_send: bool) -> UserPresence:
        user = presence.user
        state = self._users.get(user)
        if state is None:
            return presence
        has_reporters = state >= 3
        if has_reporters and not presence.online:
            presence = UserPresence(user, True)
        if presence.online and not has_reporters:
            self.unreported.add(user)
        elif self.unreported:
            self.unreported.discard(user)
        must_send = must_send or state % 3 != _NOTHING
        self._note(user, state, presence, must_send=must_send, is_known=True)
        return presence

    def _note(
        self,
        user: int,
        state: int,
        presence: UserPresence,
        *,
        must_send: bool,
        is_known: bool = False,
    ) -> None:
        """
        Note the state of a user, and send the presence if it has to be and changed.

        @param is_known: whether the session that asked for the presence has it.
        """
        sent = _ONLINE if presence.online else _OFFLINE
        is_changed = state % 3 != sent
        if must_send or is_known:
            state += sent - state % 3
        self._users.put(user, state)
        if must_send and is_changed:
            self._edge.presence(presence)


class ReporterSets:
    """
    A number for each set of Messages that report some user as online; 0 for the empty
    one.

    @ivar most: one more than the highest number.
    """

    def __init__(self) -> None:
        self._numbers: dict[frozenset[Hashable], int] = {frozenset(): 0}
        self._sets: list[frozenset[Hashable]] = [frozenset()]
        self._free: list[int] = []

    @property
    def most(self) -> int:
        return len(self._sets)

    def at(self, number: int) -> frozenset[Hashable]:
        """
        Return the set that has a number.
        """
        return self._sets[number]

    def number_of(self, reporters: frozenset[Hashable]) -> int:
        """
        Return the number of a set.
        """
        number = self._numbers.get(reporters)
        if number is None:
            if self._free:
                number = self._free.pop()
                self._sets[number] = reporters
            else:
                number = len(self._sets)
                self._sets.append(reporters)
            self._numbers[reporters] = number
        return number

    def withdraw(self, by: Hashable) -> dict[int, int]:
        """
        Remove a Message from all sets.

        @return: the numbers that stand for no set any more, each with the one that
            takes its place.
        """
        moved = {}
        for reporters, number in list(self._numbers.items()):
            if by in reporters:
                del self._numbers[reporters]
                moved[number] = self.number_of(reporters - {by})
        for number in moved:
            self._sets[number] = frozenset()
        self._free.extend(moved)
        return moved


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
            self.query(self._watching.unreported.ids())

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
