"""
The client protocol as protobuf: one C{ClientFrame} or C{ServerFrame} of
C{protos/wsmsg/protocol/client.proto} in each binary message.

Unknown fields are ignored, as protobuf defines it; an unknown kind of frame is refused.
The most frequent frames are written field by field, which costs half as much as keyword
arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from wsmsg.errors import BadFrame
from wsmsg.names import MOST_NAMES
from wsmsg.protocol import client_pb2 as pb
from wsmsg.protocol import frames as f
from wsmsg.protocol.codec import INamingCodec
from wsmsg.protocol.frames import ClientFrame, ServerFrame
from wsmsg.protocol.validation import CHANGE_MAX, WATCH_MAX, check_count, check_frame

# ------------------------------------------------------------ protobuf to frames


def _plain(kind: type[Any]) -> Callable[[Any], Any]:
    """
    Return the reader of a frame whose fields are simple and named as in the proto.
    """
    names = kind.__struct_fields__

    def read(m: Any) -> Any:
        return kind(*[getattr(m, name) for name in names])

    return read


def _send(m: Any) -> f.Send:
    return f.Send(
        m.client_id,
        m.to,
        m.group,
        m.content,
        m.kind,
        m.repeat,
        m.to_name,
        m.traceparent,
    )


def _watch(m: Any) -> f.Watch:
    users = check_count(m.users, "watch.users", WATCH_MAX)
    return f.Watch(tuple(users), tuple(check_count(m.names, "watch.names", WATCH_MAX)))


def _names(m: Any) -> f.Names:
    names = check_count(m.names, "names.names", MOST_NAMES)
    users = check_count(m.users, "names.users", MOST_NAMES)
    keys = check_count(m.keys, "names.keys", MOST_NAMES)
    return f.Names(m.id, tuple(names), tuple(users), tuple(keys))


def _create_group(m: Any) -> f.CreateGroup:
    members = tuple(check_count(m.members, "create_group.members", CHANGE_MAX))
    names = check_count(m.member_names, "create_group.member_names", CHANGE_MAX)
    return f.CreateGroup(
        m.client_id, m.name, members, m.history, m.repeat, tuple(names)
    )


def _change_group(m: Any) -> f.ChangeGroup:
    add = tuple(check_count(m.add, "change_group.add", CHANGE_MAX))
    remove = tuple(check_count(m.remove, "change_group.remove", CHANGE_MAX))
    more = check_count(m.add_names, "change_group.add_names", CHANGE_MAX)
    less = check_count(m.remove_names, "change_group.remove_names", CHANGE_MAX)
    return f.ChangeGroup(
        m.client_id, m.group, add, remove, m.repeat, tuple(more), tuple(less)
    )


def _deliver(m: Any) -> f.Deliver:
    return f.Deliver(
        m.conversation,
        m.seq,
        m.message_id,
        getattr(m, "from"),
        m.content,
        m.kind,
        m.time,
        m.client_id,
        m.ack_ms,
    )


_receipt = _plain(f.Receipt)
_limits = _plain(f.Limits)


def _head(m: Any) -> f.Head:
    others = tuple(map(_receipt, m.others))
    return f.Head(
        m.conversation,
        m.head,
        m.read,
        m.delivered,
        m.time,
        others,
        m.unread,
        m.message_id,
    )


def _welcome(m: Any) -> f.Welcome:
    return f.Welcome(
        m.user,
        m.session,
        m.heartbeat_s,
        _limits(m.limits),
        m.time,
        tuple(map(_head, m.heads)),
        m.more,
        m.synced,
        m.position,
        m.epoch,
        m.expires,
    )


def _page(m: Any) -> f.Page:
    messages = tuple(map(_deliver, m.messages))
    return f.Page(m.id, m.conversation, messages, m.head, m.more, m.epoch)


def _heads(m: Any) -> f.Heads:
    heads = tuple(map(_head, m.heads))
    return f.Heads(m.id, heads, m.more, m.position, m.epoch)


def _group(m: Any) -> f.Group:
    members = tuple(f.Member(one.user, one.joined) for one in m.members)
    return f.Group(
        m.id,
        m.group,
        m.name,
        m.owner,
        m.history,
        m.count,
        members,
        m.more,
        m.key,
    )


def _named(m: Any) -> f.Named:
    return f.Named(m.id, tuple(m.users), tuple(m.unknown), tuple(m.groups))


def _blocked(m: Any) -> f.Blocked:
    return f.Blocked(m.id, tuple(map(_plain(f.BlockEntry), m.blocks)), m.next)


def _invited(m: Any) -> f.Invited:
    return f.Invited(m.id, tuple(map(_plain(f.Invitation), m.invitations)), m.next)


def _goaway(m: Any) -> f.Goaway:
    return f.Goaway(m.reason, m.after_ms, tuple(m.alternatives), m.position)


def _readers(
    kinds: tuple[type[Any], ...], own: dict[type[Any], Callable[[Any], Any]]
) -> dict[str, Callable[[Any], Any]]:
    return {k.__struct_config__.tag: own.get(k) or _plain(k) for k in kinds}


_FROM_CLIENT = _readers(
    ClientFrame.__args__,
    {
        f.Send: _send,
        f.Watch: _watch,
        f.CreateGroup: _create_group,
        f.ChangeGroup: _change_group,
        f.Names: _names,
    },
)

_FROM_SERVER = _readers(
    ServerFrame.__args__,
    {
        f.Welcome: _welcome,
        f.Deliver: _deliver,
        f.Page: _page,
        f.Heads: _heads,
        f.Group: _group,
        f.Goaway: _goaway,
        f.Blocked: _blocked,
        f.Invited: _invited,
        f.Named: _named,
    },
)

# ------------------------------------------------------------ frames to protobuf


def _fill_plain(kind: type[Any]) -> Callable[[Any, Any], None]:
    """
    Return the writer of such a frame; lists of simple values are allowed.
    """
    names = kind.__struct_fields__

    def fill(m: Any, frame: Any) -> None:
        m.SetInParent()
        for name in names:
            value = getattr(frame, name)
            if type(value) is tuple:
                getattr(m, name).extend(value)
            else:
                setattr(m, name, value)

    return fill


def _fill_deliver(m: pb.Deliver, frame: f.Deliver) -> None:
    m.conversation = frame.conversation
    m.seq = frame.seq
    m.message_id = frame.message_id
    setattr(m, "from", frame.sender)  # a keyword in Python
    m.content = frame.content
    m.kind = frame.kind
    m.time = frame.time
    if frame.client_id:
        m.client_id = frame.client_id
    if frame.ack_ms:
        m.ack_ms = frame.ack_ms


def _fill_accepted(m: pb.Accepted, frame: f.Accepted) -> None:
    m.client_id = frame.client_id
    m.time = frame.time
    if frame.conversation:
        m.conversation = frame.conversation


_fill_receipt = _fill_plain(f.Receipt)
_fill_limits = _fill_plain(f.Limits)


def _fill_heads(repeated: Any, heads: tuple[f.Head, ...]) -> None:
    for head in heads:
        m = repeated.add(
            conversation=head.conversation,
            head=head.head,
            read=head.read,
            delivered=head.delivered,
            time=head.time,
            unread=head.unread,
            message_id=head.message_id,
        )
        for receipt in head.others:
            _fill_receipt(m.others.add(), receipt)


def _fill_welcome(m: pb.Welcome, frame: f.Welcome) -> None:
    m.user = frame.user
    m.session = frame.session
    m.heartbeat_s = frame.heartbeat_s
    _fill_limits(m.limits, frame.limits)
    m.time = frame.time
    _fill_heads(m.heads, frame.heads)
    m.more = frame.more
    m.synced = frame.synced
    m.position = frame.position
    m.epoch = frame.epoch
    m.expires = frame.expires


def _fill_page(m: pb.Page, frame: f.Page) -> None:
    m.id = frame.id
    m.conversation = frame.conversation
    for message in frame.messages:
        _fill_deliver(m.messages.add(), message)
    m.head = frame.head
    m.more = frame.more
    m.epoch = frame.epoch


def _fill_heads_frame(m: pb.Heads, frame: f.Heads) -> None:
    m.id = frame.id
    _fill_heads(m.heads, frame.heads)
    m.more = frame.more
    m.position = frame.position
    m.epoch = frame.epoch


def _fill_group(m: pb.Group, frame: f.Group) -> None:
    m.id = frame.id
    m.group = frame.group
    m.name = frame.name
    m.owner = frame.owner
    m.history = frame.history
    m.count = frame.count
    for member in frame.members:
        m.members.add(user=member.user, joined=member.joined)
    m.more = frame.more
    m.key = frame.key


def _fill_blocked(m: pb.Blocked, frame: f.Blocked) -> None:
    m.id = frame.id
    for entry in frame.blocks:
        _fill_plain(f.BlockEntry)(m.blocks.add(), entry)
    m.next = frame.next


def _fill_invited(m: pb.Invited, frame: f.Invited) -> None:
    m.id = frame.id
    for invitation in frame.invitations:
        _fill_plain(f.Invitation)(m.invitations.add(), invitation)
    m.next = frame.next


def _fillers(
    kinds: tuple[type[Any], ...],
) -> dict[type[Any], tuple[str, Callable[[Any, Any], None]]]:
    own: dict[type[Any], Callable[[Any, Any], None]] = {
        f.Deliver: _fill_deliver,
        f.Accepted: _fill_accepted,
        f.Welcome: _fill_welcome,
        f.Page: _fill_page,
        f.Heads: _fill_heads_frame,
        f.Group: _fill_group,
        f.Blocked: _fill_blocked,
        f.Invited: _fill_invited,
    }
    return {k: (k.__struct_config__.tag, own.get(k) or _fill_plain(k)) for k in kinds}


_TO_SERVER = _fillers(ClientFrame.__args__)
_TO_CLIENT = _fillers(ServerFrame.__args__)


def _encoded(m: Any, frame: Any, fillers: dict[type[Any], Any]) -> bytes:
    name, fill = fillers[type(frame)]
    fill(getattr(m, name), frame)
    data: bytes = m.SerializeToString()
    return data


class ProtobufCodec(INamingCodec):
    """
    C{wsmsg.v1.protobuf}.
    """

    __slots__ = ()

    name = "protobuf"
    subprotocol = "wsmsg.v1.protobuf"
    binary = True

    def decode(self, data: bytes) -> ClientFrame:
        try:
            m = pb.ClientFrame.FromString(data)
        except DecodeError as e:
            raise BadFrame(f"not a protobuf ClientFrame: {e}") from None
        name = m.WhichOneof("frame")
        if name is None:
            raise BadFrame("a ClientFrame without a frame in it that is known here")
        frame: ClientFrame = _FROM_CLIENT[name](getattr(m, name))
        return check_frame(frame)

    def encode(self, frame: ServerFrame) -> bytes:
        return _encoded(pb.ServerFrame(), frame, _TO_CLIENT)

    def encode_client(self, frame: ClientFrame) -> bytes:
        return _encoded(pb.ClientFrame(), frame, _TO_SERVER)

    def decode_server(self, data: bytes) -> ServerFrame:
        return self.decode_named(data)[0]

    def encode_named(self, frame: ServerFrame, names: Mapping[int, str]) -> bytes:
        # Two encodings one after the other are that of both messages merged.
        return self.encode(frame) + pb.ServerFrame(names=names).SerializeToString()

    def decode_named(self, data: bytes) -> tuple[ServerFrame, dict[int, str]]:
        try:
            m = pb.ServerFrame.FromString(data)
        except DecodeError as e:
            raise BadFrame(f"not a protobuf ServerFrame: {e}") from None
        name = m.WhichOneof("frame")
        if name is None:
            raise BadFrame("a ServerFrame without a frame in it that is known here")
        frame: ServerFrame = _FROM_SERVER[name](getattr(m, name))
        return frame, dict(m.names) if m.names else {}


CODEC = ProtobufCodec()
