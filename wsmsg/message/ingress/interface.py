"""
What somebody wants to have accepted, and what can be said of it without asking anyone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import attrs

from wsmsg.errors import BadRequest, Forbidden, TooLarge, WsmsgError
from wsmsg.model import (
    FIRST_EVENT,
    GROUP,
    RECALL,
    InvalidChange,
    InvalidName,
    Message,
    change_in,
    group_in,
    group_of,
    is_group,
    members_of,
    recalled_in,
)

# A change with as many users as it may name, and room.
_CHANGE_CHARACTERS = 32 * 1024
_DIGITS = 19


class SendRequest(NamedTuple):
    """
    A message that somebody wants to have accepted.

    @ivar ref: whatever the caller knows it by.
    """

    ref: int
    sender: int
    client_id: str
    conversation: str
    content: str
    kind: int


#: What became of a proposal: the time of acceptance in unix ms, or why not.
Answer = tuple[SendRequest, "int | WsmsgError"]
Reply = Callable[[Sequence[Answer]], object]


@attrs.frozen
class SubmitResult:
    """
    An accepted message.

    @ivar time_ms: the time of its acceptance, in unix milliseconds.
    @ivar again: whether it was stored before this request.
    @ivar stored: whether it is stored; else it will be.
    """

    time_ms: int
    again: bool
    stored: bool


class ISubmit(Protocol):
    """
    Submits single messages.  Both methods raise L{WsmsgError} if the message is
    refused.
    """

    async def submit(self, proposal: SendRequest) -> tuple[Message, bool]:
        """
        Submit a message, and do not wait until it is stored.

        @return: the message without its seq, and whether it was accepted before this
            request.
        """

    async def submit_and_wait(self, proposal: SendRequest) -> SubmitResult:
        """
        Submit a message, and wait until it is stored, for at most two seconds.
        """


def validate(proposal: SendRequest, content_bytes: int) -> WsmsgError | None:
    """
    What is wrong with a proposal by itself.  Who is in a group, it does not know.

    @param content_bytes: the longest content in UTF-8.
    """
    if not 1 <= len(proposal.client_id.encode()) <= 64:
        return BadRequest("client_id must have 1 to 64 bytes")
    if proposal.kind >= FIRST_EVENT:
        return _event_problem(proposal)
    try:
        if is_group(proposal.conversation):
            group_in(proposal.conversation)
        elif proposal.sender not in members_of(proposal.conversation):
            return Forbidden("the sender is not in the conversation")
    except InvalidName as e:
        return BadRequest(str(e))
    # A character has at most 4 bytes: most content needs no encoding to know.
    content = proposal.content
    if proposal.kind < 0 or "\0" in content:
        return BadRequest("kind is negative, or content has the character U+0000")
    if len(content) * 4 > content_bytes:
        n_bytes = len(content.encode())
        if n_bytes > content_bytes:
            return TooLarge(
                f"content has {n_bytes} bytes, the limit is {content_bytes}"
            )
    return None


def _event_problem(proposal: SendRequest) -> WsmsgError | None:
    try:
        if proposal.kind == GROUP:
            _check_change(proposal)
        elif proposal.kind == RECALL:
            return validate(proposal._replace(kind=0), _DIGITS) or _recall_problem(
                proposal
            )
        else:
            raise BadRequest(f"messages of kind {proposal.kind} cannot be sent")
    except (InvalidName, InvalidChange) as e:
        return BadRequest(str(e))
    except WsmsgError as e:
        return e
    return None


def _recall_problem(proposal: SendRequest) -> WsmsgError | None:
    if recalled_in(proposal.content):
        return None
    return BadRequest("a recall names a message by its seq")


def _check_change(proposal: SendRequest) -> None:
    group = group_in(proposal.conversation)
    if len(proposal.content) > _CHANGE_CHARACTERS:
        raise BadRequest("a change of a group is not that long")
    change = change_in(proposal.content)
    if not change.created:
        return
    if group != group_of(proposal.sender, proposal.client_id):
        raise BadRequest("this request cannot make the group of this number")
    if proposal.sender not in change.add:
        raise BadRequest("who makes a group is a member of it")
