"""
What a client has been sent and has not yet read.

While the transport takes bytes they go straight through and nothing is kept.
While it is full they wait here, and two marks say what happens::

    0 ......... soft ............ hard ............ twice hard
      all waits | sheddable is    | nothing pushed | even replies end
                | dropped         | is taken       | the session

Crossing the hard mark I{demotes} the session, until all that waits is written; then
it must be told that something is missing.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.settings.values import LimitSettings


class OutboxOwner(Protocol):
    """
    Who an outbox writes for.
    """

    @property
    def limits(self) -> LimitSettings:
        """The marks, as they are now."""

    def demoted(self) -> None:
        """The hard mark was crossed; from now on pushes are refused."""

    def drained(self) -> None:
        """All that waited is written, and pushes are taken again."""

    def abandoned(self) -> None:
        """The transport will never ask for more."""


@implementer(IPushProducer)
class Outbox:
    """
    The bounded queue in front of one connection.

    @ivar size: bytes that wait.
    @ivar is_demoted: whether pushes are refused.
    @ivar shed: how many sheddable frames were dropped.
    """

    __slots__ = (
        "_closed",
        "_owner",
        "_paused",
        "_peer",
        "_waiting",
        "is_demoted",
        "shed",
        "size",
    )

    def __init__(self, owner: OutboxOwner, peer: ISessionPeer) -> None:
        self._owner = owner
        self._peer = peer
        self._waiting: deque[bytes] | None = None
        self._paused = False
        self._closed = False
        self.is_demoted = False
        self.size = 0
        self.shed = 0

    def put(self, data: bytes, shed: bool) -> bool:
        """
        Write or queue something pushed.

        @param data: framed bytes.
        @param shed: whether it may be dropped over the soft mark.
        @return: whether it was taken; what is shed counts as taken.
        """
        if not self._paused and not self._waiting and not self._closed:
            self._peer.write_encoded(data)
            return True
        if self._closed or self.is_demoted:
            return False
        limits = self._owner.limits
        if shed and self.size + len(data) > limits.outbox_soft_bytes:
            self.shed += 1
            return True
        if self.size + len(data) > limits.outbox_hard_bytes:
            self.is_demoted = True
            self._owner.demoted()
            return False
        self._queue(data)
        return True

    def reply(self, data: bytes) -> bool:
        """
        Write or queue an answer to the client's own request.

        @return: whether it was taken; if not, the session cannot go on.
        """
        if not self._paused and not self._waiting and not self._closed:
            self._peer.write_encoded(data)
            return True
        if self._closed:
            return False
        hard = self._owner.limits.outbox_hard_bytes
        if self.size and self.size + len(data) > 2 * hard:
            return False
        self._queue(data)
        if self.size > hard and not self.is_demoted:
            self.is_demoted = True
            self._owner.demoted()
        return True

    def _queue(self, data: bytes) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(data)
        self.size += len(data)

    def finish(self, flush: bool) -> None:
        """
        Take nothing more.

        @param flush: give what waits to the transport, else forget it.
        """
        waiting, self._waiting = self._waiting, None
        self._closed, self.size = True, 0
        if flush and waiting:
            self._peer.write_encoded(b"".join(waiting))

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        waiting = self._waiting
        while waiting and not self._paused and not self._closed:
            data = waiting.popleft()
            self.size -= len(data)
            self._peer.write_encoded(data)
        if waiting or self._closed or self._paused:
            return
        self._waiting = None
        if self.is_demoted:
            self.is_demoted = False
            self._owner.drained()

    def stopProducing(self) -> None:
        self.finish(flush=False)
        self._owner.abandoned()
