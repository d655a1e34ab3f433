"""
Input queue of a session.

While anything blocks a session, its connection is not read, and the frames that were
read before wait here in order.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from wsmsg.connect.session.interface import ISessionPeer

# Reasons to block a session, as bits: several may hold at once.

#: The login is being checked.
CHECKING: Final = 1
#: The window of unanswered sends is full.
WINDOW: Final = 2
#: The client is over its rate of frames.
RATE: Final = 4
#: The maximum of unanswered queries is reached.
QUERIES: Final = 8
#: The client does not read what Connect sends.
SLOW: Final = 16
#: The client was asked to move; only what it asked for before is finished.
LEAVING: Final = 32
#: The number of a name in a request is being looked up.
NAMES: Final = 64

#: Bytes added to the size of each frame that waits, so that empty ones count too.
_FRAME_OVERHEAD = 64


class InboxOwner(Protocol):
    """
    The session that an inbox belongs to.
    """

    def process(self, data: bytes) -> None:
        """Decode a frame and carry out what it asks for."""


class Inbox:
    """
    The frames of one session, passed on in order, as fast as the session allows.

    @ivar blocks: the reasons for which no frame is processed now, or 0.
    @ivar paused: whether frames are to be queued; the session processes them otherwise.
    """

    __slots__ = (
        "_closed",
        "_owner",
        "_peer",
        "_replaying",
        "_size",
        "_waiting",
        "blocks",
        "paused",
    )

    def __init__(self, owner: InboxOwner, peer: ISessionPeer) -> None:
        self.blocks = 0
        self._owner = owner
        self._peer = peer
        self._closed = False
        self.paused = False
        self._replaying = False
        self._size = 0
        self._waiting: deque[bytes] | None = None

    def queue(self, data: bytes) -> int:
        """
        Queue a frame that came while the session is blocked.

        @return: the size of the queue in bytes.
        """
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(data)
        self._size += len(data) + _FRAME_OVERHEAD
        return self._size

    def requeue(self, data: bytes) -> None:
        """
        Put the frame that is being processed back at the front of the queue.  The
        session must be blocked.
        """
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.appendleft(data)
        self._size += len(data) + _FRAME_OVERHEAD

    def block(self, reason: int) -> None:
        """
        Stop processing frames and reading from the client.
        """
        self.blocks |= reason
        if not self.paused and not self._closed:
            self.paused = True
            self._peer.pause()

    def unblock(self, reason: int) -> None:
        """
        Remove a reason.  If none is left, process the frames that wait, then read
        from the client again.
        """
        self.blocks &= ~reason
        if self.blocks or self._replaying or not self.paused:
            return
        self._replaying = True
        try:
            while self._waiting and not self.blocks:
                data = self._waiting.popleft()
                self._size -= len(data) + _FRAME_OVERHEAD
                self._owner.process(data)
        finally:
            self._replaying = False
        if not self.blocks and not self._closed:
            self._waiting = None
            self.paused = False
            self._peer.resume()

    def remove_all(self) -> list[bytes]:
        """
        Empty the queue and return its frames.
        """
        waiting, self._waiting, self._size = self._waiting, None, 0
        return list(waiting or ())

    def close(self) -> None:
        """
        Drop the queue; nothing is processed any more.
        """
        self._closed, self.paused = True, True
        self._waiting, self._size = None, 0
