"""
The meaning of Kafka's errors, by their names in librdkafka; no I/O.
"""

from __future__ import annotations

from enum import Enum, auto

from wsmsg.dependency.cause import Cause, KnownCause


class Meaning(Enum):
    """
    The consequence of an error that a client reported by itself.
    """

    #: Harmless, or it passes; for debugging only.
    PASSING = auto()
    #: The journal is away: report it, and check until it is back.
    LOST = auto()
    #: The client is useless: make a new one.
    RUINED = auto()
    #: The record at the committed position is gone.
    GAP = auto()
    #: A commit for a partition that another member has.
    FOREIGN = auto()


_LOST = frozenset(
    {
        "_ALL_BROKERS_DOWN",
        "_AUTHENTICATION",
        "_UNKNOWN_TOPIC",
        "_UNKNOWN_PARTITION",
        "UNKNOWN_TOPIC_OR_PART",
        "TOPIC_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "SASL_AUTHENTICATION_FAILED",
        "UNSUPPORTED_SASL_MECHANISM",
    }
)

_GAPS = frozenset({"_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE", "_NO_OFFSET"})

_FOREIGN = frozenset(
    {
        "ILLEGAL_GENERATION",
        "UNKNOWN_MEMBER_ID",
        "REBALANCE_IN_PROGRESS",
        "STALE_MEMBER_EPOCH",
        "FENCED_MEMBER_EPOCH",
        "_ASSIGNMENT_LOST",
        "_NO_OFFSET",
    }
)

#: Errors of one record, which do not affect the others.
_TOO_LARGE = frozenset({"MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"})


def meaning(name: str, *, fatal: bool = False) -> Meaning:
    """
    Return what an error means.

    @param name: C{KafkaError.name()}.
    @param fatal: C{KafkaError.fatal()}.
    """
    if name == "_GAPLESS_GUARANTEE":
        # The record that failed is reported too, and names the cause.
        return Meaning.PASSING
    if fatal or name in ("_FATAL", "_FENCED", "UNSUPPORTED_ASSIGNOR", "INVALID_CONFIG"):
        return Meaning.RUINED
    if name in _LOST:
        return Meaning.LOST
    if name in _GAPS:
        return Meaning.GAP
    return Meaning.PASSING


def commit_meaning(name: str) -> Meaning:
    """
    Return what an error of a commit means.
    """
    return Meaning.FOREIGN if name in _FOREIGN else meaning(name)


def too_large(name: str) -> bool:
    """
    Return L{True} if a record was refused for its size.
    """
    return name in _TOO_LARGE


_WORDS = {
    "_ALL_BROKERS_DOWN": "no broker can be reached",
    "_TRANSPORT": "no broker can be reached",
    "_TIMED_OUT": "no broker answered in time",
    "_MSG_TIMED_OUT": "no broker took the record within the delivery timeout",
    "_PURGE_QUEUE": "given up with an earlier record",
    "_PURGE_INFLIGHT": "given up with an earlier record",
    "_AUTHENTICATION": "the broker refuses our credentials",
    "SASL_AUTHENTICATION_FAILED": "the broker refuses our credentials",
    "_SSL": "TLS with the broker failed",
    "_RESOLVE": "the name of a broker cannot be resolved",
    "UNKNOWN_TOPIC_OR_PART": "the topic does not exist, or the user may not see it",
    "_UNKNOWN_TOPIC": "the topic does not exist, or the user may not see it",
    "TOPIC_AUTHORIZATION_FAILED": "the user has no right to this topic",
    "GROUP_AUTHORIZATION_FAILED": "the user has no right to this group",
    "CLUSTER_AUTHORIZATION_FAILED": "the user has no right to write idempotently",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": "the user has no right to transactions",
    "NOT_ENOUGH_REPLICAS": "too few replicas are in sync",
    "_FENCED": "another Message has taken over",
}


def describe(name: str, text: str) -> str:
    """
    Word an error for an operator: in plain terms where known, with the library's text.

    @param text: the library's text, which may name the broker and the cause.
    """
    words = _WORDS.get(name)
    if words is None:
        return f"{text} ({name})"
    return f"{words} ({name}: {text})" if text else f"{words} ({name})"


_CAUSES = {
    "_ALL_BROKERS_DOWN": Cause.UNREACHABLE,
    "_TRANSPORT": Cause.UNREACHABLE,
    "_TIMED_OUT": Cause.UNREACHABLE,
    "_RESOLVE": Cause.UNREACHABLE,
    "_SSL": Cause.TLS,
    "_AUTHENTICATION": Cause.CREDENTIALS,
    "SASL_AUTHENTICATION_FAILED": Cause.CREDENTIALS,
    "UNKNOWN_TOPIC_OR_PART": Cause.TOPIC_MISSING,
    "_UNKNOWN_TOPIC": Cause.TOPIC_MISSING,
    "TOPIC_AUTHORIZATION_FAILED": Cause.TOPIC_RIGHTS,
    "GROUP_AUTHORIZATION_FAILED": Cause.RIGHTS,
    "CLUSTER_AUTHORIZATION_FAILED": Cause.RIGHTS,
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": Cause.RIGHTS,
}


def failure_of(name: str, text: str) -> KnownCause:
    """
    Return an error as the failure of a dependency.
    """
    return KnownCause(describe(name, text), _CAUSES.get(name, Cause.UNKNOWN))


class ReportedErrors:
    """
    The last errors that clients reported: the library itself fails with no more than
    "timed out" when it could not even connect.
    """

    _SPEAKING = ("_AUTHENTICATION", "_SSL", "_RESOLVE", "_TRANSPORT")

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def note(self, name: str, text: str) -> None:
        if name in self._SPEAKING:
            self._last[name] = text

    def clear(self) -> None:
        self._last.clear()

    def failure(self, name: str, text: str) -> KnownCause:
        """
        Return the failure of the most telling error: of a reported one, or else of this
        one.
        """
        for reported in self._SPEAKING:
            if reported in self._last:
                return failure_of(reported, self._last[reported])
        return failure_of(name, text)


class RetiredTopic(KnownCause):
    """
    The topic takes no more records, and another one may have its place.
    """

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"topic {topic} takes no more records: wsmsg journal repartition is not "
            "finished, or another topic has its place",
            Cause.TOPIC_RETIRED,
        )
