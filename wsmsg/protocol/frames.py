"""
The frames of the client protocol, in the one form that all codecs share.

C{docs/reference/protocol.md} describes each frame; the protobuf form has the field
numbers of C{protos/wsmsg/protocol/client.proto}.  A codec turns bytes into these values
and back, and all other modules see only these values.  Times are unix milliseconds.
"""

from __future__ import annotations

import msgspec

from wsmsg.protocol.consent_frames import Block as Block  # noqa: PLC0414
from wsmsg.protocol.consent_frames import Blocked as Blocked  # noqa: PLC0414
from wsmsg.protocol.consent_frames import BlockEntry as BlockEntry  # noqa: PLC0414
from wsmsg.protocol.consent_frames import Blocks as Blocks  # noqa: PLC0414
from wsmsg.protocol.frame import Frame as Frame  # noqa: PLC0414
from wsmsg.protocol.frame import Int64 as Int64  # noqa: PLC0414
from wsmsg.protocol.frame import Submission as Submission  # noqa: PLC0414
from wsmsg.protocol.group_frames import (
    AcceptInvitation as AcceptInvitation,  # noqa: PLC0414
)
from wsmsg.protocol.group_frames import ChangeGroup as ChangeGroup  # noqa: PLC0414
from wsmsg.protocol.group_frames import CreateGroup as CreateGroup  # noqa: PLC0414
from wsmsg.protocol.group_frames import (
    DeclineInvitation as DeclineInvitation,  # noqa: PLC0414
)
from wsmsg.protocol.group_frames import Group as Group  # noqa: PLC0414
from wsmsg.protocol.group_frames import Invitation as Invitation  # noqa: PLC0414
from wsmsg.protocol.group_frames import Invitations as Invitations  # noqa: PLC0414
from wsmsg.protocol.group_frames import Invite as Invite  # noqa: PLC0414
from wsmsg.protocol.group_frames import Invited as Invited  # noqa: PLC0414
from wsmsg.protocol.group_frames import Member as Member  # noqa: PLC0414
from wsmsg.protocol.group_frames import Members as Members  # noqa: PLC0414
from wsmsg.protocol.values import Limits as Limits  # noqa: PLC0414


class Hello(Frame, frozen=True):
    token: str = ""
    device: str = ""
    client: str = ""
    position: str = ""
    witness: str = ""


class Send(Submission, frozen=True):
    """A message to a user, by number or by name, or to a group."""

    to: Int64 = 0
    group: Int64 = 0
    content: str = ""
    kind: Int64 = 1
    repeat: bool = False
    to_name: str = ""
    traceparent: str = ""


class Delivered(Frame, frozen=True):
    conversation: str
    seq: Int64


class Read(Frame, frozen=True):
    """
    All messages up to C{seq} were seen.  If C{seq} is 0, only the message with this
    C{message_id} was.
    """

    conversation: str
    seq: Int64 = 0
    message_id: Int64 = 0


class Sync(Frame, frozen=True):
    id: str
    conversation: str
    after: Int64 = 0
    limit: Int64 = 0


class Conversations(Frame, frozen=True):
    """
    C{position} is that of a welcome or of heads: list what changed since, or continue
    the list that is not complete.
    """

    id: str
    limit: Int64 = 0
    position: str = ""


class Typing(Frame, frozen=True):
    """
    C{user} is 0 from a client; from the server it is the user who types.
    """

    conversation: str
    user: Int64 = 0


class Watch(Frame, frozen=True, gc=True):
    users: tuple[Int64, ...] = ()
    names: tuple[str, ...] = ()


class Recall(Submission, frozen=True):
    """
    A request to recall a message that the user sent.
    """

    conversation: str
    seq: Int64
    repeat: bool = False


class Ping(Frame, frozen=True):
    nonce: str = ""


class Refresh(Frame, frozen=True):
    """
    A token of the same user, in the place of the one that the session has.
    """

    token: str
    id: str = ""


class Names(Frame, frozen=True, gc=True):
    """
    A question for the numbers of names of users and of keys of groups, and for the
    names of users.
    """

    id: str
    names: tuple[str, ...] = ()
    users: tuple[Int64, ...] = ()
    keys: tuple[str, ...] = ()


class Receipt(Frame, frozen=True):
    conversation: str
    user: Int64
    read: Int64 = 0
    delivered: Int64 = 0


class Head(msgspec.Struct, frozen=True):
    """
    A conversation in C{welcome} and C{heads}.

    C{message_id} is that of the last message; 0: not known.
    """

    conversation: str
    head: Int64
    read: Int64 = 0
    delivered: Int64 = 0
    time: Int64 = 0
    others: tuple[Receipt, ...] = ()
    unread: Int64 = 0
    message_id: Int64 = 0


class Welcome(Frame, frozen=True, gc=True):
    user: Int64
    session: str
    heartbeat_s: float
    limits: Limits
    time: Int64
    heads: tuple[Head, ...] = ()
    more: bool = False
    synced: bool = True
    position: str = ""
    epoch: str = ""
    expires: Int64 = 0


class Accepted(Frame, frozen=True):
    """
    C{conversation} is that of the group which the request created, or that with the
    user to whom it was sent by name.
    """

    client_id: str
    time: Int64
    conversation: str = ""


class Rejected(Frame, frozen=True):
    client_id: str
    code: str
    reason: str
    retry_after_ms: Int64 = 0
    uncertain: bool = False


class Deliver(Frame, frozen=True, rename={"sender": "from"}, omit_defaults=True):
    """
    A message.  Only the sender's own devices get the C{client_id}.

    @ivar ack_ms: how often the client is to say C{delivered} for the conversation, if
        not at once: once in so many milliseconds.
    """

    conversation: str
    seq: Int64
    message_id: Int64
    sender: Int64
    content: str
    kind: Int64
    time: Int64
    client_id: str = ""
    ack_ms: Int64 = 0


class Page(Frame, frozen=True, gc=True):
    id: str
    conversation: str
    messages: tuple[Deliver, ...]
    head: Int64
    more: bool = False
    epoch: str = ""


class Heads(Frame, frozen=True, gc=True):
    id: str
    heads: tuple[Head, ...]
    more: bool = False
    position: str = ""
    epoch: str = ""


class Presence(Frame, frozen=True):
    user: Int64
    online: bool
    last_seen: Int64 = 0


class Resync(Frame, frozen=True):
    reason: str


class Goaway(Frame, frozen=True, gc=True):
    """
    C{position}: everything up to it was pushed to the session; empty: not known.
    """

    reason: str
    after_ms: Int64
    alternatives: tuple[str, ...] = ()
    position: str = ""


class Error(Frame, frozen=True):
    code: str
    reason: str
    id: str = ""
    retry_after_ms: int = 0


class Pong(Frame, frozen=True):
    """
    C{checked_ms} is the time since the server last compared what it pushed to the
    session with the heads; 0: never.  C{witness}, if it is new, is for later hellos.
    """

    nonce: str = ""
    checked_ms: Int64 = 0
    witness: str = ""


class TokenExpiring(Frame, frozen=True, tag="expiring"):
    """
    The session ends at this time, unless the client sends C{refresh}.
    """

    expires: Int64


class Refreshed(Frame, frozen=True):
    """
    The answer to C{refresh}: when the new token expires; 0: never.
    """

    id: str
    expires: Int64 = 0


class Named(Frame, frozen=True, gc=True):
    """
    The answer to C{names}: the users that were found; their names are beside the frame
    (L{wsmsg.protocol.codec.INamingCodec}).
    """

    id: str
    users: tuple[Int64, ...] = ()
    unknown: tuple[str, ...] = ()
    groups: tuple[Int64, ...] = ()


ClientFrame = (
    Hello
    | Send
    | Delivered
    | Read
    | Sync
    | Conversations
    | Typing
    | Watch
    | Recall
    | Ping
    | CreateGroup
    | ChangeGroup
    | Members
    | Refresh
    | Block
    | Blocks
    | Invite
    | AcceptInvitation
    | DeclineInvitation
    | Invitations
    | Names
)

ServerFrame = (
    Welcome
    | Accepted
    | Rejected
    | Deliver
    | Page
    | Heads
    | Receipt
    | Presence
    | Typing
    | Resync
    | Goaway
    | Error
    | Pong
    | Group
    | TokenExpiring
    | Refreshed
    | Blocked
    | Invited
    | Named
)
