"""
Input of a session: frames of the client, and what happens to bad ones.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.inbox import Inbox
from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.session.output import Output
from wsmsg.connect.session.requests import REQUESTS
from wsmsg.errors import BadFrame, Close, WsmsgError, closing
from wsmsg.flow.token_bucket import TokenBucket
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import Error, Hello

#: Frames that cannot be decoded after which Connect closes the connection.
BAD_FRAMES: Final = 10


class Input(Output):
    """
    The half of a session that reads.

    @ivar user: 0 until the client is authenticated.
    @ivar number: a number that no other session of this node has.
    """

    __slots__ = ("_bad", "_frames", "inbox", "number", "user")

    _log = Logger()

    number: int

    def __init__(
        self, peer: ISessionPeer, codec: ICodec, context: SessionContext
    ) -> None:
        super().__init__(peer, codec, context)
        self.inbox = Inbox(self, peer)
        self.user = 0
        self._bad = 0
        self._frames: TokenBucket | None = None

    @property
    def name(self) -> str:
        """
        The name of the session in frames and logs.
        """
        return f"{self.context.name}-{self.number}"

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
            self._fail(Failure())

    def _process(self, data: bytes) -> None:
        self.context.registry.counters.frames += 1
        self.count_frame()
        try:
            frame = self.codec.decode(data)
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
        self.close(closing(error), error.reason)

    def _fail(self, failure: Failure) -> None:
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
