"""
Input of a session: frames of the client, and what happens to bad ones.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.auth.identity import Identity
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.inbox import Inbox
from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.session.output import Output
from wsmsg.connect.session.requests import REQUESTS
from wsmsg.connect.tokens.interface import Term
from wsmsg.errors import (
    BadFrame,
    Close,
    RateLimited,
    Unauthenticated,
    WsmsgError,
    closing,
)
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import (
    ClientFrame,
    Delivered,
    Error,
    Hello,
    TokenExpiring,
)

#: Frames that cannot be decoded after which Connect closes the connection.
BAD_FRAMES: Final = 10
#: The tokens that a session may refresh at once, and per second.  Each costs the
#: verification of a signature.
REFRESHES_AT_ONCE: Final = 5
REFRESHES_PER_S: Final = 0.2


class FrameDecoder:
    """
    Decodes the frames of all sessions.  The members of a group acknowledge a message in
    the same bytes, one after the other: these are decoded once.
    """

    __slots__ = ("_codec", "_data", "_frame")

    def __init__(self) -> None:
        self._codec: ICodec | None = None
        self._data = b""
        self._frame: ClientFrame | None = None

    def decode(self, codec: ICodec, data: bytes) -> ClientFrame:
        """
        Decode a frame.

        @raise BadFrame: it is not one.
        """
        if data == self._data and codec is self._codec and self._frame is not None:
            return self._frame
        frame = codec.decode(data)
        if type(frame) is Delivered:
            self._codec, self._data, self._frame = codec, data, frame
        return frame


class Input(Output):
    """
    The half of a session that reads.

    @ivar identity: the identity that its token proves; L{None}: none yet.
    @ivar term: the time until which the session may live; L{None}: it has no end.
    @ivar user: 0 until the client is authenticated.
    @ivar number: a number that no other session of this node has.
    """

    __slots__ = (
        "_bad",
        "_frames",
        "_refreshes",
        "identity",
        "inbox",
        "number",
        "term",
        "user",
    )

    _log = Logger()

    number: int

    def __init__(
        self,
        peer: ISessionPeer,
        codec: ICodec,
        context: SessionContext,
        identity: Identity | None,
    ) -> None:
        super().__init__(peer, codec, context)
        self.identity = identity
        self.term: Term | None = None
        self.inbox = Inbox(self, peer)
        self.user = 0
        self._bad = 0
        self._frames: TokenBucket | None = None
        self._refreshes: TokenBucket | None = None

    @property
    def name(self) -> str:
        """
        The name of the session in frames and logs.
        """
        return f"{self.context.name}-{self.number}"

    @property
    def reads_to_end(self) -> bool:
        return False

    @abstractmethod
    def limit_rate(self) -> None:
        """
        Stop reading until the client may send again.
        """

    @abstractmethod
    def greet(self, hello: Hello) -> None:
        """
        Begin the login.
        """

    # -------------------------------------------------------------------- token

    def take_token(self, identity: Identity) -> None:
        """
        Have the token of this identity, in place of the one before.
        """
        registry = self.context.registry
        self.identity = identity
        registry.expiry.begin(self, identity, registry.settings.token.leeway_s)

    def count_refresh(self) -> None:
        """
        Count a request to refresh the token.

        @raise RateLimited: there are too many.
        """
        now_s = self.context.clock.seconds()
        if self._refreshes is None:
            self._refreshes = TokenBucket(now_s, REFRESHES_AT_ONCE)
        if not self._refreshes.take(now_s, REFRESHES_PER_S, REFRESHES_AT_ONCE):
            wait_ms = int(self._refreshes.wait_s(now_s, REFRESHES_PER_S) * 1000) + 1
            raise RateLimited("the token was refreshed too often", wait_ms)

    def limit_term(self, term: Term | None) -> None:
        self.term = term

    def remind(self) -> None:
        if self.welcomed and self.identity is not None:
            self.reply(TokenExpiring(self.identity.expires_ms))

    # -------------------------------------------------------------------- frames

    def confirmed(self, conversation: str, seq: int) -> None:
        """
        Note that the client has the messages up to this seq: count how long it took, if
        the sample is one of them.
        """
        sample = self._sample
        if sample is not None and sample[0] == conversation and sample[1] <= seq:
            context, counters = self.context, self.context.registry.counters
            counters.delivered.observe(context.clock.seconds() - sample[2])
            counters.all_the_way.observe_since(
                int(context.unix_s() * 1000), (sample[3],)
            )
            self._sample = None

    def received(self, data: bytes, binary: bool) -> None:
        if self.closed:
            return
        if binary is not self.codec.binary:
            due = "binary" if self.codec.binary else "text"
            self._bad_frame(BadFrame(f"this subprotocol has {due} messages"))
        elif not self.inbox.paused:
            self.process(data)
        elif self.inbox.queue(data) > 4 * max(65536, self.limits.frame_bytes):
            reason = "too much data was sent while the session was not read"
            self.close(Close.RATE_LIMITED, reason)

    def count_frame(self) -> None:
        if self.closed:
            return
        context = self.context
        limits, now = context.registry.settings.limits, context.clock.seconds()
        if self._frames is None:
            self._frames = TokenBucket(now, limits.frames_burst)
        if not self._frames.take(now, limits.frames_per_s, limits.frames_burst):
            self.limit_rate()

    def process(self, data: bytes) -> None:
        """
        Decode a frame and carry out what it asks for.
        """
        try:
            self._process(data)
        except Exception:  # noqa: BLE001 - a guard
            self.failed(Failure())

    def _process(self, data: bytes) -> None:
        counters = self.context.registry.counters
        counters.frames += 1
        counters.received_bytes[self.codec.name] += len(data)
        self.count_frame()
        try:
            frame = self.context.decoder.decode(self.codec, data)
        except BadFrame as e:
            self._bad_frame(e)
            return
        if self.welcomed:
            REQUESTS[type(frame)](self, frame)
        elif isinstance(frame, Hello):
            self.greet(frame)
        else:
            self._bad_frame(BadFrame("only hello is allowed before the welcome"))

    def _bad_frame(self, error: BadFrame) -> None:
        self.context.registry.counters.bad_frames += 1
        self._bad += 1
        if not self.welcomed:
            self.refuse(error)
            return
        self.reply(Error(error.code, error.reason))
        if self._bad >= BAD_FRAMES:
            self.close(Close.BAD_FRAME, f"{self._bad} frames could not be decoded")

    def refuse(self, error: WsmsgError) -> None:
        """
        Send an error and close.
        """
        after_ms = error.retry_after_ms
        self.reply(Error(error.code, error.reason, retry_after_ms=after_ms))
        fault = error.fault if isinstance(error, Unauthenticated) else "other"
        self.close(closing(error), error.reason, fault)

    def failed(self, failure: Failure) -> None:
        """
        Log a bug, and end this session only.
        """
        self._log.failure(
            "a bug ends session {session} of {user}",
            failure=failure,
            session=self.name,
            user=self.user,
        )
        self.close(Close.BUG, "internal error")
