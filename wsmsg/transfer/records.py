"""
The lines of a file that a store is moved in, by their types.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from wsmsg.message.store.read_ranges import ReadRanges, advance
from wsmsg.model import (
    INT64_MAX,
    Cursor,
    InvalidName,
    Message,
    group_in,
    is_group,
    members_of,
)

_Positive = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)]
_Whole = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
_Id = Annotated[str, msgspec.Meta(min_length=1)]
_Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

#: Conversation, section within it, number or user.
Key = tuple[str, int, int]


class _Line(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """
    Any line of the file.
    """


class HeaderLine(_Line, frozen=True, tag="store"):
    """
    @ivar time_ms: when the export began, in unix milliseconds.
    """

    version: _Whole
    time_ms: _Whole = 0


class MessageLine(_Line, frozen=True, tag="message", gc=False):
    """
    A message.
    """

    conversation: str
    seq: _Positive
    sender: _Positive
    client_id: _Id
    message_id: _Positive
    kind: _Positive
    time_ms: _Whole
    content: str

    @property
    def key(self) -> Key:
        return (self.conversation, 0, self.seq)

    @property
    def message(self) -> Message:
        return Message(
            self.conversation,
            self.sender,
            self.client_id,
            self.message_id,
            self.content,
            self.kind,
            self.time_ms,
            self.seq,
        )


class GroupLine(_Line, frozen=True, tag="group", gc=False):
    """
    What came of the changes of a group.

    @ivar members: how many there are.
    """

    conversation: str
    name: str
    owner: _Positive
    history: bool
    members: _Whole

    @property
    def key(self) -> Key:
        return (self.conversation, 1, 0)


class MemberLine(_Line, frozen=True, tag="member", gc=False):
    """
    A member of the group before it.
    """

    conversation: str
    user: _Positive
    joined: _Positive

    @property
    def key(self) -> Key:
        return (self.conversation, 2, self.user)


class CursorLine(_Line, frozen=True, tag="cursor", gc=False, omit_defaults=True):
    """
    How far a user is.

    @ivar seen: ranges of numbers above C{read} that were seen as well; only where
        there are any.
    """

    conversation: str
    user: _Positive
    delivered: _Whole
    read: _Whole
    seen: tuple[tuple[_Positive, _Positive], ...] = ()

    @property
    def key(self) -> Key:
        return (self.conversation, 3, self.user)

    @property
    def cursor(self) -> Cursor:
        return Cursor(
            self.conversation, self.user, self.delivered, self.read, self.seen
        )


class CheckLine(_Line, frozen=True, tag="check"):
    """
    The hash of all records so far.
    """

    sha256: _Hash


class RecordCounts(msgspec.Struct, kw_only=True):
    """
    How much of what there is.
    """

    conversations: _Whole = 0
    messages: _Whole = 0
    groups: _Whole = 0
    members: _Whole = 0
    cursors: _Whole = 0

    def add(self, record: Record, *, new: bool) -> None:
        """
        One more.

        @param new: it is the first of its conversation.
        """
        self.conversations += new
        match record:
            case MessageLine():
                self.messages += 1
            case GroupLine():
                self.groups += 1
            case MemberLine():
                self.members += 1
            case CursorLine():
                self.cursors += 1


class EndLine(_Line, frozen=True, tag="end"):
    """
    The last line.
    """

    counts: RecordCounts
    sha256: _Hash


Record = MessageLine | GroupLine | MemberLine | CursorLine
Line = HeaderLine | Record | CheckLine | EndLine


def check(record: Record) -> None:
    """
    @raise ValueError: a store could not have it.
    """
    name = record.conversation
    try:
        if is_group(name):
            group_in(name)
        elif isinstance(record, GroupLine | MemberLine):
            raise ValueError(f"{name} is no conversation of a group")
        else:
            members_of(name)
    except InvalidName as e:
        raise ValueError(str(e)) from None
    if isinstance(record, CursorLine):
        seen = ReadRanges(record.read, record.seen)
        if advance(ReadRanges(record.read), record.seen) != seen:
            raise ValueError("what was seen is not ranges that rise above the cursor")
