"""
What a session was pushed: nothing twice, and nothing before its welcome.
"""

from __future__ import annotations

#: Of how many conversations a session remembers the last number it was pushed.
SEEN = 1000


class Seen:
    """
    The last numbers of the conversations that a session was pushed of late.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

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


class Early:
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
