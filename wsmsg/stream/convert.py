"""
Conversion between the values of the model and the messages of the stream and of
queries.
"""

from __future__ import annotations

from collections.abc import Mapping

from wsmsg.flow.life_ring import LifeFact, LifeRing, message_key, send_key
from wsmsg.model import ConversationHead, Cursor, Message, UserPresence
from wsmsg.rpc import rest_pb2


def message_of(m: rest_pb2.ChatMessage) -> Message:
    return Message(
        m.conversation,
        m.sender,
        m.client_id,
        m.message_id,
        m.content,
        m.kind,
        m.time_ms,
        m.seq,
        m.extra,
        traceparent=m.traceparent,
    )


def cursor_of(c: rest_pb2.Cursor) -> Cursor:
    return Cursor(c.conversation, c.user, c.delivered, c.read)


def presence_of(p: rest_pb2.Presence) -> UserPresence:
    return UserPresence(p.user, p.online, p.last_seen_ms, p.hidden)


def head_of(h: rest_pb2.Head) -> ConversationHead:
    others = tuple(map(cursor_of, h.others))
    return ConversationHead(
        h.conversation,
        h.head,
        h.time_ms,
        h.delivered,
        h.read,
        others,
        h.unread,
        h.message_id,
    )


def write_message(to: rest_pb2.ChatMessage, message: Message) -> None:
    """
    Fill in a protobuf message.
    """
    to.conversation = message.conversation
    to.seq = message.seq
    to.message_id = message.message_id
    to.sender = message.sender
    to.client_id = message.client_id
    to.content = message.content
    to.kind = message.kind
    to.time_ms = message.time_ms
    if message.extra:
        to.extra = message.extra
    if message.traceparent:
        to.traceparent = message.traceparent


def revocations_of(revoked: Mapping[int, int]) -> rest_pb2.Revocations:
    """
    Convert times before which tokens of users are revoked.
    """
    return rest_pb2.Revocations(users=revoked.keys(), before_ms=revoked.values())


def life_answer_of(
    query: rest_pb2.LifeQuery, ring: LifeRing, node: str = ""
) -> rest_pb2.LifeAnswer:
    """
    Convert the facts that a node remembers of a message.
    """
    keys = [send_key(query.sender, query.client_id)] if query.client_id else []
    if query.message_id:
        keys.append(message_key(query.message_id))
    facts, left_out = ring.facts(*keys)
    answer = rest_pb2.LifeAnswer(
        id=query.id, node=node, since_ms=ring.since_ms, left_out=left_out
    )
    if query.conversation:
        first, others = ring.confirmations(query.conversation, query.seq)
        answer.confirmations = not others
        facts += first
    for fact in facts:
        answer.facts.add(**fact._asdict())
    return answer


def life_facts_of(answer: rest_pb2.LifeAnswer) -> list[LifeFact]:
    return [
        LifeFact(f.stage, f.time_ms, f.user, f.number, f.extra, f.text)
        for f in answer.facts
    ]
