"""
The sessions on this node, by user; who watches whom; what they are told together.

Most users have one session, so an entry is the session itself, and a tuple only
where there are several.  A pushed frame is made once a codec (twice where the
sender is among the recipients) and its bytes are shared by all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg import model
from wsmsg.connect.session.context import SessionCounters
from wsmsg.connect.session.framing import framed
from wsmsg.connect.session.timers import SessionTimers, TimedSession
from wsmsg.connect.upstream.interface import IEdge
from wsmsg.errors import Close, Overloaded
from wsmsg.flow.idle import IdleWaiters
from wsmsg.flow.send_fence import SendFences
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.protocol import frames
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import ServerFrame
from wsmsg.settings.values import ConnectSettings

# A close frame has room for 123, and no half of a character.
_REASON_BYTES = 120


class RegisteredSession(TimedSession, Protocol):
    """
    A session, as the registry sees it.
    """

    user: int
    device: str
    codec: ICodec
    opened_s: float
    sends: TokenBucket | None
    told: set[int] | None

    def push(self, conversation: str, seq: int, data: bytes) -> bool:
        """A message, unless the session has had it; whether it has it now."""

    def tell(self, data: bytes, shed: bool) -> bool:
        """Something that is not numbered."""


#: Called with a session; must not raise.
OnSession = Callable[[RegisteredSession], object]


@implementer(IEdge)
class Registry:
    """
    All sessions of a node.

    @ivar settings: as they are now; a reload puts new ones here.
    @ivar due: what sessions wait for; its C{sweep} must be called steadily.
    @ivar counts: what was done so far.
    @ivar count: connections that are not lost yet, whatever their state.
    @ivar draining: whether this node takes no new sessions.
    @ivar send_fences: users who sent more than their rate.
    """

    _log = Logger()

    def __init__(
        self,
        settings: ConnectSettings,
        clock: IReactorTime,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.settings = settings
        self.counts = SessionCounters()
        self.count = 0
        self.draining = False
        self.due = SessionTimers(clock, uniform)
        self.send_fences: SendFences[int] = SendFences()
        self._on_added: list[OnSession] = []
        self._on_removed: list[OnSession] = []
        self._numbered = 0
        self._sessions: dict[
            int, RegisteredSession | tuple[RegisteredSession, ...]
        ] = {}
        self._watchers: dict[int, set[RegisteredSession]] = {}
        self._empty = IdleWaiters()

    def apply_settings(self, settings: ConnectSettings) -> None:
        """
        Apply new settings to all sessions, those that are open included.
        """
        self.settings = settings

    def observe(self, added: OnSession, removed: OnSession) -> None:
        """
        Call C{added} with each session whose user and device are proved, and
        C{removed} with each of those when it ends.
        """
        self._on_added.append(added)
        self._on_removed.append(removed)

    # ------------------------------------------------------ coming and going

    def opened(self, session: RegisteredSession) -> int:
        """
        A connection opened; it must say hello in time.

        @return: a number for it that no other has.
        """
        self.count += 1
        self._numbered += 1
        self.due.opening(session, self.settings.hello_timeout_s)
        return self._numbered

    def add(self, session: RegisteredSession) -> None:
        """
        The user and the device of the session are proved: what is pushed to the
        user from now on comes to it.  An older session of the device is closed.

        @raise Overloaded: the user has as many devices here as they may.
        """
        others = self.sessions_of(session.user)
        older = [s for s in others if s.device == session.device]
        if not older and len(others) >= self.settings.limits.connections_per_user:
            raise Overloaded(f"{len(others)} devices of this user are connected", 5000)
        # A query and the streams' word are waited for, and then there is no more.
        self.due.checking(session, 3 * self.settings.query_timeout_s)
        self._sessions[session.user] = (*others, session) if others else session
        for added in self._on_added:
            added(session)
        for s in older:
            s.close(Close.REPLACED, "a newer login of this device took its place")

    def remove(self, session: RegisteredSession) -> bool:
        """
        The session ends.

        @return: whether it was the last one of its user.
        """
        self.due.forget(session)
        sessions = self.sessions_of(session.user)
        if session not in sessions:
            return False
        rest = tuple(s for s in sessions if s is not session)
        if rest:
            self._sessions[session.user] = rest if len(rest) > 1 else rest[0]
        else:
            del self._sessions[session.user]
        for removed in self._on_removed:
            removed(session)
        return not rest

    def lost(self) -> None:
        """
        A connection is gone.
        """
        self.count -= 1
        if not self.count:
            self._empty.fire()

    def sessions_of(self, user: int) -> tuple[RegisteredSession, ...]:
        """
        All sessions of the user here, oldest first.
        """
        entry = self._sessions.get(user)
        if entry is None:
            return ()
        return entry if isinstance(entry, tuple) else (entry,)

    def __contains__(self, user: object) -> bool:
        return user in self._sessions

    def bucket(self, user: int, now: float) -> TokenBucket:
        """
        The tokens that all sessions of the user share for their sends.
        """
        for session in self.sessions_of(user):
            if session.sends is not None:
                return session.sends
        return TokenBucket(now, self.settings.limits.sends_burst)

    # -------------------------------------------------------------- watching

    def watch(
        self, session: RegisteredSession, before: Sequence[int], users: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """
        The session watches C{users} in place of C{before}.

        @return: those whom somebody here watches only now, and those whom nobody
            here watches any more.
        """
        came, left = [], []
        for user in users:
            watchers = self._watchers.get(user)
            if watchers is None:
                watchers = self._watchers[user] = set()
                came.append(user)
            watchers.add(session)
        for user in set(before).difference(users):
            watchers = self._watchers[user]
            watchers.discard(session)
            if not watchers:
                del self._watchers[user]
                left.append(user)
        return came, left

    # ----------------------------------------------------------------- IEdge

    def users(self) -> list[int]:
        return list(self._sessions)

    def here(self, user: int) -> bool:
        return user in self._sessions

    def watched(self) -> list[int]:
        return list(self._watchers)

    def push(self, message: model.Message, targets: Sequence[int]) -> int:
        conversation, seq, sender = message.conversation, message.seq, message.sender
        plain: dict[ICodec, bytes] = {}
        own: dict[ICodec, bytes] = {}
        having = 0
        for user in targets:
            entry = self._sessions.get(user)
            if entry is None:
                self.counts.absent += 1
                continue
            made = own if user == sender else plain
            for session in entry if isinstance(entry, tuple) else (entry,):
                try:
                    codec = session.codec
                    data = made.get(codec)
                    if data is None:
                        frame = deliver(message, user)
                        data = made[codec] = framed(codec, codec.encode(frame))
                    having += session.push(conversation, seq, data)
                except Exception:  # noqa: BLE001 - a guard
                    self._broken(session)
        return having

    def receipt(self, cursor: model.Cursor, targets: Sequence[int]) -> None:
        frame = frames.Receipt(
            cursor.conversation, cursor.user, cursor.read, cursor.delivered
        )
        self._tell(frame, self._all(targets), shed=False)

    def typing(self, conversation: str, user: int, targets: Sequence[int]) -> None:
        self._tell(frames.Typing(conversation, user), self._all(targets), shed=True)

    def presence(self, presence: model.UserPresence) -> None:
        watchers = self._watchers.get(presence.user)
        if not watchers:
            return
        for session in watchers:
            if session.told is not None:
                session.told.add(presence.user)
        self._tell(presence_frame(presence), watchers, shed=True)

    def renew(self, reason: str) -> None:
        self.due.move(
            self._all(self._sessions),
            reason,
            self.settings.resync_spread_s,
            alternatives=(),
            opening=False,
        )

    def kick(self, user: int, device: str, reason: str) -> None:
        shown = reason.encode()[:_REASON_BYTES].decode("utf-8", "ignore")
        for session in self.sessions_of(user):
            if not device or session.device == device:
                session.close(Close.KICKED, shown)

    def resync(self, reason: str, opened_after_s: float) -> None:
        self.due.resync(
            [s for s in self._all(self._sessions) if s.opened_s >= opened_after_s],
            reason,
            self.settings.resync_spread_s,
        )

    def _all(self, users: Iterable[int]) -> list[RegisteredSession]:
        return [session for user in users for session in self.sessions_of(user)]

    def _tell(
        self, frame: ServerFrame, sessions: Iterable[RegisteredSession], *, shed: bool
    ) -> None:
        """
        Give many sessions the same frame.
        """
        made: dict[ICodec, bytes] = {}
        for session in tuple(sessions):
            try:
                codec = session.codec
                data = made.get(codec)
                if data is None:
                    data = made[codec] = framed(codec, codec.encode(frame))
                session.tell(data, shed)
            except Exception:  # noqa: BLE001 - a guard
                self._broken(session)

    def _broken(self, session: RegisteredSession) -> None:
        """
        A bug of ours met one session; the others go on.
        """
        self._log.failure("session of {user} is broken", user=session.user)
        session.close(Close.BUG, "internal error")

    # ----------------------------------------------------------------- drain

    def drain(self, reason: str) -> Deferred[None]:
        """
        Ask all clients to move, evenly over C{goaway_spread_s}; each session ends
        when what its client asked for is answered.

        @return: a Deferred that fires when no connection is left.
        """
        self.draining = True
        settings = self.settings
        self.due.move(
            self._all(self._sessions),
            reason,
            settings.goaway_spread_s,
            alternatives=settings.alternatives,
        )
        return self._empty.wait(not self.count)


def deliver(message: model.Message, user: int) -> frames.Deliver:
    """
    The message as C{user} gets it: the sender's own devices see the client id.
    """
    return frames.Deliver(
        message.conversation,
        message.seq,
        message.message_id,
        message.sender,
        message.content,
        message.kind,
        message.time_ms,
        message.client_id if user == message.sender else "",
    )


def presence_frame(presence: model.UserPresence) -> frames.Presence:
    """
    Presence as the client protocol has it: who is there was not seen last.
    """
    last_seen_ms = 0 if presence.online else presence.last_seen_ms
    return frames.Presence(presence.user, presence.online, last_seen_ms)
