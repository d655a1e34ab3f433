"""
Recall: a sender takes one of their messages back.

The content is the seq of the message in decimal digits.  The store deletes the content
of the message of that seq in the same conversation, if it has the same sender and is no
event, and gives it the kind L{wsmsg.model.RECALLED}.  Its identity, seq, id and time
stay.  The event tells all members to do the same.
"""

from __future__ import annotations

from wsmsg.errors import BadRequest, Forbidden, NotFound
from wsmsg.events.kind import EventKind, EventRequest, Facts, NewEvent
from wsmsg.model import FIRST_EVENT, INT64_MAX, RECALLED
from wsmsg.protocol import frames

#: The kind of this event.
RECALL = 1002

_DIGITS = 19


def decode_recall(content: str) -> int:
    """
    Return the seq of the message that an event with this content recalls; 0: the
    content is not valid.
    """
    if not content.isascii() or not content.isdecimal() or len(content) > _DIGITS:
        return 0
    seq = int(content)
    return seq if seq <= INT64_MAX and content == str(seq) else 0


def _from_frame(frame: frames.Recall, user: int) -> NewEvent:
    return NewEvent(frame.conversation, str(frame.seq))


def _validate(request: EventRequest) -> None:
    if not decode_recall(request.content):
        raise BadRequest("the content of a recall must be the seq of a message")


def _judge(request: EventRequest, facts: Facts) -> None:
    seq = decode_recall(request.content)
    message = facts.message(request.conversation, seq)
    if message is None:
        raise NotFound(f"there is no message {seq} in {request.conversation}")
    if message.sender != request.sender:
        raise Forbidden("only the sender of a message can recall it")
    if message.kind == RECALLED:
        raise BadRequest(f"message {seq} is already recalled")
    if message.kind >= FIRST_EVENT:
        raise BadRequest(f"message {seq} is an event, which cannot be recalled")
    if facts.now_ms - message.time_ms > facts.recall_s * 1000:
        raise Forbidden(f"message {seq} was sent more than {facts.recall_s:g} s ago")


RECALL_KIND = EventKind(
    kind=RECALL,
    name="recall",
    frames={frames.Recall: _from_frame},
    validate=_validate,
    judge=_judge,
    content_bytes=_DIGITS,
    target=decode_recall,
)
