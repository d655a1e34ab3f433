"""
The conditions under which a topic keeps what was accepted.

A record counts as accepted when all replicas in sync have it (C{acks=all}).  The
topic's settings decide what that is worth: how many replicas there are, how many must
be in sync, whether one that is not may lead, and when the brokers remove records that
nobody has read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.dependency.alarms import Alarms
from wsmsg.errors import Unavailable

#: The interval of checks of the topics' settings.
CHECK_S = 60.0
_DAY_MS = 86_400_000
#: The retention of the topic of messages that Message creates.
RETENTION_MS = 7 * _DAY_MS
_FOREVER = "-1"
_DELETE = "delete"
_COMPACT = "compact"

#: The settings of a topic that are looked at.
KEYS = (
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "cleanup.policy",
    "retention.ms",
    "retention.bytes",
    "max.message.bytes",
)


@attrs.frozen
class TopicDurability:
    """
    One topic, as the brokers describe it.

    @ivar replicas: the fewest replicas of a partition.
    @ivar config: the values of L{KEYS}; L{None}: the user may not ask for them.
    @ivar compacted: it is the topic of dead letters, which is compacted.
    """

    name: str
    replicas: int
    config: Mapping[str, str] | None
    compacted: bool = False

    @property
    def retention_s(self) -> float:
        """
        The seconds after which records are removed, read or not; 0: never, or not
        known.
        """
        if self.config is None or self.compacted:
            return 0.0
        return max(_number(self.config, "retention.ms"), 0) / 1000


def created_config(replication: int, *, compacted: bool) -> dict[str, str]:
    """
    Return the settings of a topic that Message creates.

    @param replication: the replication factor; 0: the brokers' default, as is what
        depends on it.
    """
    config = {
        "cleanup.policy": _COMPACT if compacted else _DELETE,
        "retention.ms": _FOREVER if compacted else str(RETENTION_MS),
        "retention.bytes": _FOREVER,
        "unclean.leader.election.enable": "false",
    }
    if replication:
        config["min.insync.replicas"] = str(min(replication, 2))
    return config


def durability_problems(topic: TopicDurability) -> list[str]:
    """
    Return what may lose accepted messages: each key with its value, the value wanted,
    and the reason.
    """
    found = [
        f"{key} of topic {topic.name} is {seen}, wanted {wanted}: {why}"
        for key, seen, wanted, why in _findings(topic)
    ]
    if topic.config is None:
        found.append(
            f"the settings of topic {topic.name} cannot be checked: the user may not "
            "DESCRIBE_CONFIGS"
        )
    return found


def _findings(topic: TopicDurability) -> Iterator[tuple[str, object, str, str]]:
    if topic.replicas < 2:
        why = "a broker that loses its disk loses accepted messages"
        yield "replication factor", topic.replicas, "3 (at least 2)", why
    if topic.config is None:
        return
    config = topic.config
    in_sync = _number(config, "min.insync.replicas")
    if in_sync < 2:
        why = "a message may be accepted while one broker alone has it"
        yield "min.insync.replicas", in_sync, "2", why
    if config.get("unclean.leader.election.enable", "false") != "false":
        why = "a broker that lacks accepted messages may become the leader"
        yield "unclean.leader.election.enable", "true", "false", why
    yield from _removal(topic, config)


def _removal(
    topic: TopicDurability, config: Mapping[str, str]
) -> Iterator[tuple[str, object, str, str]]:
    policy = config.get("cleanup.policy", _DELETE)
    wanted = _COMPACT if topic.compacted else _DELETE
    if policy != wanted:
        why = "the brokers remove records that nobody has read"
        yield "cleanup.policy", policy, wanted, why
    if topic.compacted:
        return
    retention_ms = _number(config, "retention.ms")
    if 0 <= retention_ms < _DAY_MS:
        why = "messages that wait for the store are removed after that time"
        yield "retention.ms", retention_ms, f"{_DAY_MS} or more, or -1", why
    retention_bytes = _number(config, "retention.bytes")
    if retention_bytes >= 0:
        why = "messages that wait for the store are removed above that size"
        yield "retention.bytes", retention_bytes, "-1", why


def _number(config: Mapping[str, str], key: str) -> int:
    """
    Return a number; -1 where the brokers do not say one.
    """
    try:
        return int(config.get(key, "-1"))
    except ValueError:
        return -1


class CheckedTopics(Protocol):
    """
    The topics, as L{wsmsg.message.journal.kafka.topics.KafkaTopics} checks them.
    """

    @property
    def problems(self) -> Sequence[str]: ...

    def check_durability(self) -> None:
        """
        Read the settings of the topics again.
        """


class DurabilityWatch:
    """
    Reads the settings of the topics each minute, and raises the alarm C{durability}.

    @param call: makes a blocking call while the journal is up; its failure
        L{Unavailable} means that the journal is lost.
    """

    _log = Logger()

    def __init__(
        self,
        topics: CheckedTopics,
        call: Callable[[Callable[[], None]], Deferred[None]],
        alarms: Alarms,
        clock: IReactorTime,
    ) -> None:
        self._topics = topics
        self._call = call
        self._alarms = alarms
        self._checks = LoopingCall(self._check)
        self._checks.clock = clock

    def start(self) -> None:
        """
        Check each minute from now on; the journal makes the first check itself.
        """
        if not self._checks.running:
            self._checks.start(CHECK_S, now=False)

    def stop(self) -> None:
        """
        Check no more.
        """
        if self._checks.running:
            self._checks.stop()

    def report(self) -> None:
        """
        Raise the alarm for what the last check found, or clear it.
        """
        self._alarms.set("durability", "; ".join(self._topics.problems))

    def _check(self) -> Deferred[None]:
        checked = self._call(self._topics.check_durability)
        return checked.addErrback(self._failed).addCallback(lambda _: self.report())

    def _failed(self, failure: Failure) -> None:
        if failure.check(Unavailable) is None:
            self._log.failure("checking the topics", failure)
