"""
Output queue of a session.

While the transport accepts data, frames go straight to it and nothing is queued.
While the transport is full, frames wait here, and two marks apply::

    0 ......... soft ............ hard ............ twice hard
      every     | ephemeral       | pushes are      | even a reply
      frame     | frames are      | refused         | ends the
      waits     | dropped         |                 | session

Crossing the hard mark I{demotes} the session until the whole queue is written.  The
client must then be told that pushes are missing.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.settings.values import LimitSettings


class OutboxOwner(Protocol):
    """
    The session that an outbox belongs to.
    """

    @property
    def limits(self) -> LimitSettings:
        """The marks of the current settings."""

    def demoted(self) -> None:
        """The hard mark was crossed; pushes are refused from now on."""

    def drained(self) -> None:
        """The queue of a demoted session is written; pushes are accepted again."""

    def abandoned(self) -> None:
        """The transport will accept no more data."""

    def queued(self, n_bytes: int) -> None:
        """So many bytes more wait, or less if the number is negative."""


@implementer(IPushProducer)
class Outbox:
    """
    The bounded queue in front of one connection.

    @ivar size: queued bytes.
    @ivar is_demoted: whether pushes are refused.
    @ivar shed: the number of ephemeral frames that were dropped.
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

    def push(self, data: bytes, shed: bool) -> bool:
        """
        Write or queue a frame that the client did not request.

        @param data: framed bytes.
        @param shed: whether the frame may be dropped above the soft mark.
        @return: whether the frame was accepted; a dropped one counts as accepted.
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
        Write or queue the answer to a request of the client.

        @return: whether the frame was accepted; if not, the session must end.
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
        self._owner.queued(len(data))

    def finish(self, flush: bool) -> None:
        """
        Accept no more frames.

        @param flush: write what is queued to the transport, else drop it.
        """
        waiting, self._waiting = self._waiting, None
        self._owner.queued(-self.size)
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
            self._owner.queued(-len(data))
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


class PreWelcomeBuffer:
    """
    Frames that were pushed between hello and welcome.

    @ivar is_incomplete: whether a frame did not fit or was lost before.
    """

    __slots__ = ("_size", "frames", "is_incomplete")

    def __init__(self) -> None:
        self._size = 0
        self.frames: list[bytes] = []
        self.is_incomplete = False

    def put(self, data: bytes, limit: int) -> bool:
        """
        Keep a frame for the time after the welcome.

        @param limit: the maximum size of the buffer in bytes.
        @return: whether the frame was kept.
        """
        if self._size + len(data) > limit:
            self.is_incomplete = True
            return False
        self._size += len(data)
        self.frames.append(data)
        return True

    def mark_incomplete(self) -> None:
        """
        Note that pushes were lost.
        """
        self.is_incomplete = True


def digest(data: bytes) -> bytes:
    """
    Return what a frame is recognised by.
    """
    return blake2b(data, digest_size=16).digest()
