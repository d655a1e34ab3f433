"""
Received messages of a server without numbers: the client cannot ask for a message
again, so it gives each to the program on arrival, and drops repeats.

The client reports read messages one by one, and repeats a report after a lost
connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import TypeVar

from wsmsg.protocol.frames import Deliver, Read

#: Number of messages that are remembered, to drop repeats.
REMEMBERED = 10_000
#: Most reports that wait for a connection; the oldest are dropped first.
MARKS = 10_000

_K = TypeVar("_K", bound=Hashable)

_log = logging.getLogger("wsmsg.client")


class Unnumbered:
    """
    The messages of one user.

    @param give: called with each message once, in the order of arrival.
    @param room: returns the number of messages that the program can be given now.
    @ivar lost_count: messages that arrived while there was no room; they are lost.
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
        Process a message.  The ids of such a server are not quite unique, so the
        content is compared, too.
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
                "message %d is lost: the queue is full and the server keeps none",
                message.message_id,
            )
            return
        _remember(self._came, key, REMEMBERED)
        self._give(message)

    def read(self, conversation: str, message_id: int) -> None:
        """
        Record that the user has read this message.
        """
        mark = conversation, message_id
        if mark not in self._told:
            _remember(self._untold, mark, MARKS)

    @property
    def waiting(self) -> bool:
        """
        L{True} if there is something to report.
        """
        return bool(self._untold)

    def due(self, limit: int) -> list[Read]:
        """
        Return the frames to write now, up to a limit.
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
        Repeat the last reports of a lost connection, which the server may not have
        received.
        """
        again, self._told = self._told, {}
        for mark in [*again, *self._untold]:
            self._untold.pop(mark, None)
            _remember(self._untold, mark, MARKS)


def _remember(where: dict[_K, None], key: _K, limit: int) -> None:
    where[key] = None
    if len(where) > limit:
        del where[next(iter(where))]
