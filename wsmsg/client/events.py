"""
What a client tells the program that uses it.
"""

from __future__ import annotations

import attrs

from wsmsg.errors import WsmsgError
from wsmsg.frames import Deliver


@attrs.frozen
class Accepted:
    """
    The server has the message and will not lose it.

    @ivar time_ms: when, by the server's clock, in unix milliseconds.
    """

    client_id: str
    time_ms: int


@attrs.frozen(kw_only=True)
class MessageReceived:
    """
    A message of a conversation of ours, perhaps one that we sent ourselves.

    @ivar seq: its number; within a conversation they come 1, 2, 3 ...
    @ivar client_id: the sender's id for it; empty where the sender is another.
    @ivar mine: whether the user of this client sent it, from whatever device.
    @ivar time_ms: when it was accepted, in unix milliseconds.
    """

    conversation: str
    seq: int
    message_id: int
    sender: int
    content: str
    kind: int
    time_ms: int
    client_id: str
    mine: bool


def received(frame: Deliver, user: int) -> MessageReceived:
    """
    The message of a frame, as this user sees it.
    """
    return MessageReceived(
        conversation=frame.conversation,
        seq=frame.seq,
        message_id=frame.message_id,
        sender=frame.sender,
        content=frame.content,
        kind=frame.kind,
        time_ms=frame.time,
        client_id=frame.client_id,
        mine=frame.sender == user,
    )


@attrs.frozen
class Receipt:
    """
    Another member is so far in the conversation; both numbers are cumulative.
    """

    conversation: str
    user: int
    delivered: int
    read: int


@attrs.frozen
class Presence:
    """
    A watched user came or went.

    @ivar last_seen_ms: unix milliseconds; 0: never seen.
    """

    user: int
    online: bool
    last_seen_ms: int


@attrs.frozen
class Typing:
    """
    A user types in a conversation at this moment.
    """

    conversation: str
    user: int


@attrs.frozen
class Connected:
    """
    The server knows us; what was missed follows.
    """

    user: int
    session: str


@attrs.frozen
class Reconnecting:
    """
    There is no connection; another attempt is made by itself.

    @ivar delay_s: seconds until that.
    """

    reason: str
    delay_s: float


@attrs.frozen
class Closed:
    """
    There is no connection and there will be none.

    @ivar error: why; L{None}: the program closed the client.
    """

    reason: str
    error: WsmsgError | None = None


@attrs.frozen
class SendSettled:
    """
    What became of a message that nobody waits for: an earlier run of the program had
    left it unsent, or the wait for it was cancelled when it was on its way.

    @ivar accepted: L{None}: it was refused for good, as C{error} says.
    """

    client_id: str
    accepted: Accepted | None
    error: WsmsgError | None


StateChanged = Connected | Reconnecting | Closed

Event = MessageReceived | Receipt | Presence | Typing | StateChanged | SendSettled
