"""
One client's conversation with this node: frames in, frames and effects out.

It knows no WebSocket, no stream and no reactor::

    life      how it comes and goes           intake    frames that must wait
    login     from hello to welcome           output    what it says
    requests  what a known client asks for    outbox    what the client has not read

A session that must not take more for now (see L{wsmsg.connect.session.inbox}) blocks
its intake, and so its client.
"""

from __future__ import annotations

from typing import ClassVar, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.auth.identity import Identity
from wsmsg.connect.session import login
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.inbox import (
    CHECKING,
    LEAVING,
    QUERIES,
    RATE,
    SLOW,
    WINDOW,
    Inbox,
)
from wsmsg.connect.session.interface import ISession, ISessionPeer, Subprotocol
from wsmsg.connect.session.lifecycle import begin
from wsmsg.connect.session.output import Output
from wsmsg.connect.session.requests import ANSWERS, QUERIES_MAX
from wsmsg.connect.upstream.interface import SendAnswer
from wsmsg.errors import BadFrame, Close, WsmsgError, closing
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import (
    Accepted,
    Error,
    Goaway,
    Hello,
    Rejected,
    Welcome,
)

#: So many frames that cannot be understood end the connection.
BAD_FRAMES: Final = 10

#: A close frame has room for so many bytes of reason (RFC 6455 section 5.5).
_REASON_BYTES: Final = 123


@implementer(ISession)
class Session(Output):
    """
    A connection of a user, or of someone who has yet to say who they are.

    @ivar user: 0 while it is not proved.
    @ivar opened_s: when the connection opened, and then when hello came.
    @ivar unanswered: sends that have no answer yet.
    @ivar queries: other requests that have no answer yet.
    @ivar sends: the user's tokens for sends; L{None} before the first.
    @ivar watching: whose presence it asked for.
    """

    __slots__ = (
        "_bad",
        "_claimed",
        "_frames",
        "_identity",
        "_life",
        "device",
        "intake",
        "number",
        "opened_s",
        "queries",
        "sends",
        "unanswered",
        "user",
        "watching",
    )

    reads_to_end: ClassVar[bool] = False

    _log = Logger()

    def __init__(
        self,
        peer: ISessionPeer,
        codec: ICodec,
        node: SessionContext,
        *,
        identity: Identity | None = None,
        claimed_user: int | None = None,
    ) -> None:
        super().__init__(peer, codec, node)
        self.intake = Inbox(self, peer)
        self.user = 0
        self.device = ""
        self.opened_s = node.clock.seconds()
        self.unanswered = 0
        self.queries = 0
        self.sends: TokenBucket | None = None
        self.watching: tuple[int, ...] = ()
        self._identity = identity
        self._claimed = claimed_user
        self._bad = 0
        self._frames: TokenBucket | None = None
        self._life = begin(self)
        self.number = node.registry.opened(self)

    # ------------------------------------------------------- the connection

    def received(self, data: bytes, binary: bool) -> None:
        if self.closed:
            return
        if binary is not self.codec.binary:
            due = "binary" if self.codec.binary else "text"
            self._misunderstood(BadFrame(f"frames are {due} messages here"))
        elif self.intake.put(data) > 4 * max(65536, self.limits.frame_bytes):
            why = "too much was sent while it was not read"
            self.close(Close.RATE_LIMITED, why)

    def lost(self, reason: str) -> None:
        self._life.lost(reason)

    def close(self, code: Close, reason: str) -> None:
        """
        End the session and its connection.
        """
        self._life.ended(code, reason)

    def take(self, data: bytes) -> None:
        """
        Understand a frame and do what it asks for.
        """
        try:
            self._take(data)
        except Exception:  # noqa: BLE001 - a guard
            self._broken(Failure())

    def _take(self, data: bytes) -> None:
        registry = self.node.registry
        registry.counts.frames += 1
        limits, now = registry.settings.limits, self.node.clock.seconds()
        if self._frames is None:
            self._frames = TokenBucket(now, limits.frames_burst)
        if not self._frames.take(now, limits.frames_per_s, limits.frames_burst):
            registry.counts.limited += 1
            registry.due.limited(self)
            self.intake.block(RATE)
        try:
            frame = self.codec.decode(data)
        except BadFrame as e:
            self._misunderstood(e)
            return
        if self.known:
            ANSWERS[type(frame)](self, frame)
        elif isinstance(frame, Hello):
            self._life.greeted(frame)
        else:
            self._misunderstood(BadFrame("nothing but hello is heard before welcome"))

    def _misunderstood(self, error: BadFrame) -> None:
        self.node.registry.counts.bad_frames += 1
        self._bad += 1
        if not self.known:
            self.refuse(error)
            return
        self.reply(Error(error.code, error.reason))
        if self._bad >= BAD_FRAMES:
            self.close(Close.BAD_FRAME, f"{self._bad} frames were not understood")

    def refuse(self, error: WsmsgError) -> None:
        """
        Say why and close.
        """
        self.reply(Error(error.code, error.reason))
        self.close(closing(error), error.reason)

    def _broken(self, failure: Failure) -> None:
        """
        A bug of ours: log it, and end this session only.
        """
        self._log.failure(
            "session {session} of {user} is broken",
            failure=failure,
            session=self.name,
            user=self.user,
        )
        self.close(Close.BUG, "internal error")

    @property
    def name(self) -> str:
        """
        As clients and logs see it.
        """
        return f"{self.node.name}-{self.number}"

    def demoted(self) -> None:
        registry = self.node.registry
        registry.counts.demoted += 1
        registry.due.slow(self, self.limits.outbox_drain_s)
        self.intake.block(SLOW)

    def drained(self) -> None:
        self.node.registry.due.drained(self)
        self.resync("the connection was too slow for what was sent to it")
        self.intake.unblock(SLOW)

    def refill(self, now: float) -> bool:
        """
        Go on reading if the rate allows it again, and say whether it does.
        """
        frames = self._frames
        if frames is None or not frames.wait_s(now, self.limits.frames_per_s):
            self.intake.unblock(RATE)
            # What waited may have spent the tokens again.
            return not self.intake.blocks & RATE
        return False

    # ------------------------------------------------------------------ sends

    def answered(self, client_id: str, answer: SendAnswer, made: str = "") -> None:
        """
        A send of this session is accepted or rejected.

        @param made: the conversation of the group that there is if it is accepted.
        """
        self.unanswered -= 1
        counts = self.node.registry.counts
        if answer.time_ms:
            counts.accepted += 1
            self.reply(Accepted(client_id, answer.time_ms, made))
        else:
            counts.rejected[answer.code] += 1
            self.reply(
                Rejected(client_id, answer.code, answer.reason, answer.retry_after_ms)
            )
        if self.intake.blocks:
            self.made_room()

    def made_room(self) -> None:
        """
        A send or a query was answered: go on if that is what was waited for.
        """
        if (
            self.intake.blocks & WINDOW
            and self.unanswered <= self.limits.window * 3 // 4
        ):
            self.intake.unblock(WINDOW)
        if self.intake.blocks & QUERIES and self.queries < QUERIES_MAX:
            self.intake.unblock(QUERIES)
        self._left_if_done()

    # -------------------------------------------------------------- its life

    def check(self, hello: Hello) -> None:
        registry = self.node.registry
        if registry.draining:
            self.close(Close.DRAIN, "this node is stopping")
            return
        try:
            identity = login.identify(self.node, hello, self._identity, self._claimed)
            self.user, self.device = identity.user, hello.device
            self.opened_s = self.node.clock.seconds()
            registry.add(self)
        except WsmsgError as e:
            self.refuse(e)
            return
        self.intake.block(CHECKING)
        Deferred.fromCoroutine(self._admit(hello.since)).addErrback(self._broken)

    async def _admit(self, since_ms: int) -> None:
        self._life.admitted(await login.welcome(self, since_ms))

    def welcome(self, welcome: Welcome) -> None:
        due = self.node.registry.due
        due.admitted(self)
        self.node.registry.counts.welcomed += 1
        self.say_welcome(welcome)
        if not welcome.synced:
            due.unsynced(self)
        self._log.info(
            "session {session} of {user} on {device}: welcome",
            session=self.name,
            user=self.user,
            device=self.device,
        )
        self.intake.unblock(CHECKING)

    def recheck(self) -> None:
        """
        The welcome was without conversations: see whether they can be had now.
        """
        Deferred.fromCoroutine(login.recheck(self)).addErrback(self._broken)

    def goaway(self, reason: str, after_ms: int, alternatives: tuple[str, ...]) -> None:
        """
        Ask the client to move, finish what it asked for, close.
        """
        if self.closed:
            return
        if self.known:
            self.reply(Goaway(reason, after_ms, alternatives))
        self.intake.block(LEAVING)
        self._left_if_done()

    def _left_if_done(self) -> None:
        if self.intake.blocks & LEAVING and not self.unanswered and not self.queries:
            self.close(Close.DRAIN, "this node is stopping")

    def leave(self) -> None:
        self.fall_silent()
        self.intake.close()
        registry, upstream = self.node.registry, self.node.upstream
        if registry.remove(self):
            upstream.user_left(self.user)
        if self.watching:
            _, nobody = registry.watch(self, self.watching, ())
            self.watching = ()
            if nobody:
                upstream.unwatch(nobody)

    def hang_up(self, code: Close, reason: str) -> None:
        self.node.registry.counts.closes[code.name] += 1
        self.outbox.finish(flush=code is not Close.SLOW_CLIENT)
        self._log.info(
            "session {session} of {user} closes after {seconds:.1f} s: {code} {reason}",
            session=self.name,
            user=self.user,
            seconds=self.node.clock.seconds() - self.opened_s,
            code=code.name,
            reason=reason,
        )
        short = reason.encode("utf-8", "replace")[:_REASON_BYTES]
        self.peer.close(code, short.decode("utf-8", "ignore"))

    def vanished(self, reason: str) -> None:
        name = reason.upper()
        if name in Close.__members__:  # the connection was ended for what it sent
            self.node.registry.counts.closes[name] += 1
        self._log.info(
            "session {session} of {user} ended after {seconds:.1f} s: {reason}",
            session=self.name,
            user=self.user,
            seconds=self.node.clock.seconds() - self.opened_s,
            reason=reason,
        )

    def gone(self, reason: str) -> None:
        registry = self.node.registry
        registry.counts.shed += self.outbox.shed
        self.outbox.finish(flush=False)
        registry.lost()
        self._log.debug(
            "session {session} of {user} is gone: {reason}",
            session=self.name,
            user=self.user,
            reason=reason,
        )


def subprotocol(codec: ICodec, context: SessionContext) -> Subprotocol:
    """
    Return the subprotocol whose sessions speak this codec.
    """

    def open_session(
        peer: ISessionPeer, identity: Identity | None, claimed_user: int | None
    ) -> ISession:
        return Session(
            peer, codec, context, identity=identity, claimed_user=claimed_user
        )

    return Subprotocol(codec.subprotocol, codec.binary, open_session)
