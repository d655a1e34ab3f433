"""
The topics that must exist, those that do, and what is wrong with them; no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from wsmsg.dependency.cause import Cause, KnownCause
from wsmsg.message.journal.kafka.config import RETIRED_BYTES, KafkaPlace
from wsmsg.message.journal.kafka.durability import created_config
from wsmsg.text.counted import counted


@attrs.frozen
class WantedTopics:
    """
    A topic that must exist.

    @ivar partitions: of a topic that is created.
    @ivar rights: the operations that the user must be allowed.
    @ivar config: the configuration of a topic that is created.
    @ivar exact: a topic with other partitions is refused.
    """

    name: str
    partitions: int
    rights: Collection[str]
    config: dict[str, str]
    exact: bool = False


@attrs.frozen
class FoundTopics:
    """
    A topic that exists.

    @ivar rights: the operations that the user is allowed; L{None}: the broker does not
        say.
    @ivar replicas: the fewest replicas of a partition.
    @ivar config: the settings that matter; L{None}: the broker does not say.
    """

    partitions: int
    rights: Collection[str] | None = None
    replicas: int = 0
    config: Mapping[str, str] | None = None

    @property
    def most_bytes(self) -> int:
        """
        The limit of a record; 0: the broker does not say.
        """
        return int((self.config or {}).get("max.message.bytes", 0))

    @property
    def is_retired(self) -> bool:
        """
        The topic takes no more records.
        """
        return 0 < self.most_bytes <= RETIRED_BYTES


def wanted_topics(place: KafkaPlace) -> list[WantedTopics]:
    """
    Return the topic of messages, and that of dead letters.  The latter has one
    partition: the offset of a letter gives its number.
    """
    size = {"max.message.bytes": str(max(place.record_bytes + 4096, 1048588))}
    rights = ("READ", "WRITE")
    replication = place.settings.replication
    return [
        WantedTopics(
            place.topic,
            place.settings.partitions,
            rights,
            {**size, **created_config(replication, compacted=False)},
        ),
        WantedTopics(
            place.dead_letters,
            1,
            rights,
            {**size, **created_config(replication, compacted=True)},
            exact=True,
        ),
    ]


def topic_problem(
    wanted: WantedTopics, found: FoundTopics, record_bytes: int
) -> KnownCause | None:
    """
    Return what is wrong with a topic, or L{None}.
    """
    if wanted.exact and found.partitions != wanted.partitions:
        return KnownCause(
            f"topic {wanted.name} has {counted(found.partitions, 'partition')} and "
            f"must have {wanted.partitions}",
            Cause.TOPIC_PARTITIONS,
        )
    if found.rights is not None:
        missing = [right for right in wanted.rights if right not in found.rights]
        if missing:
            rights = " or ".join(missing)
            return forbidden(rights, wanted.name)
    if 0 < found.most_bytes < record_bytes:
        return KnownCause(
            f"topic {wanted.name} takes records of {found.most_bytes} bytes "
            f"(max.message.bytes), and a message may have {record_bytes}",
            Cause.TOPIC_BYTES,
        )
    return None


def forbidden(rights: str, topic: str) -> KnownCause:
    """
    Return the failure of a user without rights to a topic.
    """
    return KnownCause(f"the user may not {rights} topic {topic}", Cause.TOPIC_RIGHTS)
