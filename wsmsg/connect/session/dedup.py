"""
Pushes to a session: none twice, and none before the welcome.
"""

from __future__ import annotations

from hashlib import blake2b

#: Conversations for which a session remembers the highest delivered seq.
SEEN = 1000

#: Messages without a seq that a session remembers.
SEEN_DATA = 1000


class DeliveredSeqs:
    """
    The highest seq delivered to a session, per conversation (bounded, LRU).

    A message without a seq is recognized by a digest of its bytes, because a Message
    that assigns no seqs does not assign unique ids either.
    """

    __slots__ = ("_data", "_last")

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._data: dict[bytes, None] | None = None

    def __len__(self) -> int:
        return len(self._last)

    def has(self, conversation: str, seq: int) -> bool:
        """
        Return whether this seq or a higher one was delivered.
        """
        return seq <= self._last.get(conversation, 0)

    def note(self, conversation: str, seq: int) -> None:
        """
        Note that the session has all messages up to this seq.
        """
        # Popping first moves the key to the end: the order of the dict is that of use.
        self._last.pop(conversation, None)
        self._last[conversation] = seq
        if len(self._last) > SEEN:
            del self._last[next(iter(self._last))]

    def has_data(self, data: bytes) -> bool:
        """
        Return whether a message with these bytes was delivered recently.
        """
        return self._data is not None and _digest(data) in self._data

    def note_data(self, data: bytes) -> None:
        """
        Note that the session has the message with these bytes.
        """
        if self._data is None:
            self._data = {}
        self._data[_digest(data)] = None
        if len(self._data) > SEEN_DATA:
            del self._data[next(iter(self._data))]


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


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
