"""
The frames of the client protocol, in the one form that all codecs share.

What each means is in C{docs/protocol.md}; the numbers on the wire are in
C{protos/wsmsg/rpc/client.proto}.  A codec makes these of bytes and bytes of these;
everything behind it sees only these.  Times are unix milliseconds.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from wsmsg.model import INT64_MAX

#: What both spellings can hold; a codec refuses a number beyond it.
Int64 = Annotated[int, msgspec.Meta(ge=-INT64_MAX - 1, le=INT64_MAX)]


class Frame(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=str.lower):
    """
    One unit of the client protocol.
    """


class Hello(Frame, frozen=True):
    token: str = ""
    device: str = ""
    since: Int64 = 0
    client: str = ""


class Submission(Frame, frozen=True):
    """
    A message or an event that a client wants accepted.  The server answers with
    C{accepted} or C{rejected}, and a repeat with the same C{client_id} is the same
    submission.
    """

    client_id: str


class Send(Submission, frozen=True):
    """
    A message to a user or to a group.
    """

    to: Int64 = 0
    group: Int64 = 0
    content: str = ""
    kind: Int64 = 1


class Delivered(Frame, frozen=True):
    conversation: str
    seq: Int64


class Read(Frame, frozen=True):
    """
    Where C{seq} is 0, C{message_id} was seen, and nothing is said of those before.
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
    C{after} goes on with a list: the last conversation there was, its time as
    C{since}.
    """

    id: str
    since: Int64 = 0
    limit: Int64 = 0
    after: str = ""


class Typing(Frame, frozen=True):
    """
    From a client the user is 0; to one it is who types.
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


class Ping(Frame, frozen=True):
    nonce: str = ""


class CreateGroup(Submission, frozen=True, gc=True, tag="create_group"):
    """
    A request to create a group of the user and others.
    """

    name: str = ""
    members: tuple[Int64, ...] = ()
    history: bool = False


class ChangeGroup(Submission, frozen=True, gc=True, tag="change_group"):
    """
    A request to add members to a group and to remove others.
    """

    group: Int64
    add: tuple[Int64, ...] = ()
    remove: tuple[Int64, ...] = ()


class Members(Frame, frozen=True):
    """
    C{after} goes on with a list: the last user there was.
    """

    id: str
    group: Int64
    after: Int64 = 0
    limit: Int64 = 0


class Limits(msgspec.Struct, frozen=True, gc=False):
    """
    What the server takes from this connection.

    @ivar unnumbered: messages have no numbers, and there is nothing that needs them:
        sync, heads, receipts, groups, recall.
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


class Welcome(Frame, frozen=True, gc=True):
    user: Int64
    session: str
    heartbeat_s: float
    limits: Limits
    time: Int64
    heads: tuple[Head, ...] = ()
    more: bool = False
    synced: bool = True


class Accepted(Frame, frozen=True):
    """
    C{conversation} is that of the group which the request made.
    """

    client_id: str
    time: Int64
    conversation: str = ""


class Rejected(Frame, frozen=True):
    client_id: str
    code: str
    reason: str
    retry_after_ms: Int64 = 0


class Deliver(Frame, frozen=True, rename={"sender": "from"}):
    """
    A message.  C{client_id} is there only for the sender's own devices.
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


class Heads(Frame, frozen=True, gc=True):
    id: str
    heads: tuple[Head, ...]
    more: bool = False


class Member(msgspec.Struct, frozen=True, gc=False):
    """
    A member in C{group}.
    """

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


class Pong(Frame, frozen=True):
    nonce: str = ""


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
)
