"""
What a client tells the program that uses it.
"""

from __future__ import annotations

from typing import Any

import attrs

from wsmsg.errors import WsmsgError
from wsmsg.model import (
    GROUP,
    RECALL,
    RECALLED,
    InvalidChange,
    change_in,
    group_in,
    is_group,
    recalled_in,
)
from wsmsg.protocol.frames import Deliver


@attrs.frozen
class SendAccepted:
    """
    The server has the message and will not lose it.

    @ivar time_ms: when, by the server's clock, in unix milliseconds.
    @ivar conversation: of the group, where that is what was asked for.
    """

    client_id: str
    time_ms: int
    conversation: str = ""


@attrs.frozen(kw_only=True)
class _Numbered:
    """
    What has its place in a conversation.

    @ivar seq: its number there; 0: the server keeps none.  They come in order: 1, 2,
        3 ..., but in a group from where one joined, and over a gap where one was no
        member for a while.
    @ivar client_id: the sender's id for it; empty where the sender is another.
    @ivar mine: whether the user of this client sent it, from whatever device.
    @ivar time_ms: when it was accepted, in unix milliseconds.
    """

    conversation: str
    seq: int
    message_id: int
    sender: int
    time_ms: int
    client_id: str
    mine: bool


@attrs.frozen(kw_only=True)
class MessageReceived(_Numbered):
    """
    A message of a conversation of ours, perhaps one that we sent ourselves.
    """

    content: str
    kind: int

    @property
    def recalled(self) -> bool:
        """
        Whether its sender took it back; then it has no content.
        """
        return self.kind == RECALLED


@attrs.frozen(kw_only=True)
class GroupChanged(_Numbered):
    """
    The sender made a group, or added and removed members; one who removes themself
    leaves.

    @ivar created: the group was made; only then are C{name} and C{history} set.
    @ivar history: whoever joins reads from number 1 on.
    """

    created: bool = False
    name: str = ""
    history: bool = False
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()

    @property
    def group(self) -> int:
        """
        Its number, as C{send(group=...)} takes it.
        """
        return group_in(self.conversation)


@attrs.frozen(kw_only=True)
class MessageRecalled(_Numbered):
    """
    The sender took a message of theirs back: show it no more.

    @ivar recalled: the number of that message.
    """

    recalled: int


#: What has a number in a conversation, and comes again until it is taken.
Stored = MessageReceived | GroupChanged | MessageRecalled


def received(frame: Deliver, user: int) -> Stored:
    """
    What a frame says, as this user sees it.
    """
    common: dict[str, Any] = {
        "conversation": frame.conversation,
        "seq": frame.seq,
        "message_id": frame.message_id,
        "sender": frame.sender,
        "time_ms": frame.time,
        "client_id": frame.client_id,
        "mine": frame.sender == user,
    }
    if frame.kind == RECALL and recalled_in(frame.content):
        return MessageRecalled(**common, recalled=recalled_in(frame.content))
    if frame.kind == GROUP and is_group(frame.conversation):
        try:
            change = change_in(frame.content)
        except InvalidChange:
            pass  # of a newer server, perhaps: it is a message that we do not know
        else:
            return GroupChanged(
                **common,
                created=change.created,
                name=change.name,
                history=change.history,
                added=change.add,
                removed=change.remove,
            )
    return MessageReceived(**common, content=frame.content, kind=frame.kind)


@attrs.frozen
class ReceiptReceived:
    """
    Another member is so far in the conversation; both numbers are cumulative.
    """

    conversation: str
    user: int
    delivered: int
    read: int


@attrs.frozen
class PresenceChanged:
    """
    A watched user came or went.

    @ivar last_seen_ms: unix milliseconds; 0: never seen.
    """

    user: int
    online: bool
    last_seen_ms: int


@attrs.frozen
class TypingReceived:
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
    What became of a message (or of another request of the program) that nobody waits
    for: an earlier run had left it unsent, or the wait for it was cancelled when it was
    on its way.

    @ivar accepted: L{None}: it was refused for good, as C{error} says.
    """

    client_id: str
    accepted: SendAccepted | None
    error: WsmsgError | None


StateChanged = Connected | Reconnecting | Closed

Event = (
    Stored
    | ReceiptReceived
    | PresenceChanged
    | TypingReceived
    | StateChanged
    | SendSettled
)
