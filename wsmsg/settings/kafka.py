"""
Settings of the servers of a Message: a C{kafka:} journal, and a C{mongodb:} store.
"""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from wsmsg.settings.base import Count, Section
from wsmsg.settings.urls.backends import check_topic


def _readable(path: str) -> str:
    if path and not os.access(path, os.R_OK):
        raise ValueError(f"{path} is not a readable file")
    return path


class KafkaSettings(Section):
    """
    A C{kafka:} journal.  Nothing of it can change live.

    @ivar group: the consumer group; all Messages of one system share it.
    @ivar partitions: the number of partitions of a topic that Message creates; one that
        exists keeps its number, as conversations would change partitions.
    @ivar replication: replication factor of topics that Message creates; 0: the
        brokers' default.
    @ivar create_topics: create missing topics.
    @ivar strict: refuse topics whose settings may lose accepted messages, instead of
        raising an alarm.
    @ivar group_protocol: C{consumer} is that of KIP-848, C{classic} the older one.
    @ivar session_timeout_s: with C{classic}, the time after which the partitions of a
        dead Message move to others; with C{consumer} the brokers decide.
    @ivar delivery_timeout_s: a record that no broker accepts within this time is
        refused.
    @ivar linger_ms: the shortest time between two appends; records in between are
        batched.
    @ivar revoke_s: time for which a revoked partition waits for records that can still
        be settled.
    @ivar tls_ca: a PEM file of certificate authorities; empty: those of the system.
    """

    group: Annotated[str, Field(min_length=1, max_length=200)] = "wsmsg-delivery"
    dead_letters: Annotated[str, AfterValidator(check_topic)] = "wsmsg.dead-letters"
    partitions: Annotated[Count, Field(le=10000)] = 4
    replication: Annotated[int, Field(ge=0, le=100)] = 0
    create_topics: bool = False
    strict: bool = False
    group_protocol: Literal["classic", "consumer"] = "consumer"
    session_timeout_s: Annotated[float, Field(ge=1, le=300)] = 6.0
    delivery_timeout_s: Annotated[float, Field(ge=0.5, le=300)] = 4.0
    linger_ms: Annotated[float, Field(ge=0, le=1000)] = 10.0
    revoke_s: Annotated[float, Field(ge=0, le=30)] = 1.0
    sasl: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    username: str = ""
    password: SecretStr = SecretStr("")
    tls: bool = False
    tls_ca: Annotated[str, AfterValidator(_readable)] = ""
    tls_cert: Annotated[str, AfterValidator(_readable)] = ""
    tls_key: Annotated[str, AfterValidator(_readable)] = ""


class MongoSettings(Section):
    """
    A C{mongodb:} store.  Nothing of it can change live.

    @ivar strict: refuse a deployment that may lose stored messages, instead of raising
        an alarm.
    """

    strict: bool = False
