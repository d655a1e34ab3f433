"""
Block: a user wants to hear nothing more of another user, or to be kept out of a group.

The event is in the user's own conversation, so all devices of the user get it, in its
place, and nobody else.  The content is a L{BlockChange} in JSON.  The store keeps the
blocks of each user; the event with the highest seq that names a target decides.
"""

from __future__ import annotations

import msgspec

from wsmsg.errors import BadRequest, TooLarge, json_problem
from wsmsg.events.kind import (
    EventKind,
    EventRequest,
    Facts,
    InvalidContent,
    NewEvent,
    Questions,
)
from wsmsg.events.numbers import json_number
from wsmsg.model import INT64_MAX, conversation_of, group_conversation
from wsmsg.protocol import frames

#: The kind of this event.
BLOCK = 1008

_CONTENT_CHARACTERS = 128


class BlockChange(msgspec.Struct, frozen=True):
    """
    The content of a block: of a user, or of a group.

    @ivar on: whether the block begins; otherwise it ends.
    """

    user: int = 0
    group: int = 0
    on: bool = False

    @property
    def target(self) -> str:
        """
        The name under which the store keeps the block.
        """
        return user_target(self.user) if self.user else group_conversation(self.group)


# Not strict: large numbers may be strings of digits, as clients receive them.
_decoder = msgspec.json.Decoder(BlockChange, strict=False)


def user_target(user: int) -> str:
    """
    Return the target of the blocks of a user.  That of a group is its conversation.
    """
    return f"u:{user}"


def block_of(target: str) -> tuple[int, int]:
    """
    Return the user and the group of a target; one of them is 0.
    """
    number = int(target[2:])
    return (0, number) if target.startswith("g:") else (number, 0)


def encode_block(user: int, group: int, on: bool) -> str:
    """
    Return the content of the event.
    """
    whom = {"user": json_number(user)} if user else {"group": json_number(group)}
    return msgspec.json.encode({**whom, "on": on}).decode()


def decode_block(content: str) -> BlockChange:
    """
    Return the change that an event with this content makes.

    @raise InvalidContent: the content is not valid.
    """
    if len(content) > _CONTENT_CHARACTERS:
        raise InvalidContent(f"a block has at most {_CONTENT_CHARACTERS} characters")
    try:
        change = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as e:
        reason = json_problem(e, content)[:100]
        raise InvalidContent(f"not a block: {reason}") from e
    if bool(change.user) == bool(change.group):
        raise InvalidContent("a block names either a user or a group")
    if not 0 < (change.user or change.group) <= INT64_MAX:
        raise InvalidContent("the number of the block is not between 1 and 2^63-1")
    return change


def _from_frame(frame: frames.Block, user: int) -> NewEvent:
    content = encode_block(frame.user, frame.group, frame.on)
    try:
        decode_block(content)
    except InvalidContent as e:
        raise BadRequest(str(e)) from e
    if frame.user == user:
        raise BadRequest("nobody can block themself")
    return NewEvent(conversation_of(user, user), content)


def _validate(request: EventRequest) -> None:
    change = decode_block(request.content)
    if request.conversation != conversation_of(request.sender, request.sender):
        raise BadRequest("a block is an event of the user's own conversation")
    if change.user == request.sender:
        raise BadRequest("nobody can block themself")


def _questions(request: EventRequest) -> Questions:
    on = decode_block(request.content).on
    return Questions(blocks_of=request.sender if on else 0)


def _judge(request: EventRequest, facts: Facts) -> None:
    if decode_block(request.content).on and facts.blocks(request.sender) >= (
        facts.most_blocks
    ):
        raise TooLarge(f"you have {facts.most_blocks} blocks, which is the limit")


def _record_problem(conversation: str, content: str) -> str:
    decode_block(content)
    return ""


BLOCK_KIND = EventKind(
    kind=BLOCK,
    name="block",
    frames={frames.Block: _from_frame},
    validate=_validate,
    judge=_judge,
    questions=_questions,
    record_problem=_record_problem,
)
