"""
Messages without numbers, of a server that keeps none: nothing can be asked for again,
so each is given when it comes, and one that comes twice is dropped.

What was seen is told message by message, and again after a connection that broke.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import TypeVar

from wsmsg.protocol.frames import Deliver, Read

#: Of so many messages it is remembered that they came.
REMEMBERED = 10_000
#: The most marks that wait for a connection; the oldest go first.
MARKS = 10_000

_K = TypeVar("_K", bound=Hashable)

_log = logging.getLogger("wsmsg.client")


class Unnumbered:
    """
    @param give: called with each message once, in the order in which they come.
    @param room: how many messages the program may still be given now.
    @ivar lost_count: how many came while there was no room; they are gone.
    """

    def __init__(
        self, give: Callable[[Deliver], object], room: Callable[[], int]
    ) -> None:
        self.lost_count = 0
        self._give = give
        self._room = room
        self._came: dict[Hashable, None] = {}
        self._untold: dict[tuple[str, int], None] = {}
        self._told: dict[tuple[str, int], None] = {}

    def delivered(self, message: Deliver) -> None:
        """
        A message came.  The ids of such a server are not quite unique, so what was
        said counts too.
        """
        key = (
            message.message_id,
            message.conversation,
            message.sender,
            hash(message.content),
        )
        if key in self._came:
            return
        if self._room() <= 0:
            self.lost_count += 1
            _log.warning(
                "message %d is lost: the program takes none, and the server keeps none",
                message.message_id,
            )
            return
        _remember(self._came, key, REMEMBERED)
        self._give(message)

    def read(self, conversation: str, message_id: int) -> None:
        """
        The user saw this message.
        """
        mark = conversation, message_id
        if mark not in self._told:
            _remember(self._untold, mark, MARKS)

    @property
    def waiting(self) -> bool:
        """
        Whether something is to be told.
        """
        return bool(self._untold)

    def due(self, limit: int) -> list[Read]:
        """
        What is to be told now, at most so many frames.
        """
        frames: list[Read] = []
        while self._untold and len(frames) < limit:
            mark = next(iter(self._untold))
            del self._untold[mark]
            _remember(self._told, mark, MARKS)
            frames.append(Read(mark[0], message_id=mark[1]))
        return frames

    def lost(self) -> None:
        """
        The connection is gone; the last that was told on it may not have been heard.
        """
        again, self._told = self._told, {}
        for mark in [*again, *self._untold]:
            self._untold.pop(mark, None)
            _remember(self._untold, mark, MARKS)


def _remember(where: dict[_K, None], key: _K, limit: int) -> None:
    where[key] = None
    if len(where) > limit:
        del where[next(iter(where))]
