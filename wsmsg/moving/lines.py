"""
The file that a store is moved in: JSON lines, written and read in batches.

The first line says what it is, the last one how much there was.  Between them are
records in one order: by conversation (by code points), and within one its messages by
number, then for a group its name and its members by user, then cursors by user.

After at most some hundred records stands a line with the SHA-256 of the lines of all
records so far, each with its newline.  So a reader takes nothing that was cut or
altered, can say between which lines it was, and holds one batch at a time.  Of two
stores with the same content the hash is the same, whatever they are kept in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Annotated, BinaryIO

import attrs
import msgspec

from wsmsg.model import (
    INT64_MAX,
    Cursor,
    InvalidName,
    Message,
    group_in,
    is_group,
    members_of,
)

#: Of the format that is written, and the only one that is read.
VERSION = 1

#: A batch ends with the record that reaches one of these.
_RECORDS = 500
_BYTES = 2**20

#: A line may not be longer: the longest content there may be, with all of it escaped,
#: is shorter.
LONGEST_LINE = 64 * 2**20

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


class CursorLine(_Line, frozen=True, tag="cursor", gc=False):
    """
    How far a user is.
    """

    conversation: str
    user: _Positive
    delivered: _Whole
    read: _Whole

    @property
    def key(self) -> Key:
        return (self.conversation, 3, self.user)

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.conversation, self.user, self.delivered, self.read)


class CheckLine(_Line, frozen=True, tag="check"):
    """
    The hash of all records so far.
    """

    sha256: _Hash


class Counts(msgspec.Struct, kw_only=True):
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

    counts: Counts
    sha256: _Hash


Record = MessageLine | GroupLine | MemberLine | CursorLine
_AnyLine = HeaderLine | Record | CheckLine | EndLine

_decoder: msgspec.json.Decoder[_AnyLine] = msgspec.json.Decoder(_AnyLine)
_encode = msgspec.json.Encoder().encode


class BadFile(Exception):
    """
    The file is not what an export wrote; the text names the line.
    """


@attrs.frozen
class Batch:
    """
    Records of one or more conversations that were found whole.

    @ivar first_line: of the first of them, counted from 1; the others follow it.
    """

    first_line: int
    records: Sequence[Record]


class Hashed:
    """
    The hash and the counts of records, one after the other.
    """

    def __init__(self) -> None:
        self.counts = Counts()
        self._hash = sha256()
        self._last: Key = ("", 0, 0)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def add(self, record: Record, line: bytes) -> None:
        """
        @param line: with its newline.
        @raise ValueError: it does not come after the one before.
        """
        if record.key <= self._last:
            raise ValueError("it is not in order after the record before it")
        self.counts.add(record, new=record.conversation != self._last[0])
        self._last = record.key
        self._hash.update(line)


class LineWriter:
    """
    Makes the bytes of a file.
    """

    def __init__(self) -> None:
        self._hashed = Hashed()
        self._records = self._bytes = 0

    @property
    def counts(self) -> Counts:
        return self._hashed.counts

    @property
    def sha256(self) -> str:
        return self._hashed.sha256

    def begin(self, time_ms: int) -> bytes:
        """
        What the file begins with.
        """
        return _line(HeaderLine(VERSION, time_ms))

    def write(self, records: Iterable[Record]) -> bytes:
        """
        The next records, with checks where they are due.
        """
        return b"".join(self._lines(records))

    def end(self) -> bytes:
        """
        What the file ends with.
        """
        check = self._check() if self._records else b""
        return check + _line(EndLine(self.counts, self.sha256))

    def _lines(self, records: Iterable[Record]) -> Iterator[bytes]:
        for record in records:
            line = _line(record)
            self._hashed.add(record, line)
            yield line
            self._records += 1
            self._bytes += len(line)
            if self._records == _RECORDS or self._bytes >= _BYTES:
                yield self._check()

    def _check(self) -> bytes:
        self._records = self._bytes = 0
        return _line(CheckLine(self.sha256))


def _line(line: _AnyLine) -> bytes:
    return _encode(line) + b"\n"


class LineReader:
    """
    Reads a file that L{LineWriter} wrote.

    @ivar number: of the line that was read last.
    """

    def __init__(self) -> None:
        self.number = 0
        self._hashed = Hashed()
        self._began = self._ended = False
        self._held: list[Record] = []

    @property
    def counts(self) -> Counts:
        return self._hashed.counts

    @property
    def sha256(self) -> str:
        return self._hashed.sha256

    def batches(self, lines: Iterable[bytes]) -> Iterator[Batch]:
        """
        The records of all lines.  Nothing comes of a batch that was altered.

        @raise BadFile: with the reason; also where the last line is missing.
        """
        for line in lines:
            self.number += 1
            batch = self._taken(line)
            if batch is not None:
                yield batch
        if not self._ended:
            where = f"after line {self.number}" if self.number else "before it began"
            raise BadFile(f"the file ends {where}: its last line is missing")

    def _taken(self, line: bytes) -> Batch | None:
        decoded = self._decoded(line)
        if self._ended:
            raise self._bad("there is more after the end")
        if isinstance(decoded, HeaderLine) is self._began:
            what = "it begins again" if self._began else "it is no export of wsmsg"
            raise self._bad(what)
        match decoded:
            case HeaderLine():
                self._begin(decoded)
            case CheckLine():
                return self._checked(decoded)
            case EndLine():
                self._end(decoded)
            case _:
                self._take(decoded, line)
        return None

    def _decoded(self, line: bytes) -> _AnyLine:
        if not line.endswith(b"\n"):
            long = len(line) >= LONGEST_LINE
            raise self._bad("it is too long" if long else "it was cut: it has no end")
        try:
            return _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            if not self._began:
                raise self._bad(f"it is no export of wsmsg: {e}") from None
            raise self._bad(str(e)) from None

    def _begin(self, header: HeaderLine) -> None:
        if header.version != VERSION:
            raise self._bad(
                f"the file has version {header.version} of the format, and this "
                f"wsmsg reads version {VERSION}"
            )
        self._began = True

    def _take(self, record: Record, line: bytes) -> None:
        try:
            check(record)
            self._hashed.add(record, line)
        except ValueError as e:
            raise self._bad(str(e)) from None
        self._held.append(record)
        if len(self._held) > _RECORDS:
            raise self._bad("a line with a hash should have come before it")

    def _checked(self, seen: CheckLine) -> Batch:
        held, self._held = self._held, []
        first = self.number - len(held)
        if seen.sha256 != self.sha256:
            raise BadFile(
                f"something between line {first} and line {self.number} was altered: "
                "the hash is not theirs"
            )
        return Batch(first, held)

    def _end(self, end: EndLine) -> None:
        if self._held:
            raise self._bad("the hash of the records before it is missing")
        if end.sha256 != self.sha256:
            raise self._bad("its hash is not that of the records")
        if end.counts != self.counts:
            raise self._bad("its counts are not those of the records")
        self._ended = True

    def _bad(self, reason: str) -> BadFile:
        return BadFile(f"line {self.number}: {reason}")


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """
    The lines of a stream, in bounded memory whatever is in it.
    """
    while line := stream.readline(LONGEST_LINE):
        yield line


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
