"""
Settings of what both daemons do for the legacy system.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, SecretStr

from wsmsg.settings.base import Bytes, Count, Seconds, Section
from wsmsg.settings.urls.backends import check_redis, without_password


class ConnectLegacySettings(Section):
    """
    What a Connect does for the clients, and beside the Connects, of a system that was
    there before.

    @ivar redis: the Redis of deployed Connects, as C{redis://host:port/0}: users and
        what is forwarded are told there as theirs are; empty: they are not.
    @ivar redis_password: of the user in that URL.
    @ivar redeliver: give the clients on connect what they have not acknowledged.
    @ivar send_keep_s: how long a message of theirs that is refused for a moment is
        kept and given again; then it is given up.
    @ivar user_sends: messages of one user that may be kept; at it the user's
        connections are not read.
    @ivar held_bytes: bytes of all that is kept; at it no such client is read.
    """

    redis: Annotated[
        str,
        AfterValidator(check_redis),
        PlainSerializer(without_password, when_used="json"),
    ] = ""
    redis_password: SecretStr = SecretStr("")
    redeliver: bool = False
    send_keep_s: Seconds = 300.0
    user_sends: Count = 2000
    held_bytes: Bytes = 64 * 2**20


class MessageLegacySettings(Section):
    """
    What Message does for legacy peers.  All but C{http} can change live.

    @ivar http: serve the HTTP contract of the legacy system on C{listen}.
    @ivar records: pushes and answers that a legacy Connect has not read from its
        stream; over it Message ends the stream.
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

    http: bool = True
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
