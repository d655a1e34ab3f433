"""
The fields of a C{WSMessage} that its legacy sender writes beside content and recipient.

The legacy system passes these fields on as the sender wrote them, and nothing in it
depends on them.  So a message carries them as one text, its C{extra}
(L{wsmsg.model.Message}), which only peers of the legacy system write and read::

    1795447835 1 k-17       timestamp, message_type, ack_id (which may be empty)

The timestamp is of the sender's clock, and may be any int64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from wsmsg.errors import BadRequest
from wsmsg.model import INT64_MAX
from wsmsg.rpc import rest_pb2

#: The C{message_type} of a text, and of a message that has none: a text as well.
TEXT = 1
UNSET = 0

#: The longest C{ack_id}, in bytes of UTF-8.
ACK_ID_BYTES = 1024

_INT32_MAX = 2**31 - 1


class LegacyExtra(NamedTuple):
    """
    These fields of one message.

    @ivar timestamp: in unix seconds, by the clock of the sender; L{None}: the sender
        gave none, and the time of acceptance stands for it.
    """

    timestamp: int | None
    message_type: int = TEXT
    ack_id: str = ""

    def encoded(self) -> str:
        """
        Return the C{extra} of the message.
        """
        time_s = "" if self.timestamp is None else self.timestamp
        return f"{time_s} {self.message_type} {self.ack_id}"


def extra_of(message: Any) -> str:
    """
    Return the C{extra} of a C{WSMessage}.
    """
    kind = message.message_type
    return LegacyExtra(message.timestamp, kind, message.ack_id).encoded()


def checked_extra_of(message: Any) -> str:
    """
    Return the C{extra} of a C{WSMessage} that is going to be stored.

    @raise BadRequest: its C{ack_id} is too long, or is a text that no store can hold.
    """
    ack_id = message.ack_id
    if ack_id:
        try:
            n_bytes = len(ack_id.encode())
        except UnicodeEncodeError:
            raise BadRequest("ack_id is not valid Unicode") from None
        if n_bytes > ACK_ID_BYTES:
            raise BadRequest(f"ack_id has {n_bytes} bytes, the limit is {ACK_ID_BYTES}")
        if "\0" in ack_id:
            raise BadRequest("ack_id has the character U+0000")
    return extra_of(message)


def read_extra(extra: str) -> LegacyExtra | None:
    """
    Return the fields in the C{extra} of a message; L{None}: no legacy sender wrote it.
    """
    if not extra:
        return None
    first, _, rest = extra.partition(" ")
    second, _, ack_id = rest.partition(" ")
    try:
        timestamp, kind = int(first) if first else None, int(second)
    except ValueError:
        return None
    if not -INT64_MAX - 1 <= (timestamp or 0) <= INT64_MAX or abs(kind) > _INT32_MAX:
        return None
    return LegacyExtra(timestamp, kind, ack_id)


def write_extra(to: rest_pb2.WSMessage, extra: str, time_ms: int) -> None:
    """
    Write these fields to a C{WSMessage}: those of its legacy sender, or the time of
    acceptance and the type of a text, if another client sent it.
    """
    timestamp, kind, ack_id = read_extra(extra) or LegacyExtra(None)
    to.timestamp = time_ms // 1000 if timestamp is None else timestamp
    to.message_type, to.ack_id = kind, ack_id


def shown_ms(timestamp: int) -> int:
    """
    Return unix milliseconds for a C{timestamp}, where no time of acceptance is known:
    as near to it as clients of wsmsg can be told.
    """
    return 1000 * max(0, min(timestamp, INT64_MAX // 1000))
