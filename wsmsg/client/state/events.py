"""
Events that a client gives to the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from wsmsg.errors import WsmsgError
from wsmsg.events.block import BLOCK, decode_block
from wsmsg.events.group_change import GROUP, decode_change
from wsmsg.events.invitation import DECLINE, INVITATION, decode_invitation
from wsmsg.events.kind import InvalidContent
from wsmsg.events.recall import RECALL, decode_recall
from wsmsg.model import RECALLED, group_in, is_group
from wsmsg.protocol.frames import Deliver, Receipt

# A summary names so many users of a long list.
_NAMED = 10


@attrs.frozen
class SendAccepted:
    """
    The server has accepted a message and will not lose it.
    """

    client_id: str
    time_ms: int
    """The time of acceptance by the server's clock, in unix milliseconds."""
    conversation: str = ""
    """
    The conversation of the new group, for a request to create one; that with the user,
    for a message or an invitation to a name; else empty.
    """


@attrs.frozen(kw_only=True)
class Stored:
    """
    A message or an event with its place in a conversation.  The server delivers it
    again until the program has taken it.
    """

    conversation: str
    """`u:1001:1002` for two users, `g:8140` for a group."""
    seq: int
    """Its number in the conversation; 0: the server does not number messages.  Numbers
    come in order, 1, 2, 3 ..., but in a group they begin where the user joined, and
    skip the time in which the user was not a member."""
    message_id: int
    sender: int
    """The user who sent it."""
    time_ms: int
    """When it was accepted, in unix milliseconds."""
    client_id: str
    """The sender's id for it; empty if another user sent it."""
    mine: bool
    """The user of this client sent it, from any device."""

    @property
    def group(self) -> int:
        """
        The number of the conversation's group, as `send` takes it; 0: it is of two.
        """
        return group_in(self.conversation) if is_group(self.conversation) else 0

    @property
    def summary(self) -> str:
        """
        One line that tells a person what the sender did; empty: nothing to tell.
        """
        return self.summary_by(str)

    def summary_by(self, name_of: Callable[[int], str]) -> str:
        """
        Return the summary with users by the names that `name_of` returns.
        """
        return ""


@attrs.frozen(kw_only=True)
class MessageReceived(Stored):
    """
    A message in a conversation of the user, perhaps one that the user sent.
    """

    content: str
    """The text; empty if the message was recalled."""
    kind: int
    """1 for text; applications may use others below 1000."""

    @property
    def recalled(self) -> bool:
        """
        True if the sender recalled the message, which then has no content.
        """
        return self.kind == RECALLED


@attrs.frozen(kw_only=True)
class GroupChanged(Stored):
    """
    The sender created a group, or added and removed members.  A sender who removes
    themself leaves the group.
    """

    created: bool = False
    """The group was created; only then are `name` and `history` set."""
    name: str = ""
    history: bool = False
    """New members read from seq 1 on."""
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()

    def summary_by(self, name_of: Callable[[int], str]) -> str:
        sender = name_of(self.sender)
        if self.created:
            others = [user for user in self.added if user != self.sender]
            with_others = f" with {_listed(others, name_of)}" if others else ""
            return f"{sender} made the group {self.name!r}{with_others}"
        if self.removed == (self.sender,) and not self.added:
            return f"{sender} left"
        if self.added == (self.sender,) and not self.removed:
            return f"{sender} joined"
        done = []
        if self.added:
            done.append(f"added {_listed(self.added, name_of)}")
        if self.removed:
            done.append(f"removed {_listed(self.removed, name_of)}")
        return f"{sender} {' and '.join(done)}"


@attrs.frozen(kw_only=True)
class MessageRecalled(Stored):
    """
    The sender recalled one of their messages, the one whose seq is `recalled`, which is
    not to be shown any more.
    """

    recalled: int


@attrs.frozen(kw_only=True)
class BlockChanged(Stored):
    """
    The user of this client blocked another user, or a group, or ended that, from any
    device.
    """

    user: int
    """The other user; 0: it is a group."""
    group: int
    """The group; 0: it is a user."""
    on: bool
    """Whether the block began."""

    def summary_by(self, name_of: Callable[[int], str]) -> str:
        whom = f"user {name_of(self.user)}" if self.user else f"group {self.group}"
        return f"you {'blocked' if self.on else 'unblocked'} {whom}"


@attrs.frozen(kw_only=True)
class InvitationReceived(Stored):
    """
    The sender invited the other user of the conversation to the group `group`.
    """

    group: int

    def summary_by(self, name_of: Callable[[int], str]) -> str:
        sender = name_of(self.sender)
        return f"{sender} sent an invitation to the group {self.group}"


@attrs.frozen(kw_only=True)
class InvitationDeclined(Stored):
    """
    The user of this client declined to join the group `group`, from any device.
    """

    group: int

    def summary_by(self, name_of: Callable[[int], str]) -> str:
        return f"you declined to join the group {self.group}"


def _group_changed(frame: Deliver, common: dict[str, Any]) -> Stored | None:
    try:
        change = decode_change(frame.content)
    except InvalidContent:
        return None
    if not is_group(frame.conversation):
        return None
    return GroupChanged(
        **common,
        created=change.created,
        name=change.name,
        history=change.history,
        added=change.add,
        removed=change.remove,
    )


def _recalled(frame: Deliver, common: dict[str, Any]) -> Stored | None:
    seq = decode_recall(frame.content)
    return MessageRecalled(**common, recalled=seq) if seq else None


def _block_changed(frame: Deliver, common: dict[str, Any]) -> Stored | None:
    try:
        change = decode_block(frame.content)
    except InvalidContent:
        return None
    return BlockChanged(**common, user=change.user, group=change.group, on=change.on)


def _invited(frame: Deliver, common: dict[str, Any]) -> Stored | None:
    kind = InvitationReceived if frame.kind == INVITATION else InvitationDeclined
    try:
        return kind(**common, group=group_in(decode_invitation(frame.content)))
    except InvalidContent:
        return None


#: For each kind of event the function that makes what the program gets; it returns
#: L{None} for a content that it does not understand, perhaps that of a newer server.
EVENTS: Mapping[int, Callable[[Deliver, dict[str, Any]], Stored | None]] = {
    GROUP: _group_changed,
    RECALL: _recalled,
    BLOCK: _block_changed,
    INVITATION: _invited,
    DECLINE: _invited,
}


def received(frame: Deliver, user: int) -> Stored:
    """
    Return what a frame says to this user.
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
    if frame.kind in EVENTS:
        event = EVENTS[frame.kind](frame, common)
        if event is not None:
            return event
    return MessageReceived(**common, content=frame.content, kind=frame.kind)


def _listed(users: Sequence[int], name_of: Callable[[int], str]) -> str:
    shown = ", ".join(map(name_of, users[:_NAMED]))
    more = len(users) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


@attrs.frozen
class ReceiptReceived:
    """
    Another member has received and read messages up to these numbers.
    """

    conversation: str
    user: int
    delivered: int
    read: int


def merged_receipt(frame: Receipt, known: ReceiptReceived | None) -> ReceiptReceived:
    """
    Return the numbers of a frame and of an earlier event, whichever are higher.
    """
    delivered = max(frame.delivered, frame.read, known.delivered if known else 0)
    read = max(frame.read, known.read if known else 0)
    return ReceiptReceived(frame.conversation, frame.user, delivered, read)


@attrs.frozen
class PresenceChanged:
    """
    A watched user came online or went offline.
    """

    user: int
    online: bool
    last_seen_ms: int
    """Unix milliseconds; 0: never seen."""


@attrs.frozen
class TypingReceived:
    """
    A user is typing in a conversation.
    """

    conversation: str
    user: int


@attrs.frozen
class Connected:
    """
    The server has authenticated the user; missed messages follow.
    """

    user: int
    session: str


@attrs.frozen
class Reconnecting:
    """
    There is no connection; the client will try again in `delay_s` seconds.
    """

    reason: str
    delay_s: float


@attrs.frozen
class Closed:
    """
    There is no connection, and the client will not try again.
    """

    reason: str
    error: WsmsgError | None = None
    """The reason; `None`: the program closed the client."""


@attrs.frozen
class HistoryReplaced:
    """
    The server has another history than before: an older copy of its store was restored.
    Messages that the program has may not be there any more.  The client gives the
    program what is new in this history, and sends the user's own messages of this run
    again.
    """

    epoch: str
    """The name of the history."""


@attrs.frozen
class HistoryRewound(HistoryReplaced):
    """
    The history has the name that it had, but lacks messages that the program has: an
    older copy was restored, and the server has not noticed it.  What follows is as for
    any history that was replaced.
    """

    conversation: str = ""
    """The one in which the client found it."""


@attrs.frozen
class SendSettled:
    """
    The result of a message (or of another request of the program) for which no call
    waits: an earlier run left it unsent, or the call was cancelled after it was sent.
    """

    client_id: str
    accepted: SendAccepted | None
    """`None` if the server refused it for good, for the reason in `error`."""
    error: WsmsgError | None


StateChanged = Connected | Reconnecting | Closed

Event = (
    Stored
    | ReceiptReceived
    | PresenceChanged
    | TypingReceived
    | StateChanged
    | SendSettled
    | HistoryReplaced
)
