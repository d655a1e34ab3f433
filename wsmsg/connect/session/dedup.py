"""
What a session was pushed: nothing twice, and nothing before its welcome.
"""

from __future__ import annotations

from hashlib import blake2b

#: Of how many conversations a session remembers the last number it was pushed.
SEEN = 1000

#: Of how many messages without a number a session remembers that it was pushed them.
SEEN_DATA = 1000


class DeliveredSeqs:
    """
    The last numbers of the conversations that a session was pushed of late.

    A message that has none is known by all of its bytes: the ids of the Message that
    gives no numbers are not unique.
    """

    __slots__ = ("_data", "_last")

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._data: dict[bytes, None] | None = None

    def __len__(self) -> int:
        return len(self._last)

    def has(self, conversation: str, seq: int) -> bool:
        """
        Whether this number, or a later one, was noted.
        """
        return seq <= self._last.get(conversation, 0)

    def note(self, conversation: str, seq: int) -> None:
        """
        The session has all up to this number.
        """
        # Taken out and put back: the dict's order is that of use.
        self._last.pop(conversation, None)
        self._last[conversation] = seq
        if len(self._last) > SEEN:
            del self._last[next(iter(self._last))]

    def has_data(self, data: bytes) -> bool:
        """
        Whether these bytes were noted of late.
        """
        return self._data is not None and _digest(data) in self._data

    def note_data(self, data: bytes) -> None:
        """
        The session has the message that these bytes are.
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
    Frames that came between hello and welcome.

    @ivar missed: whether there were more than may wait.
    """

    __slots__ = ("_size", "frames", "missed")

    def __init__(self) -> None:
        self._size = 0
        self.frames: list[bytes] = []
        self.missed = False

    def put(self, data: bytes, limit: int) -> bool:
        """
        Keep it for after the welcome.

        @param limit: the most bytes that may wait.
        @return: whether it was kept.
        """
        if self._size + len(data) > limit:
            self.missed = True
            return False
        self._size += len(data)
        self.frames.append(data)
        return True
