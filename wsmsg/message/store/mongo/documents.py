"""
The documents of the store in MongoDB, and the commands that write and find them::

    messages       _id conversation/sender/client_id; unique (conversation, seq);
                   extra, or none; withheld, or none
    conversations  _id name, head, updated, members (of a conversation of two), and
                   these as first and second (without a second in a note to oneself),
                   shard, change (see L{wsmsg.message.store.mongo.shards});
                   also _id /shard/N, generation, change; and _id /epoch, epoch
    groups         _id conversation, name, owner, history, made, key (or none)
    members        _id conversation/user, joined (0: no member), changed
    cursors        _id conversation/user, delivered, read, seen (ranges above; or none)
    revocations    _id user, before_ms
    usage          _id kind/period/user, kind, period, amount
    blocks         _id own conversation/target, user, target, active, changed, time_ms
    invitations    _id group/user, user, group, inviter, active, changed, time_ms
    names          _id name of a user; unique user
    meta           the version of these documents; also _id revocations, count; and
                   _id topic/NAME, after (the topic that took its place)

Every key begins with the conversation, so the whole database may be sharded by it.
Members of groups have documents of their own: in an array of the conversation's
document, ten thousand index entries would be written anew with each message.  The users
of a conversation of two are in two fields as well: not every server reads an index of
an array between two bounds.

Large numbers are read as a subclass of C{int} of bson, which other libraries do not
know; all numbers that leave the store are converted to C{int}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from wsmsg.errors import Unavailable
from wsmsg.model import (
    Cursor,
    InvalidName,
    Message,
    MessageIdentity,
    members_of,
    storable_values,
)

Document = dict[str, Any]

#: The version of these documents.
VERSION = 2

#: The fields with the users of a conversation of two.
PLACES = ("first", "second")

#: The indexes of each collection: name, keys, whether unique.
INDEXES: Mapping[str, Sequence[tuple[str, tuple[str, ...], bool]]] = {
    "messages": [
        ("by_number", ("conversation", "seq"), True),
        ("by_id", ("message_id",), False),
    ],
    "conversations": [
        ("by_first", ("first", "shard", "change", "_id"), False),
        ("by_second", ("second", "shard", "change", "_id"), False),
    ],
    "members": [
        ("by_conversation", ("conversation", "user", "joined"), True),
        ("by_user_and_name", ("user", "conversation", "joined"), False),
    ],
    "cursors": [("by_user", ("conversation", "user"), True)],
    "groups": [("by_owner", ("owner",), False)],
    "usage": [("by_period", ("kind", "period"), False)],
    "blocks": [("by_user", ("user", "target"), False)],
    "invitations": [("by_user", ("user", "group"), False)],
    "names": [("by_user", ("user",), True)],
}

#: The indexes of earlier versions of these documents.
DROPPED: Mapping[str, Sequence[str]] = {
    "conversations": ["by_member", "by_change"],
    "members": ["by_user"],
}

#: MongoDB accepts documents of 16 MB, and commands of a little more.
MESSAGE_BYTES = 15 * 2**20
COMMAND_BYTES = 12 * 2**20
# The bytes of a message's document besides its texts.
_OVERHEAD = 300
#: The most branches of one $or.
BRANCHES = 500

_DUPLICATE = 11000
_SAFE = {"w": "majority", "j": True}


def insert(collection: str, documents: Sequence[Document]) -> Document:
    """
    Insert in this order, up to the first document that fails.
    """
    return {
        "insert": collection,
        "documents": documents,
        "ordered": True,
        "writeConcern": _SAFE,
    }


def update(collection: str, updates: Sequence[Document]) -> Document:
    """
    Make all of these changes that can be made; see L{change}.
    """
    return {
        "update": collection,
        "updates": updates,
        "ordered": False,
        "writeConcern": _SAFE,
    }


def change(q: Document, u: Document, *, upsert: bool = False) -> Document:
    """
    Return one change of L{update}.
    """
    return {"q": q, "u": u, "upsert": upsert}


def check_errors(errors: Sequence[Document]) -> None:
    """
    Ignore duplicate keys.

    @raise Unavailable: there was another error.
    """
    for error in errors:
        if error["code"] != _DUPLICATE:
            raise Unavailable(f"MongoDB: {error.get('errmsg')}")


def find(collection: str, filter_: Document, **more: Any) -> Document:
    """
    Find documents.
    """
    return {"find": collection, "filter": filter_, **more}


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """
    Cut into pieces of at most this size.
    """
    for i in range(0, len(items), size):
        yield items[i : i + size]


def message_key(identity: MessageIdentity) -> str:
    """
    Return the key of a message.  No storable conversation has a slash in its name, so
    different identities have different keys.
    """
    return f"{identity.conversation}/{identity.sender}/{identity.client_id}"


def member_key(conversation: str, user: int) -> str:
    """
    Return the key of a document about one user in one conversation.
    """
    return f"{conversation}/{user}"


def to_document(m: Message, stored_ms: int) -> Document:
    """
    Return the document of a message.
    """
    document: Document = {
        "_id": message_key(m.identity),
        "conversation": m.conversation,
        "seq": m.seq,
        "sender": m.sender,
        "client_id": m.client_id,
        "message_id": m.message_id,
        "content": m.content,
        "kind": m.kind,
        "time_ms": m.time_ms,
        "stored_ms": stored_ms,
    }
    if m.extra:
        document["extra"] = m.extra
    if m.withheld:
        document["withheld"] = m.withheld
    return document


def to_message(d: Document) -> Message:
    """
    Return the message of a document.
    """
    return Message(
        d["conversation"],
        int(d["sender"]),
        d["client_id"],
        int(d["message_id"]),
        d["content"],
        int(d["kind"]),
        int(d["time_ms"]),
        int(d["seq"]),
        d.get("extra", ""),
        int(d.get("withheld") or 0),
    )


def to_cursor(d: Document) -> Cursor:
    """
    Return the cursor of a document, with the ranges above it.
    """
    seen = tuple((int(first), int(last)) for first, last in d.get("seen") or ())
    return Cursor(
        d["conversation"], int(d["user"]), int(d["delivered"]), int(d["read"]), seen
    )


def cursor_document(c: Cursor) -> Document:
    """
    Return the document of a cursor.
    """
    document: Document = {
        "_id": member_key(c.conversation, c.user),
        "conversation": c.conversation,
        "user": c.user,
        "delivered": c.delivered,
        "read": c.read,
    }
    if c.seen:
        document["seen"] = [list(r) for r in c.seen]
    return document


def size_of(m: Message) -> int:
    """
    Return an upper bound of the bytes of a message's document.
    """
    names = (m.client_id, m.client_id, m.conversation, m.conversation)
    texts = (m.content, m.extra, *names)
    return _OVERHEAD + sum(len(t) if t.isascii() else 4 * len(t) for t in texts)


def fits(m: Message) -> bool:
    """
    Return L{True} if MongoDB can store the message.
    """
    return (
        m.seq > 0
        and storable(m.conversation)
        and storable_values((m.sender, m.client_id, m.message_id, m.content, m.extra))
        and storable_values((m.kind, m.time_ms, m.seq))
        and size_of(m) <= MESSAGE_BYTES
    )


def storable(conversation: str) -> bool:
    """
    Return L{True} if the store can have a conversation of this name.
    """
    return "/" not in conversation and storable_values((conversation,))


def two_of(conversation: str) -> tuple[int, ...]:
    """
    Return the members of a conversation of two; of another one, none.
    """
    try:
        return members_of(conversation)
    except InvalidName:
        return ()


def head_changes(wanted: Callable[[str], Document]) -> Document:
    """
    Return the changes of a conversation's document besides its head; see
    L{wsmsg.message.store.mongo.bulk_raise.Also}.
    """
    # Numbers of different shards cannot be compared: the last writer's counts.
    same = {"$eq": ["$shard", wanted("shard")]}
    higher = {"$max": ["$change", wanted("change")]}
    rises = {"$lt": ["$head", wanted("head")]}
    return {
        "shard": wanted("shard"),
        "change": {"$cond": [same, higher, wanted("change")]},
        "updated": {"$cond": [rises, wanted("updated"), "$updated"]},
        "message_id": {
            "$cond": [rises, wanted("message_id"), {"$ifNull": ["$message_id", 0]}]
        },
    }


def head_document(
    name: str,
    head: int,
    message_id: int,
    stored_ms: int,
    shard: int,
    numbers: Mapping[int, int],
) -> Document:
    """
    Return the document of a conversation.

    @param message_id: of the head; 0: not known.
    @param numbers: the change number of each shard.
    """
    document: Document = {
        "_id": name,
        "head": head,
        "message_id": message_id,
        "updated": stored_ms,
        "shard": shard,
        "change": numbers[shard],
    }
    members = two_of(name)
    if members:
        document["members"] = list(members)
        document.update(zip(PLACES, members, strict=False))
    return document


def pieces_behind(
    user: int, shard: int, number: int, name: str, below: Document
) -> list[Document]:
    """
    Return the pieces of the indexes with the conversations behind one of them.
    """
    same = {"change": number, "_id": {"$gt": name}}
    higher = {"change": {"$gt": number, **below}}
    return [*pieces_of_shard(user, shard, same), *pieces_of_shard(user, shard, higher)]


def pieces_of_shard(user: int, shard: int, piece: Document) -> list[Document]:
    """
    Return the pieces of the indexes with a user's conversations of two in a shard.
    """
    return [{place: user, "shard": shard, **piece} for place in PLACES]
