"""
Checks whether watched users are hidden from the sessions that watch them.

Message judges a session's users when the session begins to watch them, and sends a
notice when one of them blocks the user of the session or ends that.  The answers of an
operator's hook, and the groups that users share, change without a notice, and a notice
may be lost with a stream or a Message.  So everything is also judged in rounds, at a
bounded rate; and in none while nothing is hidden from anybody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.session.registry import RegisteredSession, Registry
from wsmsg.connect.upstream.interface import IUpstream
from wsmsg.errors import WsmsgError
from wsmsg.model import UserPresence

#: The least time from the beginning of a round to that of the next, in seconds.
ROUND_S: Final = 5.0
#: The most watched users that are judged in a second, and those of one more session.
MOST_A_SECOND: Final = 2000


class PresenceChecks:
    """
    The checks of all sessions of a node.

    @param seconds: returns monotonic seconds.
    """

    _log = Logger()

    def __init__(
        self,
        registry: Registry,
        upstream: IUpstream,
        seconds: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._upstream = upstream
        self._seconds = seconds
        self._due: deque[RegisteredSession] = deque()
        self._round_s = self._step_s = seconds()
        self._in_flight = 0
        self._judged_before = True
        registry.watchers.on_doubt(self.check)

    def check(self, session: RegisteredSession, users: Sequence[int]) -> None:
        """
        Have Message judge users whom a session watches, and tell the session what it
        may know now and might not before, or the reverse.
        """
        self._in_flight += 1
        asked = self._upstream.reads.presence(users, session.user)
        asked.addCallback(self._judged, session)
        asked.addErrback(self._failed, session)
        asked.addBoth(self._checked)

    def sweep(self) -> None:
        """
        Go on with a round, or begin the next one.  Called several times a second.
        """
        now_s = self._seconds()
        if now_s < self._step_s + 1 or self._in_flight or not self._upstream.up:
            return
        self._step_s = now_s
        judges = self._upstream.reads.judges
        # The first block of an installation may be news to a Message that was asked.
        is_news, self._judged_before = judges and not self._judged_before, judges
        if not self._due and (is_news or now_s >= self._round_s + ROUND_S):
            self._round_s = now_s
            self._begin()
        watchers = self._registry.watchers
        self._due.extendleft(watchers.take_waiting())
        watched_by, room = watchers.watched_by, MOST_A_SECOND
        while self._due and room > 0:
            session = self._due.popleft()
            users = list(watched_by(session))
            room -= len(users)
            if users:
                self.check(session, users)

    def _begin(self) -> None:
        watchers = self._registry.watchers
        sessions = watchers.sessions()
        if watchers.hides or self._upstream.reads.judges:
            self._due.extend(sessions)
        elif sessions:
            # Only to hear whether anything is hidden from anybody by now.
            self.check(sessions[0], ())

    def _judged(
        self, found: Sequence[UserPresence], session: RegisteredSession
    ) -> None:
        registry = self._registry
        for presence in found:
            is_changed = registry.watchers.judged(session, presence)
            # One who is offline already is not shown as offline once more.
            if is_changed and (presence.online or not presence.hidden):
                registry.tell(session, presence)

    def _failed(self, failure: Failure, session: RegisteredSession) -> None:
        self._registry.watchers.not_judged(session)
        if failure.check(WsmsgError):
            self._log.debug("presence is not judged: {reason}", reason=failure.value)
        else:
            self._log.failure("judging presence", failure)

    def _checked(self, _: object) -> None:
        self._in_flight -= 1
