"""
How far we are in each conversation, told to the server: only the last number counts,
so however many messages were taken it is one frame, and nothing is told twice.

The server does not answer these frames.  What was told on a connection that broke is
told again on the next.
"""

from __future__ import annotations

from typing import Literal

from wsmsg.protocol.frames import Delivered, Head, Read

_Key = tuple[str, Literal["delivered", "read"]]


class CursorState:
    """
    Delivered and read, by conversation.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, int] = {}
        self._untold: dict[_Key, None] = {}
        self._told: dict[_Key, None] = {}

    def resume(self, conversation: str, seq: int) -> None:
        """
        An earlier run took all up to this number, and most likely said so.
        """
        self._known[conversation, "delivered"] = seq

    def delivered(self, conversation: str, seq: int) -> None:
        """
        All up to this number is with the program.
        """
        self._raise_to((conversation, "delivered"), seq)

    def read(self, conversation: str, seq: int) -> None:
        """
        All up to this number was seen.
        """
        self._raise_to((conversation, "read"), seq)

    def heard(self, head: Head) -> None:
        """
        The server says where it thinks that we are.
        """
        for key, seq in self._keys(head):
            if seq >= self._known.get(key, 0):
                self._known[key] = seq
                self._untold.pop(key, None)
            elif key in self._known:
                self._untold[key] = None

    def due(self, limit: int) -> list[Delivered | Read]:
        """
        What is to be told now, at most so many frames.
        """
        frames: list[Delivered | Read] = []
        while self._untold and len(frames) < limit:
            key = next(iter(self._untold))
            del self._untold[key]
            self._told[key] = None
            name, what = key
            kind = Delivered if what == "delivered" else Read
            frames.append(kind(name, self._known[key]))
        return frames

    @property
    def waiting(self) -> bool:
        """
        Whether something is to be told.
        """
        return bool(self._untold)

    def lost(self) -> None:
        """
        The connection is gone; what was told on it may not have been heard.
        """
        self._untold.update(self._told)
        self._told.clear()

    def _raise_to(self, key: _Key, seq: int) -> None:
        if seq > self._known.get(key, 0):
            self._known[key] = seq
            self._untold[key] = None

    def _keys(self, head: Head) -> tuple[tuple[_Key, int], ...]:
        return (
            ((head.conversation, "delivered"), head.delivered),
            ((head.conversation, "read"), head.read),
        )
