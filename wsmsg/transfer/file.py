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
from typing import BinaryIO

import attrs
import msgspec

from wsmsg.transfer.records import (
    CheckLine,
    EndLine,
    HeaderLine,
    Key,
    Line,
    Record,
    RecordCounts,
    check,
)

#: Of the format that is written, and the only one that is read.
VERSION = 1

#: A batch ends with the record that reaches one of these.
_RECORDS = 500
_BYTES = 2**20

#: A line may not be longer: the longest content there may be, with all of it escaped,
#: is shorter.
LONGEST_LINE = 64 * 2**20

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
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

    @ivar last: the key of the last of them.
    """

    def __init__(self) -> None:
        self.counts = RecordCounts()
        self._hash = sha256()
        self.last: Key = ("", 0, 0)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def add(self, record: Record, line: bytes) -> None:
        """
        @param line: with its newline.
        @raise ValueError: it does not come after the one before.
        """
        if record.key <= self.last:
            raise ValueError("it is not in order after the record before it")
        self.counts.add(record, new=record.conversation != self.last[0])
        self.last = record.key
        self._hash.update(line)


class LineWriter:
    """
    Makes the bytes of a file.

    @param hashed: what is in the file already.
    """

    def __init__(self, hashed: Hashed | None = None) -> None:
        self._hashed = hashed or Hashed()
        self._records = self._bytes = 0

    @property
    def counts(self) -> RecordCounts:
        return self._hashed.counts

    @property
    def sha256(self) -> str:
        return self._hashed.sha256

    @property
    def last(self) -> Key:
        """
        The key of the last record; less than any where there is none.
        """
        return self._hashed.last

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


def _line(line: Line) -> bytes:
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
    def counts(self) -> RecordCounts:
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

    def _decoded(self, line: bytes) -> Line:
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


def whole_part(lines: Iterable[bytes]) -> tuple[Hashed, int]:
    """
    What a file that was cut has whole.

    @return: its records so far, and after how many bytes a writer goes on; no bytes
        where nothing is whole.
    """
    reader, hashed, whole, size = LineReader(), Hashed(), 0, 0

    def measured() -> Iterator[bytes]:
        nonlocal size
        for line in lines:
            size += len(line)
            yield line

    try:
        for batch in reader.batches(measured()):
            for record in batch.records:
                hashed.add(record, _line(record))
            whole = size
    except BadFile:
        pass
    return hashed, whole


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """
    The lines of a stream, in bounded memory whatever is in it.
    """
    while line := stream.readline(LONGEST_LINE):
        yield line
