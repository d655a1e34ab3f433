"""
Received messages of a server without numbers: the client cannot ask for a message
again, so it gives each to the program on arrival, and drops repeats.

The client reports read messages one by one, and repeats a report after a lost
connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

from wsmsg.client.state.cursors import Reports, remember
from wsmsg.protocol.frames import Deliver, Read

_log = logging.getLogger("wsmsg.client")


class Unnumbered(Reports[tuple[str, int], Read]):
    """
    The messages of one user.

    @param give: called with each message once, in the order of arrival.
    @param room: returns the number of messages that the program can be given now.
    @ivar lost_count: messages that arrived while there was no room; they are lost.
    """

    def __init__(
        self, give: Callable[[Deliver], object], room: Callable[[], int]
    ) -> None:
        super().__init__()
        self.lost_count = 0
        self._give = give
        self._room = room
        self._came: dict[Hashable, None] = {}

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
        remember(self._came, key, None)
        self._give(message)

    def read(self, conversation: str, message_id: int) -> None:
        """
        Record that the user has read this message.
        """
        mark = conversation, message_id
        if mark not in self.told:
            frame = Read(conversation, message_id=message_id)
            remember(self.untold, mark, frame)
