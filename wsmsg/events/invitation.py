"""
Invitation: a user is asked to join a group, and answers.

The invitation is an event of the conversation of the two users, so it reaches the
invited one as any message does, and not at all if that user has blocked the sender.
Accepting is a L{group change<wsmsg.events.group_change>} with which the invited user
adds themself.  Declining is an event of the user's own conversation, so that all of the
user's devices know of it.  The content of both is an L{InvitationContent} in JSON.
"""

from __future__ import annotations

import msgspec

from wsmsg.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    TooLarge,
    json_problem,
)
from wsmsg.events.block import user_target
from wsmsg.events.kind import (
    EventKind,
    EventRequest,
    Facts,
    InvalidContent,
    NewEvent,
    Questions,
)
from wsmsg.events.numbers import json_number
from wsmsg.model import INT64_MAX, conversation_of, group_conversation, other_of
from wsmsg.protocol import frames

#: The kinds of these events.
INVITATION, DECLINE = 1009, 1010

_CONTENT_CHARACTERS = 64


class InvitationContent(msgspec.Struct, frozen=True):
    """
    The content: the number of the group.
    """

    group: int


_decoder = msgspec.json.Decoder(InvitationContent, strict=False)


def encode_invitation(group: int) -> str:
    """
    Return the content of an invitation to a group, and of its refusal.
    """
    return msgspec.json.encode({"group": json_number(group)}).decode()


def decode_invitation(content: str) -> str:
    """
    Return the conversation of the group.

    @raise InvalidContent: the content is not valid.
    """
    if len(content) > _CONTENT_CHARACTERS:
        most = _CONTENT_CHARACTERS
        raise InvalidContent(f"an invitation has at most {most} characters")
    try:
        group = _decoder.decode(content).group
    except (msgspec.DecodeError, UnicodeError, RecursionError) as e:
        reason = json_problem(e, content)[:100]
        raise InvalidContent(f"not an invitation: {reason}") from e
    if not 0 < group <= INT64_MAX:
        raise InvalidContent("the group is not between 1 and 2^63-1")
    return group_conversation(group)


# ----------------------------------------------------------------- inviting


def _invite(frame: frames.Invite, user: int) -> NewEvent:
    if frame.user == user:
        raise BadRequest("nobody can invite themself")
    content = encode_invitation(frame.group)
    return NewEvent(conversation_of(user, frame.user), content)


def _validate_invitation(request: EventRequest) -> None:
    decode_invitation(request.content)
    if not other_of(request.conversation, request.sender):
        raise BadRequest("an invitation is an event of a conversation of two users")


def _questions_of_invitation(request: EventRequest) -> Questions:
    group = decode_invitation(request.content)
    invited = other_of(request.conversation, request.sender)
    return Questions(
        group=group,
        members=((group, request.sender), (group, invited)),
        blocked=((invited, user_target(request.sender)), (invited, group)),
        invitations_of=invited,
    )


def _judge_invitation(request: EventRequest, facts: Facts) -> None:
    group = decode_invitation(request.content)
    invited = other_of(request.conversation, request.sender)
    if facts.owner(group) != request.sender:
        facts.check_member(group, request.sender)
        raise Forbidden("only the owner can invite others")
    if facts.is_member(group, invited):
        raise Conflict(f"user {invited} is in the group already")
    if any(facts.is_blocked(invited, t) for t in (user_target(request.sender), group)):
        return  # accepted as any other, and withheld
    if facts.invitations(invited) >= facts.most_invitations:
        raise TooLarge(f"user {invited} has too many open invitations")


def _invitation_problem(conversation: str, content: str) -> str:
    decode_invitation(content)
    return ""


INVITATION_KIND = EventKind(
    kind=INVITATION,
    name="invitation",
    frames={frames.Invite: _invite},
    validate=_validate_invitation,
    judge=_judge_invitation,
    questions=_questions_of_invitation,
    record_problem=_invitation_problem,
)

# ---------------------------------------------------------------- declining


def _decline(frame: frames.DeclineInvitation, user: int) -> NewEvent:
    return NewEvent(conversation_of(user, user), encode_invitation(frame.group))


def _validate_decline(request: EventRequest) -> None:
    decode_invitation(request.content)
    if request.conversation != conversation_of(request.sender, request.sender):
        raise BadRequest("a refusal is an event of the user's own conversation")


def _questions_of_decline(request: EventRequest) -> Questions:
    key = (request.sender, decode_invitation(request.content))
    return Questions(invited=(key,))


def _judge_decline(request: EventRequest, facts: Facts) -> None:
    if not facts.is_invited(request.sender, decode_invitation(request.content)):
        raise NotFound("there is no open invitation to this group")


DECLINE_KIND = EventKind(
    kind=DECLINE,
    name="refusal of an invitation",
    frames={frames.DeclineInvitation: _decline},
    validate=_validate_decline,
    judge=_judge_decline,
    questions=_questions_of_decline,
    record_problem=_invitation_problem,
)
