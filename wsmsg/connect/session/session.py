"""
The session of one client on this node: frames in, frames and effects out.

A session does no I/O.  It knows neither WebSocket nor stream nor reactor::

    Session        login, back-pressure, requests in flight    lifecycle, login
      |
    Input          frames from the client                      inbox, requests, sends
      |
    Output         frames to the client                        outbox, dedup

A session that accepts no more input for now blocks its inbox, and so its client.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from wsmsg.auth.identity import Identity
from wsmsg.connect.session import login
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.inbox import CHECKING, LEAVING, QUERIES, RATE, SLOW, WINDOW
from wsmsg.connect.session.input import Input
from wsmsg.connect.session.interface import ISession, ISessionPeer, Subprotocol
from wsmsg.connect.session.lifecycle import new_lifecycle
from wsmsg.connect.session.sends import QUERIES_MAX
from wsmsg.connect.upstream.interface import SendAnswer
from wsmsg.errors import Close, Fault, RateLimited, Unavailable, WsmsgError
from wsmsg.flow.send_fence import BEHIND
from wsmsg.flow.user_rates import UserRates
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import Accepted, Goaway, Hello, Rejected, Welcome

#: The minimum time to retry for a sender over the rate, so that a client repeats
#: several sends at once.
_LEAST_HINT_MS = 500


@implementer(ISession)
class Session(Input):
    """
    The session of a user, or of a client that has yet to say who it is.

    @ivar device: the client's name for its device; empty until hello.
    @ivar login: the number of its login; 0: none yet.
    @ivar opened_s: the time when the connection opened, from hello on that of hello.
    @ivar unanswered: sends without an answer.
    @ivar rates: the rates of the user; L{None} before the first request.
    """

    __slots__ = (
        "_claimed",
        "_lifecycle",
        "_queries",
        "device",
        "login",
        "opened_s",
        "rates",
        "unanswered",
    )

    #: Whether the client names its device, so that a newer login replaces the session.
    names_device: ClassVar[bool] = True

    def __init__(
        self,
        peer: ISessionPeer,
        codec: ICodec,
        context: SessionContext,
        *,
        identity: Identity | None = None,
        claimed_user: int | None = None,
    ) -> None:
        """
        @param identity: the identity that a token in the headers proves.
        @param claimed_user: the user that a header claims.
        """
        super().__init__(peer, codec, context, identity)
        self.device = ""
        self.login = 0
        self.opened_s = context.clock.seconds()
        self.unanswered = 0
        self.rates: UserRates | None = None
        self._queries = 0
        self._claimed = claimed_user
        self._lifecycle = new_lifecycle(self)
        self.number = context.registry.opened(self)

    def greet(self, hello: Hello) -> None:
        self._lifecycle.greeted(hello)

    def lost(self, reason: str) -> None:
        self._lifecycle.lost(reason)

    def close(self, code: Close, reason: str, fault: Fault = "other") -> None:
        """
        End the session and its connection.

        @param fault: that of the client's token, if the session ends for one.
        """
        self._lifecycle.ended(code, reason, fault)

    # ------------------------------------------------------- rate and back-pressure

    def limit_rate(self) -> None:
        """
        Stop reading until the client may send again.
        """
        registry = self.context.registry
        registry.counters.limited += 1
        registry.timers.limited(self)
        self.inbox.block(RATE)

    def refill(self, now: float) -> bool:
        """
        Resume reading if the frame rate allows it.

        @return: whether it does.
        """
        frames, rates, limits = self._frames, self.rates, self.limits
        if frames is not None and frames.wait_s(now, limits.frames_per_s):
            return False
        if rates is not None and rates.requests.wait_s(now, limits.requests_per_s):
            return False
        self.inbox.unblock(RATE)
        # The frames that waited may have used up the tokens again.
        return not self.inbox.blocks & RATE

    def charge(self, units: int) -> None:
        """
        Count what a request costs.  Once it is more than the user's rate allows,
        Connect does not read from this session until the rate allows more.
        """
        limits, now = self.limits, self.context.clock.seconds()
        requests = self.shared_rates(now).requests
        if not requests.spend(units, now, limits.requests_per_s, limits.requests_burst):
            self.context.registry.counters.costly += 1
            self.limit_rate()

    def demoted(self) -> None:
        registry = self.context.registry
        registry.counters.demoted += 1
        registry.timers.slow(self, self.limits.outbox_drain_s)
        self.inbox.block(SLOW)

    def drained(self) -> None:
        self.context.registry.timers.drained(self)
        self.resync("the connection was too slow for the pushes")
        self.inbox.unblock(SLOW)

    # -------------------------------------------------------- sends and queries

    def start_send(self, client_id: str, conversation: str) -> bool:
        """
        Count a send, and reject it if the user is over the rate, or if it would
        overtake one that was; stop reading while too many have no answer.

        @return: whether the rate allows it.
        """
        registry = self.context.registry
        registry.counters.sends += 1
        registry.life.received(self, client_id)
        self.unanswered += 1
        limits, now = registry.settings.limits, self.context.clock.seconds()
        upstream = self.context.upstream
        rates, fences = self.rates, upstream.fences
        if rates is None:
            rates = self.shared_rates(now)
        bucket = rates.sends
        key, wait_ms = (conversation, self.user, self.number), 0
        if fences.standing:
            wait_ms = fences.hint_ms(key, client_id, now)
        if not wait_ms and not bucket.take(now, limits.sends_per_s, limits.sends_burst):
            wait_ms = int(bucket.wait_s(now, limits.sends_per_s) * 1000) + 1
            wait_ms = max(wait_ms, _LEAST_HINT_MS)
            fences.refuse(
                key, client_id, now, wait_ms, upstream.unanswered, over_rate=True
            )
        if wait_ms and fences.is_over_rate(key):
            self.reject_send(client_id, RateLimited("too many sends", wait_ms))
        elif wait_ms:
            self.reject_send(client_id, Unavailable(BEHIND, wait_ms))
        elif self.unanswered > limits.window:
            self.inbox.block(WINDOW)
        return not wait_ms

    def shared_rates(self, now: float) -> UserRates:
        """
        Return the token buckets that all sessions of the user share.
        """
        if self.rates is None:
            self.rates = self.context.rates_of(self.user, now)
        return self.rates

    def reject_send(self, client_id: str, error: WsmsgError) -> None:
        """
        Reject a send that was started, without passing it on.
        """
        code, reason, wait_ms = error.code, error.reason, error.retry_after_ms
        answer = SendAnswer(code=code, reason=reason, retry_after_ms=wait_ms)
        self.finish_send(client_id, answer)

    def finish_send(self, client_id: str, answer: SendAnswer, told: str = "") -> None:
        """
        Tell the client that a send is accepted or rejected.

        @param told: the conversation that the client cannot know: that of the group
            which the send creates, or that with a user whom it names.
        """
        self.unanswered -= 1
        counters = self.context.registry.counters
        self.context.registry.life.answered(self, client_id, answer.code)
        if answer.time_ms:
            counters.accepted += 1
            self.reply(Accepted(client_id, answer.time_ms, told))
        else:
            counters.rejected[answer.code] += 1
            code, reason, hint_ms = answer.code, answer.reason, answer.retry_after_ms
            self.reply(Rejected(client_id, code, reason, hint_ms, answer.uncertain))
        if self.inbox.blocks:
            self._resume()

    def start_query(self) -> None:
        """
        Count a query; stop reading while there are too many.
        """
        self._queries += 1
        if self._queries >= QUERIES_MAX:
            self.inbox.block(QUERIES)

    def finish_query(self) -> None:
        """
        Note that a query has its answer.
        """
        self._queries -= 1
        self._resume()

    def _resume(self) -> None:
        """
        Resume reading if only the request that was just answered prevented it.
        """
        blocks, window = self.inbox.blocks, self.limits.window
        if blocks & WINDOW and self.unanswered <= window * 3 // 4:
            self.inbox.unblock(WINDOW)
        if self.inbox.blocks & QUERIES and self._queries < QUERIES_MAX:
            self.inbox.unblock(QUERIES)
        self._close_if_done()

    # ---------------------------------------------------------------- lifecycle

    def check_login(self, hello: Hello) -> None:
        if self.context.registry.draining:
            self.close(Close.DRAIN, "this node is stopping")
            return
        Deferred.fromCoroutine(self._log_in(hello)).addErrback(self.failed)

    async def _log_in(self, hello: Hello) -> None:
        context, registry = self.context, self.context.registry
        self.opened_s = context.clock.seconds()
        try:
            proved = login.authenticate(context, hello, self.identity, self._claimed)
            if not proved.user:
                self.inbox.block(CHECKING)
            identity = await login.numbered(self, proved)
            if self.closed:
                return
            registry.revocations.check(identity)
            self.user, self.device = identity.user, hello.device
            registry.add(self)
            registry.counters.reconnects.logged_in(self, hello.position)
        except WsmsgError as e:
            self.refuse(e)
            return
        self.take_token(identity)
        self.inbox.block(CHECKING)
        welcome = await login.make_welcome(self, hello.position, hello.witness)
        self._lifecycle.admitted(welcome)

    def numbered(self, number: int) -> bool:
        """
        Take the number of the login.

        @return: whether the session lives.
        """
        self.login = number
        return not self.closed

    def welcome(self, welcome: Welcome) -> None:
        registry = self.context.registry
        registry.timers.admitted(self)
        registry.counters.welcome(self.context.clock.seconds() - self.opened_s)
        self.start_output(welcome)
        if not welcome.synced:
            registry.timers.unsynced(self)
        self._tell("session {session} of {user} on {device}: welcome")
        self.inbox.unblock(CHECKING)

    def recheck(self) -> None:
        """
        Check whether the conversations that the welcome lacked can be read now.
        """
        Deferred.fromCoroutine(login.recheck(self)).addErrback(self.failed)

    def goaway(self, reason: str, after_ms: int, alternatives: tuple[str, ...]) -> None:
        """
        Ask the client to move, finish its requests, then close.
        """
        if self.closed:
            return
        if self.welcomed:
            self.context.registry.counters.moved += 1
            self.reply(Goaway(reason, after_ms, alternatives, self._reached))
        self.inbox.block(LEAVING)
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self.inbox.blocks & LEAVING and not self.unanswered and not self._queries:
            self.close(Close.DRAIN, "the client was asked to move")

    def unregister(self) -> None:
        self.stop_output()
        self.inbox.close()
        registry, upstream = self.context.registry, self.context.upstream
        if registry.remove(self):
            upstream.user_left(self.user)
            self.context.user_left(self.user)
        unwatched = registry.watchers.remove(self)
        if unwatched:
            upstream.unwatch(unwatched)

    def close_connection(self, code: Close, reason: str, fault: Fault) -> None:
        self.context.registry.counters.closed(self, code.name)
        self.outbox.finish(flush=code is not Close.SLOW_CLIENT)
        if not self.user:
            self.peer.login_failed(code, reason, fault)
        self._tell(
            "session {session} of {user} closes after {seconds:.1f} s: {code} {reason}",
            code=code.name,
            reason=reason,
        )
        self.peer.close(code, reason)

    def note_loss(self, reason: str) -> None:
        self.context.registry.counters.note_loss(self, reason.upper())
        self._tell(
            "session {session} of {user} ended after {seconds:.1f} s: {reason}",
            reason=reason,
        )

    def _tell(self, form: str, **more: object) -> None:
        """
        Log a line about this session. Neither a stranger nor a user can fill the log.
        """
        context = self.context
        if not self.user:
            log = self._log.debug
        elif context.lines.allow(self.user):
            log = self._log.info
        else:
            return
        log(
            form,
            session=self.name,
            user=self.user,
            device=self.device,
            seconds=context.clock.seconds() - self.opened_s,
            **more,
        )

    def release(self, reason: str) -> None:
        registry = self.context.registry
        registry.counters.shed += self.outbox.shed
        self.outbox.finish(flush=True)
        registry.lost()
        self._log.debug(
            "session {session} of {user} is gone: {reason}",
            session=self.name,
            user=self.user,
            reason=reason,
        )


def subprotocol(codec: ICodec, context: SessionContext) -> Subprotocol:
    """
    Return the subprotocol whose sessions use this codec.
    """

    def open_session(
        peer: ISessionPeer, identity: Identity | None, claimed_user: int | None
    ) -> ISession:
        return Session(
            peer, codec, context, identity=identity, claimed_user=claimed_user
        )

    return Subprotocol(codec.subprotocol, codec.binary, open_session)
