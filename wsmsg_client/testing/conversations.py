"""
The conversations of the fake server, without I/O.
"""

from __future__ import annotations

import time
from collections import defaultdict

import attrs
from msgspec.structs import replace

from wsmsg.errors import BadRequest, Conflict, Forbidden, TooLarge, Unsupported
from wsmsg.events.group_change import GROUP, GroupChange, decode_change, encode_change
from wsmsg.model import (
    conversation_of,
    group_conversation,
    group_in,
    group_of,
    is_group,
    members_of,
    other_of,
)
from wsmsg.protocol import frames
from wsmsg.protocol.frames import Deliver

#: A request that the fake server can accept.
Submission = frames.Send | frames.CreateGroup | frames.ChangeGroup


@attrs.frozen(kw_only=True)
class SentMessage:
    """
    A message that the fake server has accepted.
    """

    sender: int
    """The user who sent it."""
    to: int
    """The user it is for; 0: it is for a group."""
    group: int
    """The group it is for; 0: it is for a user."""
    content: str
    kind: int
    """1 for text."""
    conversation: str
    seq: int
    """Its number in the conversation."""
    client_id: str


@attrs.define
class FakeGroup:
    """
    A group, with its members and the number at which each joined.
    """

    name: str
    owner: int
    history: bool
    members: dict[int, int]


class FakeConversations:
    """
    Accepts requests once, and numbers what they say.

    Attributes:
        limit_bytes: the longest content, in bytes.
    """

    def __init__(self, limit_bytes: int = 4000) -> None:
        self.limit_bytes = limit_bytes
        self._messages: dict[str, list[Deliver]] = defaultdict(list)
        self._groups: dict[int, FakeGroup] = {}
        self._accepted: dict[tuple[int, str], tuple[Submission, frames.Accepted]] = {}
        self._delivered: dict[tuple[int, str], int] = defaultdict(int)
        self._read: dict[tuple[int, str], int] = defaultdict(int)
        self._last_id = 0

    # ---------------------------------------------------------------- requests

    def accept(
        self, user: int, request: Submission
    ) -> tuple[frames.Accepted, Deliver | None]:
        """
        Accept a request, or find that it was accepted before.

        Returns:
            the answer, and what is new in the conversation; `None`: it is a repeat.

        Raises:
            WsmsgError: the request is refused for good.
        """
        plain = _without_repeat(request)
        known = self._accepted.get((user, request.client_id))
        if known is not None:
            if known[0] != plain:
                raise Conflict("the client id was used for another request")
            return known[1], None
        match request:
            case frames.Send():
                new = self._say(user, request)
                accepted = frames.Accepted(request.client_id, new.time)
            case frames.CreateGroup():
                new = self._create(user, request)
                accepted = frames.Accepted(
                    request.client_id, new.time, new.conversation
                )
            case frames.ChangeGroup():
                new = self._change(user, request)
                accepted = frames.Accepted(request.client_id, new.time)
        self._accepted[user, request.client_id] = plain, accepted
        return accepted, new

    def add_group(self, name: str, owner: int, members: tuple[int, ...]) -> Deliver:
        """
        Create a group without a client.
        """
        group = len(self._groups) + 5001
        self._groups[group] = FakeGroup(name, owner, False, {})
        change = GroupChange(True, name, add=(owner, *members))
        return self._changed(owner, group, change)

    def _say(self, user: int, send: frames.Send) -> Deliver:
        if send.to_name:
            raise Unsupported("users have no names at the fake server")
        if len(send.content.encode()) > self.limit_bytes:
            raise TooLarge(f"the content is longer than {self.limit_bytes} bytes")
        if send.group:
            conversation = group_conversation(send.group)
            self._check_member(user, conversation)
        elif send.to:
            conversation = conversation_of(user, send.to)
        else:
            raise BadRequest("neither to nor group is set")
        return self.add(
            conversation, user, send.content, send.kind, client_id=send.client_id
        )

    def _create(self, user: int, request: frames.CreateGroup) -> Deliver:
        if request.member_names:
            raise Unsupported("users have no names at the fake server")
        group = group_of(user, request.client_id)
        self._groups[group] = FakeGroup(request.name, user, request.history, {})
        change = GroupChange(
            True, request.name, request.history, add=(user, *request.members)
        )
        return self._changed(user, group, change, request.client_id)

    def _change(self, user: int, request: frames.ChangeGroup) -> Deliver:
        if request.add_names or request.remove_names:
            raise Unsupported("users have no names at the fake server")
        self._check_member(user, group_conversation(request.group))
        only_leaves = request.remove == (user,) and not request.add
        if self._groups[request.group].owner != user and not only_leaves:
            raise Forbidden("only the owner changes the members of a group")
        change = GroupChange(add=request.add, remove=request.remove)
        return self._changed(user, request.group, change, request.client_id)

    def _changed(
        self, user: int, group: int, change: GroupChange, client_id: str = ""
    ) -> Deliver:
        conversation = group_conversation(group)
        new = self.add(
            conversation, user, encode_change(change), GROUP, client_id=client_id
        )
        members = self._groups[group].members
        for added in change.add:
            members.setdefault(added, new.seq)
        for removed in change.remove:
            members.pop(removed, None)
        return new

    def add(
        self,
        conversation: str,
        sender: int,
        content: str,
        kind: int,
        *,
        client_id: str = "",
    ) -> Deliver:
        """
        Add a message to a conversation, with the next number.
        """
        self._last_id += 1
        messages = self._messages[conversation]
        seq, now = len(messages) + 1, time.time_ns() // 10**6
        message = Deliver(
            conversation, seq, self._last_id, sender, content, kind, now, client_id
        )
        messages.append(message)
        return message

    # ----------------------------------------------------------------- queries

    def members(self, conversation: str) -> tuple[int, ...]:
        """
        Return the users of a conversation.
        """
        if is_group(conversation):
            group = self._groups.get(group_in(conversation))
            return tuple(group.members) if group else ()
        return members_of(conversation)

    def recipients(self, message: Deliver) -> tuple[int, ...]:
        """
        Return the users who get a message; a change of a group is for those whom it
        removes, too.
        """
        members = self.members(message.conversation)
        if message.kind != GROUP:
            return members
        return (*members, *decode_change(message.content).remove)

    def described(self, message: Deliver) -> SentMessage:
        """
        Return a message as a test sees it.
        """
        name = message.conversation
        in_group = is_group(name)
        return SentMessage(
            sender=message.sender,
            to=0 if in_group else other_of(name, message.sender) or message.sender,
            group=group_in(name) if in_group else 0,
            content=message.content,
            kind=message.kind,
            conversation=name,
            seq=message.seq,
            client_id=message.client_id,
        )

    def group(self, user: int, request: frames.Members) -> frames.Group:
        """
        Answer the question for the members of a group.
        """
        self._check_member(user, group_conversation(request.group))
        group = self._groups[request.group]
        members = tuple(frames.Member(u, at) for u, at in sorted(group.members.items()))
        return frames.Group(
            id=request.id,
            group=request.group,
            name=group.name,
            owner=group.owner,
            history=group.history,
            count=len(members),
            members=tuple(m for m in members if m.user > request.after),
        )

    def page(self, user: int, request: frames.Sync, most: int) -> frames.Page:
        """
        Answer the question for messages after a number.
        """
        name = request.conversation
        self._check_member(user, name)
        known = self._messages[name]
        first = max(request.after, self._first(user, name) - 1)
        limit = min(request.limit or most, most)
        some = known[first : first + limit]
        return frames.Page(
            request.id,
            name,
            tuple(for_user(message, user) for message in some),
            head=len(known),
            more=first + limit < len(known),
            epoch="fake",
        )

    def heads(self, user: int) -> tuple[frames.Head, ...]:
        """
        Return the conversations of a user.
        """
        return tuple(
            frames.Head(
                name,
                len(messages),
                read=self._read[user, name],
                delivered=self._delivered[user, name],
                time=messages[-1].time,
            )
            for name, messages in self._messages.items()
            if messages and user in self.members(name)
        )

    def mark(
        self, user: int, conversation: str, *, delivered: int = 0, read: int = 0
    ) -> frames.Receipt | None:
        """
        Raise the marks of a user.

        Returns:
            what the other members are told; `None`: nothing rose.
        """
        if user not in self.members(conversation):
            return None
        key = (user, conversation)
        before = self._read[key], self._delivered[key]
        head = len(self._messages[conversation])
        self._read[key] = max(before[0], min(read, head))
        self._delivered[key] = max(before[1], min(max(delivered, read), head))
        now = self._read[key], self._delivered[key]
        return frames.Receipt(conversation, user, *now) if now != before else None

    def marks(self, user: int, conversation: str) -> tuple[int, int]:
        """
        Return the numbers up to which a user received and read a conversation.
        """
        return self._delivered[user, conversation], self._read[user, conversation]

    def _first(self, user: int, conversation: str) -> int:
        if not is_group(conversation):
            return 1
        group = self._groups[group_in(conversation)]
        return 1 if group.history else group.members[user]

    def _check_member(self, user: int, conversation: str) -> None:
        if user not in self.members(conversation):
            raise Forbidden(f"user {user} is not in {conversation}")


def for_user(message: Deliver, user: int) -> Deliver:
    """
    Return a message as one of its users gets it: only the sender sees the client id.
    """
    if message.sender == user or not message.client_id:
        return message
    return replace(message, client_id="")


def _without_repeat(request: Submission) -> Submission:
    return replace(request, repeat=False) if request.repeat else request
