"""
A connection to Redis that receives published messages of bounded size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wsmsg.redis.connection import WatchedRedisProtocol


class Subscriber(WatchedRedisProtocol):
    """
    The protocol of a connection that subscribes by C{SUBSCRIBE}, once or more.

    @param heard: called with each message: text, or bytes that are not UTF-8; must not
        raise.
    @param limit_bytes: returns the length above which a message is dropped while it
        arrives, and reported as C{""}.
    """

    bulk_length: int

    def __init__(
        self,
        heard: Callable[[str | bytes], object],
        limit_bytes: Callable[[], int],
    ) -> None:
        super().__init__()
        self._heard = heard
        self._limit_bytes = limit_bytes
        self._dropping = False

    def replyReceived(self, reply: Any) -> None:
        if isinstance(reply, list) and len(reply) == 3 and reply[0] == "message":
            self._heard(reply[2])
        else:
            super().replyReceived(reply)

    def rawDataReceived(self, data: bytes) -> None:
        if not self.bulk_buffer and self.bulk_length - 2 > self._limit_bytes():
            self._dropping = True
        if not self._dropping:
            super().rawDataReceived(data)
            return
        left = self.bulk_length - len(data)
        if left > 0:
            self.bulk_length = left
            return
        rest = data[self.bulk_length :]
        self.bulk_length, self._dropping = 0, False
        self.bulkDataReceived(b"")
        self.setLineMode(rest)
