"""
What a client sent and the session does not take yet.

While something blocks a session, its connection is not read, and the frames that
were read already wait here in their order.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from wsmsg.connect.session.interface import ISessionPeer

# Why a session takes no frames for now; several may hold at once.

#: Its login is being checked.
CHECKING: Final = 1
#: Its window of unanswered sends is full.
WINDOW: Final = 2
#: It is over its rate of frames.
RATE: Final = 4
#: It has as many queries unanswered as it may.
QUERIES: Final = 8
#: It does not read what it is sent.
SLOW: Final = 16
#: It was asked to move, and only finishes.
LEAVING: Final = 32


class InboxOwner(Protocol):
    """
    Whose frames wait.
    """

    def take(self, data: bytes) -> None:
        """Do what a frame asks for."""


class Inbox:
    """
    The frames of one session, in order and as fast as it wants them.

    @ivar blocks: why it wants none now, of L{wsmsg.connect.session.inbox}; 0: it does.
    """

    __slots__ = (
        "_closed",
        "_owner",
        "_paused",
        "_peer",
        "_replaying",
        "_size",
        "_waiting",
        "blocks",
    )

    def __init__(self, owner: InboxOwner, peer: ISessionPeer) -> None:
        self.blocks = 0
        self._owner = owner
        self._peer = peer
        self._closed = False
        self._paused = False
        self._replaying = False
        self._size = 0
        self._waiting: deque[bytes] | None = None

    def put(self, data: bytes) -> int:
        """
        Have the frame taken, now or in its turn.

        @return: how many bytes wait.
        """
        if not self._paused:
            self._owner.take(data)
            return 0
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(data)
        # More than its own bytes, or empty frames would cost nothing.
        self._size += len(data) + 64
        return self._size

    def put_back(self, data: bytes) -> None:
        """
        Have the frame that was just taken wait before all others; something blocks.
        """
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.appendleft(data)
        self._size += len(data) + 64

    def block(self, why: int) -> None:
        """
        Take no more frames for now.
        """
        self.blocks |= why
        if not self._paused and not self._closed:
            self._paused = True
            self._peer.pause()

    def unblock(self, why: int) -> None:
        """
        Take frames again, those that waited first, unless something else blocks.
        """
        self.blocks &= ~why
        if self.blocks or self._replaying or not self._paused:
            return
        self._replaying = True
        try:
            while self._waiting and not self.blocks:
                data = self._waiting.popleft()
                self._size -= len(data) + 64
                self._owner.take(data)
        finally:
            self._replaying = False
        if not self.blocks and not self._closed:
            self._waiting = None
            self._paused = False
            self._peer.resume()

    def rest(self) -> list[bytes]:
        """
        Take out what waits.
        """
        waiting, self._waiting, self._size = self._waiting, None, 0
        return list(waiting or ())

    def close(self) -> None:
        """
        Take nothing any more.
        """
        self._closed, self._paused = True, True
        self._waiting, self._size = None, 0
