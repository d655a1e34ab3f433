"""
Group change: a group is created, or members are added and removed.

The content is a L{GroupChange} in JSON.  The seq of the event orders the change among
the messages of the group: a new member reads from that seq on.

The store creates the group, owned by the sender, unless an earlier message created it.
Membership of a user follows the event with the highest seq that names the user; adding
a user who is a member already has no effect.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from wsmsg.errors import BadRequest, Conflict, Forbidden, json_problem
from wsmsg.events.block import user_target
from wsmsg.events.kind import (
    EventKind,
    EventRequest,
    Facts,
    InvalidContent,
    NewEvent,
    Questions,
)
from wsmsg.model import (
    INT64_MAX,
    group_conversation,
    group_in,
    group_of,
    is_group,
)
from wsmsg.names import group_of_key, name_problem
from wsmsg.protocol import frames

#: The kind of this event.
GROUP = 1001
#: The most users that one change may add and remove.
GROUP_CHANGE_USERS = 1000
#: The longest name of a group, in bytes of UTF-8.
GROUP_NAME_BYTES = 256

# The longest content: the most users that a change may name, and room.
_CONTENT_CHARACTERS = 32 * 1024


class GroupChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    The content of a group change.

    @ivar created: this is the first message of the group, whose sender owns it.
    @ivar name: the name of the group, for people; only where C{created}.
    @ivar history: new members read from seq 1 on; only where C{created}.
    @ivar add: users who become members.
    @ivar remove: users who stop being members.
    @ivar key: the application's own id of the group, from which its number follows;
        only where C{created}.
    """

    created: bool = False
    name: str = ""
    history: bool = False
    add: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()
    key: str = ""

    def number(self, creator: int, client_id: str) -> int:
        """
        Return the number of the group that a request creates with this change.
        """
        return group_of_key(self.key) if self.key else group_of(creator, client_id)


# Not strict: large numbers may be strings of digits, as clients receive them.
_decoder = msgspec.json.Decoder(GroupChange, strict=False)
# A reason names so many users of a long list.
_NAMED = 10
# The digits of a number that JavaScript may not represent exactly.
_LARGE = re.compile(r"[0-9]{16}")
_EXACT = 2**53


def encode_change(change: GroupChange) -> str:
    """
    Return the content of the event that makes this change.
    """
    return msgspec.json.encode(change).decode()


def decode_change(content: str) -> GroupChange:
    """
    Return the change that an event with this content makes.

    @raise InvalidContent: the content is not a valid change.
    """
    try:
        change = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as e:
        reason = json_problem(e, content)[:100]
        raise InvalidContent(f"not a group change: {reason}") from e
    problem = change_problem(change)
    if problem:
        raise InvalidContent(problem)
    return change


def shown_change(content: str) -> str:
    """
    Return the content of an event as clients receive it: users above 2^53 are strings
    of digits, as in all JSON for clients.
    """
    if _LARGE.search(content) is None:
        return content
    try:
        change = decode_change(content)
    except InvalidContent:
        return content
    # Structs do not check the types of their fields when they are created.
    shown: Any = [
        tuple(str(user) if user > _EXACT else user for user in users)
        for users in (change.add, change.remove)
    ]
    return encode_change(msgspec.structs.replace(change, add=shown[0], remove=shown[1]))


def change_problem(change: GroupChange) -> str:
    """
    Return what is wrong with a change in itself; empty: nothing.
    """
    if len(change.add) + len(change.remove) > GROUP_CHANGE_USERS + change.created:
        return f"more than {GROUP_CHANGE_USERS} users in one change"
    if not all(0 < user <= INT64_MAX for user in (*change.add, *change.remove)):
        return "a user is not between 1 and 2^63-1"
    if change.created:
        size = len(change.name.encode("utf-8", "surrogatepass"))
        if not 0 < size <= GROUP_NAME_BYTES:
            return f"the name has {size} bytes, and must have 1 to {GROUP_NAME_BYTES}"
        if any(c < " " or "\x7f" <= c <= "\x9f" for c in change.name):
            return "the name has control characters"
        if change.key and (problem := name_problem(change.key)):
            return f"the key: {problem}"
        return "a new group cannot remove members" if change.remove else ""
    if change.key:
        return "the key of a group cannot change"
    if not change.add and not change.remove:
        return "the change adds and removes no members"
    if not set(change.add).isdisjoint(change.remove):
        return "a user is both added and removed"
    return ""


def _created(frame: frames.CreateGroup, user: int) -> NewEvent:
    members = dict.fromkeys((user, *frame.members))
    change = GroupChange(True, frame.name, frame.history, tuple(members))
    group = group_conversation(group_of(user, frame.client_id))
    return _event(group, change)._replace(created=group)


def _changed(frame: frames.ChangeGroup, user: int) -> NewEvent:
    change = GroupChange(
        add=tuple(dict.fromkeys(frame.add)), remove=tuple(dict.fromkeys(frame.remove))
    )
    return _event(group_conversation(frame.group), change)


def _joined(frame: frames.AcceptInvitation, user: int) -> NewEvent:
    return _event(group_conversation(frame.group), GroupChange(add=(user,)))


def _event(group: str, change: GroupChange) -> NewEvent:
    problem = change_problem(change)
    if problem:
        raise BadRequest(problem)
    return NewEvent(group, encode_change(change))


def _validate(request: EventRequest) -> None:
    group = group_in(request.conversation)
    if len(request.content) > _CONTENT_CHARACTERS:
        raise BadRequest(f"a group change has at most {_CONTENT_CHARACTERS} characters")
    change = decode_change(request.content)
    if not change.created:
        return
    if group != change.number(request.sender, request.client_id):
        raise BadRequest("the group's number does not follow from this request")
    if request.sender not in change.add:
        raise BadRequest("the creator of a group must be a member of it")


def _judge(request: EventRequest, facts: Facts) -> None:
    conversation, sender = request.conversation, request.sender
    change = decode_change(request.content)
    owner = facts.owner(conversation)
    if change.created:
        if owner not in (None, sender):
            raise Conflict("another user already created the group of this number")
        if owner is not None and change.key:
            raise Conflict("another request created the group with this key")
    elif change.add == (sender,) and not change.remove and sender != owner:
        if not facts.is_invited(sender, conversation):
            facts.check_member(conversation, sender)
            raise Forbidden("you have no open invitation to this group")
    elif sender != owner:
        facts.check_member(conversation, sender)
        if change.add or change.remove != (sender,):
            raise Forbidden("only the owner can add and remove other members")
    if change.add and request.connect:
        _check_consent(request, change, facts)
    if change.add:
        facts.check_size(conversation, frozenset(change.add))


def _questions(request: EventRequest) -> Questions:
    group, sender = request.conversation, request.sender
    change = decode_change(request.content)
    others = [user for user in change.add if user != sender]
    by, joins = user_target(sender), len(others) < len(change.add)
    return Questions(
        blocked=tuple((user, target) for user in others for target in (by, group)),
        invited=((sender, group),) if joins else (),
    )


def _check_consent(request: EventRequest, change: GroupChange, facts: Facts) -> None:
    """
    Check that a client may add these users; a service may add anybody.
    """
    group, by = request.conversation, user_target(request.sender)
    others = [user for user in change.add if user != request.sender]
    if others and facts.invites_only:
        raise Forbidden("users are invited to groups here, and not added: use invite")
    refusing = [
        user
        for user in others
        if facts.is_blocked(user, by) or facts.is_blocked(user, group)
    ]
    if refusing:
        # The same words for every reason: whom a user has blocked is theirs to tell.
        named = ", ".join(map(str, refusing[:_NAMED]))
        more = len(refusing) - _NAMED
        named += f" and {more} more" if more > 0 else ""
        raise Forbidden(f"you cannot add user {named} to this group")


def _record_problem(conversation: str, content: str) -> str:
    if not is_group(conversation):
        return f"{conversation} is not a group, so it has no members to change"
    decode_change(content)
    return ""


GROUP_KIND = EventKind(
    kind=GROUP,
    name="group change",
    frames={
        frames.CreateGroup: _created,
        frames.ChangeGroup: _changed,
        frames.AcceptInvitation: _joined,
    },
    validate=_validate,
    judge=_judge,
    members_only=False,
    needs_group=True,
    questions=_questions,
    record_problem=_record_problem,
    member_change=decode_change,
    shown=shown_change,
)
