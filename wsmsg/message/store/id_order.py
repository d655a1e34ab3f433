"""
The order of message ids.

Ids have been below 2^53 since the layout of L{wsmsg.message.cluster.message_ids}; the
ones of before are above it, and older.
"""

from __future__ import annotations

#: The ids from here on are older than those below.
OLDER_FROM = 2**53


def id_order(message_id: int) -> tuple[bool, int]:
    """
    Return a key by which older messages come first.  The order of 0, which is before
    all ids, is the lowest.
    """
    return 0 < message_id < OLDER_FROM, message_id
