"""
The frames of the client protocol, in the one form that all codecs share.

What each means is in C{docs/protocol.md}; the numbers on the wire are in
C{protos/wsmsg/rpc/client.proto}.  A codec makes these of bytes and bytes of these;
everything behind it sees only these.  Times are unix milliseconds.
"""

from __future__ import annotations

import msgspec


class Frame(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=str.lower):
    """
    One unit of the client protocol.
    """


class Hello(Frame, frozen=True):
    token: str = ""
    device: str = ""
    since: int = 0
    client: str = ""


class Send(Frame, frozen=True):
    client_id: str
    to: int = 0
    group: int = 0
    content: str = ""
    kind: int = 1


class Delivered(Frame, frozen=True):
    conversation: str
    seq: int


class Read(Frame, frozen=True):
    conversation: str
    seq: int


class Sync(Frame, frozen=True):
    id: str
    conversation: str
    after: int = 0
    limit: int = 0


class Conversations(Frame, frozen=True):
    """
    C{after} goes on with a list: the last conversation there was, its time as
    C{since}.
    """

    id: str
    since: int = 0
    limit: int = 0
    after: str = ""


class Typing(Frame, frozen=True):
    """
    From a client the user is 0; to one it is who types.
    """

    conversation: str
    user: int = 0


class Watch(Frame, frozen=True, gc=True):
    users: tuple[int, ...] = ()


class Recall(Frame, frozen=True):
    client_id: str
    conversation: str
    seq: int


class Ping(Frame, frozen=True):
    nonce: str = ""


class Limits(msgspec.Struct, frozen=True, gc=False):
    """
    What the server takes from this connection.
    """

    content_bytes: int
    frame_bytes: int
    window: int
    sends_per_s: int
    page: int
    watch: int


class Receipt(Frame, frozen=True):
    conversation: str
    user: int
    read: int = 0
    delivered: int = 0


class Head(msgspec.Struct, frozen=True):
    """
    A conversation in C{welcome} and C{heads}.
    """

    conversation: str
    head: int
    read: int = 0
    delivered: int = 0
    time: int = 0
    others: tuple[Receipt, ...] = ()


class Welcome(Frame, frozen=True, gc=True):
    user: int
    session: str
    heartbeat_s: float
    limits: Limits
    time: int
    heads: tuple[Head, ...] = ()
    more: bool = False
    synced: bool = True


class Accepted(Frame, frozen=True):
    client_id: str
    time: int


class Rejected(Frame, frozen=True):
    client_id: str
    code: str
    reason: str
    retry_after_ms: int = 0


class Deliver(Frame, frozen=True, rename={"sender": "from"}):
    """
    A message.  C{client_id} is there only for the sender's own devices.
    """

    conversation: str
    seq: int
    message_id: int
    sender: int
    content: str
    kind: int
    time: int
    client_id: str = ""


class Page(Frame, frozen=True, gc=True):
    id: str
    conversation: str
    messages: tuple[Deliver, ...]
    head: int
    more: bool = False


class Heads(Frame, frozen=True, gc=True):
    id: str
    heads: tuple[Head, ...]
    more: bool = False


class Presence(Frame, frozen=True):
    user: int
    online: bool
    last_seen: int = 0


class Resync(Frame, frozen=True):
    reason: str


class Goaway(Frame, frozen=True, gc=True):
    reason: str
    after_ms: int
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
)
