"""
The frames of the client protocol, in the one form that all codecs share.

A session in JSON, C{->} from the client, C{<-} from the server::

    -> {"type": "hello", "token": "...", "device": "phone", "position": "lbA..."}
       # position: the newest one whose heads the client has
    <- {"type": "welcome", "user": 1001, "session": "...", "heartbeat_s": 2.0,
        "limits": {...}, "time": 1767225660000, "position": "lbB...", "epoch": "3f...",
        "heads": [{"conversation": "u:1001:1002", "head": 17, "read": 15, ...}]}
       # the conversations that changed since then; the client has messages up to 15:
    -> {"type": "sync", "id": "q1", "conversation": "u:1001:1002", "after": 15}
    <- {"type": "page", "id": "q1", "conversation": "u:1001:1002", "head": 17,
        "messages": [{"type": "deliver", "seq": 16, ...}, {...}]}

    -> {"type": "send", "client_id": "5f0c8d3e", "to": 1002, "content": "Good morning"}
    <- {"type": "accepted", "client_id": "5f0c8d3e", "time": 1767225661000}
       # durable; the client repeats unanswered sends, with the same client_id
    <- {"type": "deliver", "conversation": "u:1001:1002", "seq": 18, "from": 1001,
        "client_id": "5f0c8d3e", "content": "Good morning", ...}
       # the sender's devices get their own messages, too
    <- {"type": "receipt", "conversation": "u:1001:1002", "user": 1002, "delivered": 18}
    <- {"type": "deliver", "conversation": "u:1001:1002", "seq": 19, "from": 1002, ...}
    -> {"type": "read", "conversation": "u:1001:1002", "seq": 19}

    -> {"type": "create_group", "client_id": "7d", "name": "Crew", "members": [1002]}
    <- {"type": "accepted", "client_id": "7d", "conversation": "g:8140...", ...}
    -> {"type": "recall", "client_id": "7e", "conversation": "u:1001:1002", "seq": 18}
    <- {"type": "rejected", "client_id": "7e", "code": "rate_limited",
        "retry_after_ms": 500, "reason": "too many sends"}

    <- {"type": "expiring", "expires": 1767229260000}
       # the session ends then
    -> {"type": "refresh", "id": "r1", "token": "..."}
    <- {"type": "refreshed", "id": "r1", "expires": 1767232800000}

    -> {"type": "ping", "nonce": "1"}
    <- {"type": "pong", "nonce": "1"}
    <- {"type": "goaway", "reason": "stopping", "after_ms": 640}
       # the server closes soon: reconnect, here or elsewhere

C{docs/protocol.md} describes each frame; C{protos/wsmsg/rpc/client.proto} has the field
numbers of the protobuf form.  A codec turns bytes into these values and back, and all
other modules see only these values.  Times are unix milliseconds.
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


class Hello(Frame, frozen=True):
    token: str = ""
    device: str = ""
    client: str = ""
    position: str = ""
    witness: str = ""


class Send(Submission, frozen=True):
    """A message to a user or to a group."""

    to: Int64 = 0
    group: Int64 = 0
    content: str = ""
    kind: Int64 = 1
    repeat: bool = False


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


class Limits(msgspec.Struct, frozen=True, gc=False):
    """
    The limits of this connection.

    @ivar unnumbered: messages have no seqs, and so there is no sync, and there are no
        heads, receipts, groups and recalls.
    """

    content_bytes: Int64
    frame_bytes: Int64
    window: Int64
    sends_per_s: Int64
    page: Int64
    watch: Int64
    unnumbered: bool = False


class Receipt(Frame, frozen=True):
    conversation: str
    user: Int64
    read: Int64 = 0
    delivered: Int64 = 0


class Head(msgspec.Struct, frozen=True):
    """
    A conversation in C{welcome} and C{heads}.
    """

    conversation: str
    head: Int64
    read: Int64 = 0
    delivered: Int64 = 0
    time: Int64 = 0
    others: tuple[Receipt, ...] = ()
    unread: Int64 = 0


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
    C{conversation} is that of the group which the request created.
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


class Deliver(Frame, frozen=True, rename={"sender": "from"}):
    """
    A message.  Only the sender's own devices get the C{client_id}.
    """

    conversation: str
    seq: Int64
    message_id: Int64
    sender: Int64
    content: str
    kind: Int64
    time: Int64
    client_id: str = ""


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
    reason: str
    after_ms: Int64
    alternatives: tuple[str, ...] = ()


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
)
