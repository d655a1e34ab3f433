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

from typing import Annotated

import msgspec

from wsmsg.model import INT64_MAX

#: The numbers that both encodings can hold; a codec refuses any other.
Int64 = Annotated[int, msgspec.Meta(ge=-INT64_MAX - 1, le=INT64_MAX)]


class Frame(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=str.lower):
    """One unit of the client protocol."""


class Hello(Frame, frozen=True):
    token: str = ""
    device: str = ""
    client: str = ""
    position: str = ""
    witness: str = ""


class Submission(Frame, frozen=True):
    """
    A message or an event to be C{accepted} or C{rejected}.  Another one with this
    C{client_id} is the same.  C{repeat}: an earlier one may have been accepted.
    """

    client_id: str


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


class CreateGroup(Submission, frozen=True, gc=True, tag="create_group"):
    """
    A request to create a group of the user and others.
    """

    name: str = ""
    members: tuple[Int64, ...] = ()
    history: bool = False
    repeat: bool = False


class ChangeGroup(Submission, frozen=True, gc=True, tag="change_group"):
    """
    A request to add members to a group and to remove others.
    """

    group: Int64
    add: tuple[Int64, ...] = ()
    remove: tuple[Int64, ...] = ()
    repeat: bool = False


class Members(Frame, frozen=True):
    """
    C{after} continues a list: it is the last user of the list so far.
    """

    id: str
    group: Int64
    after: Int64 = 0
    limit: Int64 = 0


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


class Member(msgspec.Struct, frozen=True, gc=False):
    """A member in C{group}."""

    user: Int64
    joined: Int64 = 0


class Group(Frame, frozen=True, gc=True):
    id: str
    group: Int64
    name: str
    owner: Int64
    history: bool = False
    count: Int64 = 0
    members: tuple[Member, ...] = ()
    more: bool = False


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
)
