"""
The types of the lines of an export.
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
from wsmsg.names import FIRST, LAST, name_problem

_Positive = Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)]
_Natural = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
_Given = Annotated[int, msgspec.Meta(ge=FIRST, le=LAST)]
_Id = Annotated[str, msgspec.Meta(min_length=1)]
_Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

_Epoch = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{16})?$")]
_Secret = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{32})?$")]

#: Conversation, section within it, number or user.
Key = tuple[str, int, int]


class _Line(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """
    A line of the file.
    """


class HeaderLine(_Line, frozen=True, tag="store"):
    """
    The first line.

    @ivar time_ms: start of the export in unix milliseconds.
    @ivar epoch: of the store; empty if that went on, so that the file is an older copy.
    @ivar secret: of the store, with which it seals positions; goes with the epoch.
    """

    version: _Natural
    time_ms: _Natural = 0
    epoch: _Epoch = ""
    secret: _Secret = ""


class RevocationLine(_Line, frozen=True, tag="revocation", gc=False):
    """
    The time before which the tokens of a user are revoked, in unix milliseconds.  These
    lines are the first, and the names of users follow.
    """

    user: _Positive
    before_ms: _Natural

    @property
    def conversation(self) -> str:
        return ""

    @property
    def key(self) -> Key:
        return ("", 0, self.user)


class NameLine(_Line, frozen=True, tag="name", gc=False):
    """
    The name of a user.
    """

    user: _Given
    name: str

    @property
    def conversation(self) -> str:
        return ""

    @property
    def key(self) -> Key:
        return ("", 1, self.user)


class MessageLine(_Line, frozen=True, tag="message", gc=False, omit_defaults=True):
    """
    A message.

    @ivar extra: omitted if it is empty.
    @ivar withheld: as in L{wsmsg.model.Message}; omitted if it is 0.
    """

    conversation: str
    seq: _Positive
    sender: _Positive
    client_id: _Id
    message_id: _Positive
    kind: _Positive
    time_ms: _Natural
    content: str
    extra: str = ""
    withheld: _Natural = 0

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
            self.extra,
            self.withheld,
        )


class GroupLine(_Line, frozen=True, tag="group", gc=False, omit_defaults=True):
    """
    A group, as its changes left it.

    @ivar members: number of members.
    @ivar own_id: the application's own id of the group; omitted if it has none.
    """

    conversation: str
    name: str
    owner: _Positive
    history: bool
    members: _Natural
    own_id: str = ""

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
    The cursor of a user in a conversation.

    @ivar seen: ranges of numbers above C{read} that were read as well; omitted if there
        are none.
    """

    conversation: str
    user: _Positive
    delivered: _Natural
    read: _Natural
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
    Number of records by type.
    """

    conversations: _Natural = 0
    messages: _Natural = 0
    groups: _Natural = 0
    members: _Natural = 0
    cursors: _Natural = 0
    revocations: _Natural = 0
    names: _Natural = 0

    def add(self, record: Record, *, new: bool) -> None:
        """
        Count a record.

        @param new: the record is the first of its conversation.
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
            case RevocationLine():
                self.revocations += 1
            case NameLine():
                self.names += 1


class EndLine(_Line, frozen=True, tag="end"):
    """
    The last line.
    """

    counts: RecordCounts
    sha256: _Hash


Record = RevocationLine | NameLine | MessageLine | GroupLine | MemberLine | CursorLine
Line = HeaderLine | Record | CheckLine | EndLine


def check(record: Record) -> None:
    """
    Check that a store could contain a record.

    @raise ValueError: it could not.
    """
    name = record.conversation
    if isinstance(record, RevocationLine):
        return
    if isinstance(record, NameLine):
        problem = name_problem(record.name)
        if problem:
            raise ValueError(f"this cannot be a name: {problem}")
        return
    try:
        if is_group(name):
            group_in(name)
        elif isinstance(record, GroupLine | MemberLine):
            raise ValueError(f"{name} is not the conversation of a group")
        else:
            members_of(name)
    except InvalidName as e:
        raise ValueError(str(e)) from None
    if isinstance(record, CursorLine):
        seen = ReadRanges(record.read, record.seen)
        if advance(ReadRanges(record.read), record.seen) != seen:
            raise ValueError("the ranges that were read do not rise above the cursor")
