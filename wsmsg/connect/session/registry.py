"""
The sessions on this node by user, and everything that is pushed to them.

Most users have one session, so an entry is the session itself, and a tuple only
where a user has several.  A pushed frame is encoded once for each codec (twice if the
sender is among the recipients), and all sessions share its bytes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg import model
from wsmsg.auth.identity import Identity
from wsmsg.connect.session.context import SessionCounters
from wsmsg.connect.session.timers import SessionTimers, TimedSession
from wsmsg.connect.session.watchers import Watchers, to_presence
from wsmsg.connect.tokens.interface import (
    REVOKED,
    ExpiringSession,
    Expiry,
    Revocations,
)
from wsmsg.connect.traces.interface import IEdgeTraces
from wsmsg.connect.upstream.interface import IEdge
from wsmsg.errors import Close, Overloaded
from wsmsg.events import shown_content
from wsmsg.flow.idle import IdleWaiters
from wsmsg.flow.life_ring import LifeRing
from wsmsg.protocol import frames
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import ServerFrame
from wsmsg.settings.values import ConnectSettings
from wsmsg.text.counted import plural


class RegisteredSession(TimedSession, ExpiringSession, Protocol):
    """
    A session, as the registry sees it.
    """

    user: int
    device: str
    number: int
    codec: ICodec
    opened_s: float
    login: int
    identity: Identity | None

    def encoded(self, frame: ServerFrame, extra: str = "") -> bytes:
        """Return a frame as it is written; each codec has its own bytes."""

    def push(self, conversation: str, seq: int, data: bytes, time_ms: int) -> bool:
        """Push a message; return whether the client has it or will get it."""

    def notify(self, data: bytes, shed: bool) -> bool:
        """Send a frame that the client did not request."""

    def pushed_up_to(self, most: int) -> list[tuple[str, int]] | None:
        """Return the numbers to compare with the heads, by conversation."""

    def lacks(self, conversation: str, head: int) -> bool:
        """Return whether the client does not know of the message with this number."""

    def compared(self, at_s: float, position: str = "") -> None:
        """Note that what was pushed until then is complete, or the client told."""


_REPLACED = "a newer login of this device took its place"

# The sessions of a user.
_Entry = RegisteredSession | tuple[RegisteredSession, ...]
#: Called with a session; must not raise.
OnSession = Callable[[RegisteredSession], object]


@implementer(IEdge)
class Registry:
    """
    All sessions of a node.

    @param unsure: returns whether some users may be gone already (L{IEdge.is_unsure}).
    @ivar settings: the current settings of the daemon.
    @ivar timers: the timers of all sessions; its C{sweep} must be called steadily.
    @ivar expiry: the ends of their tokens; likewise.
    @ivar revocations: the revoked tokens of users.
    @ivar watchers: the presence subscriptions of all sessions.
    @ivar counters: counters of all sessions.
    @ivar count: connections that are not lost yet, whatever their state.
    @ivar waited: frames that had to wait in an outbox.
    @ivar draining: whether this node accepts no new sessions, as its clients move.
    @ivar life: what this node remembers of messages.
    @ivar traces: makes the spans of messages; L{None}: none is traced.
    @ivar witness: how far the store is, as a comparison with the heads told last.
    """

    _log = Logger()

    def __init__(
        self,
        settings: ConnectSettings,
        clock: IReactorTime,
        uniform: Callable[[float, float], float] = random.uniform,
        *,
        unsure: Callable[[], bool] = lambda: False,
        unix_s: Callable[[], float] = time.time,
        traces: IEdgeTraces | None = None,
    ) -> None:
        self.settings, self.traces = settings, traces
        self._unsure = unsure
        self.counters = SessionCounters()
        self.life = LifeRing(settings.life.records, unix_s)
        self.count, self.waited, self.draining, self.witness = 0, 0, False, ""
        self.timers = SessionTimers(clock, uniform)
        self.expiry = Expiry(clock, unix_s)
        self.revocations = Revocations()
        self.watchers: Watchers[RegisteredSession] = Watchers()
        self._on_added: list[OnSession] = []
        self._on_removed: list[OnSession] = []
        self._numbered = 0
        self._sessions: dict[int, _Entry] = {}
        self._empty = IdleWaiters()

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Apply new settings to all sessions, those that are open included.
        """
        self.settings = settings

    def observe(self, added: OnSession, removed: OnSession) -> None:
        """
        Call C{added} with each session whose user and device are authenticated, and
        C{removed} with each of those when it ends.
        """
        self._on_added.append(added)
        self._on_removed.append(removed)

    def keep_witness(self, witness: str) -> None:
        """
        Take how far the store is.
        """
        self.witness = witness or self.witness

    # ------------------------------------------------------ adding and removing

    def opened(self, session: RegisteredSession) -> int:
        """
        Count a new connection and wait for its hello.

        @return: a number for the session that no other session of this node has.
        """
        self.count += 1
        self._numbered += 1
        self.timers.opening(session, self.settings.hello_timeout_s)
        return self._numbered

    def add(self, session: RegisteredSession) -> None:
        """
        Add a session whose user and device are authenticated: it is pushed what comes
        for the user from now on.  An older session of the device is closed.

        @raise Overloaded: the user has as many devices on this node as the limit
            allows.
        """
        others = self.sessions_of(session.user)
        older = [s for s in others if s.device == session.device]
        if not older and len(others) >= self.settings.limits.connections_per_user:
            are = plural(len(others), "device is", "devices are")
            reason = f"{len(others)} {are} connected for this user"
            raise Overloaded(reason, 5000)
        # A login waits for a query and for the streams, each up to the query timeout.
        self.timers.checking(session, 3 * self.settings.query_timeout_s)
        self._sessions[session.user] = (*others, session) if others else session
        for on_added in self._on_added:
            on_added(session)
        for s in older:
            s.close(Close.REPLACED, _REPLACED)

    def remove(self, session: RegisteredSession) -> bool:
        """
        Remove a session that ends, and cancel its timers.

        @return: whether it was the last session of its user.
        """
        self.timers.forget(session)
        self.expiry.forget(session)
        sessions = self.sessions_of(session.user)
        if session not in sessions:
            return False
        rest = tuple(s for s in sessions if s is not session)
        if rest:
            self._sessions[session.user] = rest if len(rest) > 1 else rest[0]
        else:
            del self._sessions[session.user]
        for on_removed in self._on_removed:
            on_removed(session)
        return not rest

    def lost(self) -> None:
        """
        Count a connection as gone.
        """
        self.count -= 1
        if not self.count:
            self._empty.fire()

    def sessions_of(self, user: int) -> tuple[RegisteredSession, ...]:
        """
        Return all sessions of a user on this node, the oldest first.
        """
        entry = self._sessions.get(user)
        if entry is None:
            return ()
        return entry if isinstance(entry, tuple) else (entry,)

    def __contains__(self, user: object) -> bool:
        return user in self._sessions

    def note_waiting(self) -> None:
        """
        Note that a frame has to wait in the outbox of a slow client.
        """
        self.waited += 1

    # -------------------------------------------------------------------- IEdge

    def users(self) -> list[int]:
        return list(self._sessions)

    def is_unsure(self) -> bool:
        return self._unsure()

    def has_user(self, user: int) -> bool:
        return user in self._sessions

    def is_alone(self, user: int) -> bool:
        entry = self._sessions.get(user)
        return entry is not None and not isinstance(entry, tuple)

    def watched(self) -> Sequence[int]:
        return self.watchers.users()

    def push(self, message: model.Message, targets: Sequence[int]) -> int:
        conversation, seq, sender = message.conversation, message.seq, message.sender
        for_others: dict[ICodec, bytes] = {}
        for_sender: dict[ICodec, bytes] = {}
        having: list[RegisteredSession] = []
        traces = self.traces if message.traceparent else None
        start_ns = 0 if traces is None else traces.now_ns()
        for user in targets:
            entry = self._sessions.get(user)
            if entry is None:
                self.counters.absent += 1
                continue
            encoded = for_sender if user == sender else for_others
            for session in entry if isinstance(entry, tuple) else (entry,):
                try:
                    codec = session.codec
                    data = encoded.get(codec)
                    if data is None:
                        frame = to_deliver(message, user, len(targets))
                        data = session.encoded(frame, message.extra)
                        encoded[codec] = data
                    if session.push(conversation, seq, data, message.time_ms):
                        having.append(session)
                except Exception:  # noqa: BLE001 - a guard
                    self._broken(session)
        self.life.written(message.message_id, having)
        if traces is not None:
            traces.written(message, len(having), start_ns)
        return len(having)

    def receipt(self, cursor: model.Cursor, targets: Sequence[int]) -> None:
        name, user = cursor.conversation, cursor.user
        frame = frames.Receipt(name, user, cursor.read, cursor.delivered)
        self._notify_all(frame, self._all(targets), shed=False)

    def typing(self, conversation: str, user: int, targets: Sequence[int]) -> None:
        frame = frames.Typing(conversation, user)
        self._notify_all(frame, self._all(targets), shed=True)

    def presence(self, presence: model.UserPresence) -> None:
        watching = self.watchers.to_tell(presence)
        if watching:
            self._notify_all(to_presence(presence), watching, shed=True)

    def tell(self, session: RegisteredSession, presence: model.UserPresence) -> None:
        """
        Send a session the presence of a user whom it watches.
        """
        self._notify_all(to_presence(presence), (session,), shed=True)

    def blocked(self, by: int, user: int) -> None:
        for session in self.sessions_of(user):
            self.watchers.doubt(session, [by])

    def reconnect_all(self, reason: str) -> None:
        spread_s = self.settings.resync_spread_s
        self.timers.move(self._all(self._sessions), reason, spread_s, after_s=spread_s)

    def kick(self, user: int, device: str, reason: str) -> None:
        for session in self.sessions_of(user):
            if not device or session.device == device:
                session.close(Close.KICKED, reason)

    def revoke(self, revoked: Iterable[tuple[int, int]]) -> None:
        for user in self.revocations.add(revoked):
            for session in self.sessions_of(user):
                identity = session.identity
                if identity is not None and self.revocations.is_revoked(identity):
                    session.close(Close.UNAUTHENTICATED, REVOKED)

    def replaced(self, user: int, device: str, last_login: int) -> int:
        newer = 0
        for session in self.sessions_of(user):
            if session.device == device and session.login:
                if session.login > last_login:
                    newer = session.login
                else:
                    session.close(Close.REPLACED, _REPLACED)
        return newer

    def resync(self, reason: str, opened_after_s: float) -> None:
        sessions = [s for s in self.sessions() if s.opened_s >= opened_after_s]
        self.timers.resync(sessions, reason, self.settings.resync_spread_s)

    def sessions(self) -> list[RegisteredSession]:
        """
        Return the sessions of all users.
        """
        return self._all(self._sessions)

    def _all(self, users: Iterable[int]) -> list[RegisteredSession]:
        return [session for user in users for session in self.sessions_of(user)]

    def _notify_all(
        self, frame: ServerFrame, sessions: Iterable[RegisteredSession], *, shed: bool
    ) -> None:
        """
        Send the same frame to many sessions.
        """
        encoded: dict[ICodec, bytes] = {}
        for session in tuple(sessions):
            try:
                codec = session.codec
                data = encoded.get(codec)
                if data is None:
                    data = encoded[codec] = session.encoded(frame)
                session.notify(data, shed)
            except Exception:  # noqa: BLE001 - a guard
                self._broken(session)

    def _broken(self, session: RegisteredSession) -> None:
        """
        Log a bug that met one session, and end that session; the others go on.
        """
        self._log.failure("a bug ends a session of {user}", user=session.user)
        session.close(Close.BUG, "internal error")

    def refuse(self, reason: str) -> None:
        """
        Accept no more logins, and close the connections without one; with an empty
        reason, accept them again.
        """
        self.draining = bool(reason)
        if reason:
            self.timers.close_opening(reason)

    def when_empty(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when no connection is left.
        """
        return self._empty.wait(not self.count)


def to_deliver(message: model.Message, user: int, n: int = 0) -> frames.Deliver:
    """
    Convert a message to the client protocol for a user, one of C{n}.  Only devices of
    the sender see the client id.
    """
    return frames.Deliver(
        message.conversation,
        message.seq,
        message.message_id,
        message.sender,
        message.content if message.kind < model.FIRST_EVENT else shown_content(message),
        message.kind,
        message.time_ms,
        message.client_id if user == message.sender else "",
        model.ack_pace_ms(n),
    )
