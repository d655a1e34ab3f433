"""
The bytes of a record: L{wsmsg.rpc.record_pb2.Record}.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError

from wsmsg.errors import BadRequest
from wsmsg.events import EVENT_KINDS
from wsmsg.events.kind import InvalidContent
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.model import InvalidName, Message, group_in, is_group, members_of
from wsmsg.rpc.record_pb2 import Record
from wsmsg.tracing.context import is_traced

#: The version of the records that this code writes, and the newest that it reads.
VERSION = 1

_REASON = 200


def encode(message: Message) -> bytes:
    """
    Return the record of an accepted message, which has no number yet.

    @raise BadRequest: a text is not valid Unicode, or a number is not an int64.
    """
    try:
        record = Record(
            version=VERSION,
            sender=message.sender,
            client_id=message.client_id,
            conversation=message.conversation,
            message_id=message.message_id,
            content=message.content,
            kind=message.kind,
            time_ms=message.time_ms,
            connect=message.connect,
        )
        if message.extra:
            record.extra = message.extra
        if message.traceparent:
            record.trace_id = message.traceparent
        return record.SerializeToString()
    except ValueError as e:
        # A UnicodeEncodeError, or the error of protobuf for a number out of range.
        raise BadRequest(f"the message cannot be encoded: {e}") from e


def decode(partition: int, offset: int, value: bytes, time_ms: int = 0) -> JournalEntry:
    """
    Return the entry of a record, with its problem if it cannot be decoded.
    """
    try:
        record = Record.FromString(value)
    except DecodeError:
        return JournalEntry(
            partition, offset, None, value, "the record is not a protobuf"
        )
    problem = _record_problem(record)
    if problem:
        return JournalEntry(partition, offset, None, value, problem)
    traceparent = record.trace_id
    message = Message(
        record.conversation,
        record.sender,
        record.client_id,
        record.message_id,
        record.content,
        record.kind,
        record.time_ms,
        extra=record.extra,
        connect=record.connect,
        traceparent=traceparent if traceparent and is_traced(traceparent) else "",
    )
    return JournalEntry(partition, offset, message, value, "", time_ms)


def _record_problem(record: Record) -> str:
    if record.version > VERSION:
        return (
            f"the record has version {record.version}, "
            f"and this wsmsg reads up to {VERSION}"
        )
    if not record.version:
        return "the record has no version"
    if not record.conversation or not record.client_id or record.sender <= 0:
        return "the record has no conversation, no sender or no client id"
    try:
        problem = _parties_problem(record)
    except (InvalidName, InvalidContent) as e:
        return str(e)[:_REASON]
    if problem:
        return problem
    if record.message_id <= 0 or record.time_ms < 0 or record.kind < 0:
        return "the record has an impossible message id, time or kind"
    return ""


def _parties_problem(record: Record) -> str:
    if record.kind in EVENT_KINDS:
        kind = EVENT_KINDS[record.kind]
        problem = kind.record_problem(record.conversation, record.content)
        if problem:
            return problem
    # Membership of a group was checked when the message was accepted.
    if is_group(record.conversation):
        group_in(record.conversation)
    elif record.sender not in members_of(record.conversation):
        return f"the sender {record.sender} is not in {record.conversation}"
    return ""


class RecordSizes:
    """
    The mean length of the records that were appended lately.
    """

    _MANY = 10_000

    def __init__(self) -> None:
        self._records = 0
        self._bytes = 0

    def add(self, records: int, n_bytes: int) -> None:
        """
        Count records of this length in total; older ones count less and less.
        """
        if self._records >= self._MANY:
            self._records //= 2
            self._bytes //= 2
        self._records += records
        self._bytes += n_bytes

    def bytes_of(self, records: int) -> int:
        """
        Return about the length of so many records; 0 if none was appended yet.
        """
        return records * self._bytes // self._records if self._records else 0
