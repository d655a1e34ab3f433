"""
Records of the Kafka library as entries of the journal.
"""

from __future__ import annotations

from confluent_kafka import Message

from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.record import decode


def entry_of(record: Message) -> JournalEntry | None:
    """
    Return a record that was written or fetched; L{None}: its offset is not known, as
    that of a repeated write.
    """
    partition, offset = record.partition(), record.offset()
    if partition is None or offset is None or offset < 0:
        return None
    value, (_, time_ms) = record.value(), record.timestamp()
    value = value if isinstance(value, bytes) else b""
    return decode(partition, offset, value, max(time_ms, 0))
