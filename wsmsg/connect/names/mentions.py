"""
The users whom frames and answers mention.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from wsmsg.connect.upstream.interface import (
    BlocksView,
    GroupView,
    HeadsView,
    InvitationsView,
    PageView,
)
from wsmsg.events.block import BLOCK, block_of, decode_block
from wsmsg.events.group_change import GROUP, decode_change
from wsmsg.events.kind import InvalidContent
from wsmsg.model import (
    InvalidName,
    Message,
    UserPresence,
    is_group,
    members_of,
)
from wsmsg.protocol import frames
from wsmsg.protocol.frames import ServerFrame


def in_conversation(conversation: str) -> tuple[int, ...]:
    """
    Return the users of a conversation of two; of another one, none.
    """
    if is_group(conversation):
        return ()
    try:
        return members_of(conversation)
    except InvalidName:
        return ()


def in_message(
    conversation: str, sender: int, kind: int, content: str
) -> tuple[int, ...]:
    """
    Return the users whom a message mentions outside of what people write.
    """
    if kind not in (GROUP, BLOCK):
        return (*in_conversation(conversation), sender)
    try:
        if kind == BLOCK:
            return (sender, decode_block(content).user)
        change = decode_change(content)
    except InvalidContent:
        return (sender,)
    return (sender, *change.add, *change.remove)


def in_answer(answer: object) -> set[int]:
    """
    Return the users whom an answer of Message mentions.
    """
    if isinstance(answer, PageView):
        return set(_of_messages(answer.messages))
    if isinstance(answer, HeadsView):
        return _of_conversations(head.conversation for head in answer.heads)
    if isinstance(answer, GroupView):
        return {answer.owner, *(user for user, _ in answer.members)}
    if isinstance(answer, BlocksView):
        return {block_of(target)[0] for target, _ in answer.blocks}
    if isinstance(answer, InvitationsView):
        return {invitation.by for invitation in answer.invitations}
    if isinstance(answer, list):
        return {one.user for one in answer if isinstance(one, UserPresence)}
    return set()


def in_frame(frame: ServerFrame) -> Iterable[int]:
    """
    Return the users whom a frame mentions.
    """
    match frame:
        case frames.Deliver():
            return in_message(
                frame.conversation, frame.sender, frame.kind, frame.content
            )
        case frames.Receipt() | frames.Typing():
            return (*in_conversation(frame.conversation), frame.user)
        case frames.Presence():
            return (frame.user,)
        case frames.Page():
            mentioned = set(in_conversation(frame.conversation))
            return mentioned.union(*map(in_frame, frame.messages))
        case frames.Welcome():
            return {frame.user, *_of_heads(frame.heads)}
        case frames.Heads():
            return _of_heads(frame.heads)
        case frames.Group():
            return {frame.owner, *(member.user for member in frame.members)}
        case frames.Accepted():
            return in_conversation(frame.conversation) if frame.conversation else ()
        case frames.Named():
            return frame.users
        case frames.Blocked():
            return {entry.user for entry in frame.blocks}
        case frames.Invited():
            return {invitation.by for invitation in frame.invitations}
        case _:
            return ()


def _of_messages(messages: Sequence[Message]) -> Iterator[int]:
    for m in messages:
        yield from in_message(m.conversation, m.sender, m.kind, m.content)


def _of_heads(heads: Sequence[frames.Head]) -> set[int]:
    return _of_conversations(head.conversation for head in heads)


def _of_conversations(conversations: Iterable[str]) -> set[int]:
    return {user for name in conversations for user in in_conversation(name)}
