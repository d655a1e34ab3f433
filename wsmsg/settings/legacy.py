"""
Section C{legacy} of each daemon: clients and peers of the legacy system.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from wsmsg.settings.base import URL, Bytes, Count, Networks, Seconds, Section
from wsmsg.settings.urls.backends import check_redis


class ConnectLegacySettings(Section):
    """
    Service for legacy clients, and for legacy Connects that run at the same time.

    @ivar callers: addresses, or networks, whose calls of C{online_status} by gRPC are
        answered although the caller proves nothing.
    @ivar redis: the Redis of the legacy Connects, as C{redis://host:port/0}: Connect
        lists its users there and relays messages through it, as legacy Connects do;
        empty: none.
    @ivar redis_password: of the user in that URL.
    @ivar token_secret: key of HS256 tokens that legacy clients may have besides the
        usual ones, with C{user_id} in place of C{sub}; empty: none.
    @ivar heartbeat_s: seconds of silence before a legacy client is pinged, and again
        before its connection ends.
    @ivar presence: send legacy clients messages of type 10 about the presence of the
        people that they talk to.
    @ivar redeliver: send legacy clients on connect the messages that they have not
        acknowledged.
    @ivar send_keep_s: time for which Connect retries a message of a legacy client that
        Message refuses temporarily; then Connect gives it up.
    @ivar user_sends: messages of one user that may wait for a retry; at this number
        Connect stops reading the user's connections.
    @ivar held_bytes: bytes of all waiting messages; at this number Connect stops
        reading all legacy clients.
    """

    callers: Networks = ()
    redis: Annotated[
        str,
        AfterValidator(check_redis),
        URL,
    ] = ""
    redis_password: SecretStr = SecretStr("")
    token_secret: SecretStr = SecretStr("")
    heartbeat_s: Annotated[float, Field(ge=0.1, le=600)] = 30.0
    presence: bool = False
    redeliver: bool = False
    send_keep_s: Seconds = 300.0
    user_sends: Count = 2000
    held_bytes: Bytes = 64 * 2**20


class MessageLegacySettings(Section):
    """
    Service for legacy peers.  All of it but C{http} can change live.

    @ivar callers: addresses, or networks, of legacy Connects: they prove nothing, and
        are served the legacy contract alone.
    @ivar http: serve the HTTP contract of the legacy system on C{listen}.
    @ivar records: pushes and answers that a legacy Connect has not read;
        over it Message ends the stream.
    @ivar record_bytes: the same, in bytes.
    @ivar unsettled: newest pushes that keep their records unsettled until they are
        written; older ones count as settled at once.
    @ivar unsettled_s: the time limit for that.
    @ivar sends: messages of the Connect that are not accepted yet; a further one fails.
    @ivar send_bytes: the same, in bytes.
    @ivar send_s: time for which Message retries a send that is refused temporarily;
        then the send fails.
    @ivar acks: acknowledgements of the Connect that wait to be stored; a further one is
        not confirmed.
    @ivar history: most messages in one page of C{GetHistoryMessages}.
    @ivar history_depth: number of messages of a user, over all conversations, that the
        pages cover.
    """

    callers: Networks = ()
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
