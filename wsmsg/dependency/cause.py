"""
The causes of failures that an operator can remove.
"""

from __future__ import annotations

from enum import StrEnum

from wsmsg.errors import Unavailable


class Cause(StrEnum):
    """
    The cause of a failure, for programs: C{/readyz} shows it beside the reason, and
    C{wsmsg doctor} has a remedy for it.
    """

    UNKNOWN = ""
    UNREACHABLE = "unreachable"
    TLS = "tls"
    CREDENTIALS = "credentials"
    RIGHTS = "rights"
    TOPIC_RIGHTS = "topic_rights"
    TOPIC_MISSING = "topic_missing"
    TOPIC_PARTITIONS = "topic_partitions"
    TOPIC_RETIRED = "topic_retired"
    TOPIC_BYTES = "topic_bytes"
    TOPIC_DURABILITY = "topic_durability"
    STORE_DURABILITY = "store_durability"


class KnownCause(Unavailable):
    """
    A failure whose cause is known.
    """

    def __init__(self, reason: str, cause: Cause) -> None:
        super().__init__(reason)
        self.cause = cause
