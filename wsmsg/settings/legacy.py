"""
What Message does for deployed Connects.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wsmsg.settings.base import Bytes, Count, Seconds, Section


class MessageLegacySettings(Section):
    """
    What is held for one stream of a deployed Connect.  All of it can change live.

    @ivar records: pushes and answers that it has not taken; over it the stream
        is ended.
    @ivar record_bytes: the same in bytes.
    @ivar unsettled: pushes that wait for it to be written before their records count as
        settled; older ones are settled all the same.
    @ivar unsettled_s: for how long they wait at the most.
    @ivar sends: messages of it that are not accepted yet; a further one fails.
    @ivar send_bytes: the same in bytes.
    @ivar send_s: for how long what is refused for a moment is given again; then it has
        failed.
    @ivar acks: its acknowledgements that wait to be stored; a further one is not
        confirmed.
    @ivar history: the most messages that one page of C{GetHistoryMessages} has.
    @ivar history_depth: how far into the messages of a user, of several conversations,
        pages reach.
    """

    records: Count = 20000
    record_bytes: Bytes = 64 * 2**20
    unsettled: Count = 1000
    unsettled_s: Seconds = 5.0
    sends: Count = 10000
    send_bytes: Bytes = 32 * 2**20
    send_s: Seconds = 60.0
    acks: Count = 20000
    history: Annotated[Count, Field(le=1000)] = 200
    history_depth: Annotated[Count, Field(le=1_000_000)] = 10000
