"""
The ends of the assigned partitions, as one consumer knows them.

The library learns the ends by fetching, which it does not do while the partitions are
paused.  What it has from before is older than the answers of the broker then.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from confluent_kafka import Consumer, KafkaException, TopicPartition
from twisted.logger import Logger

#: The interval of questions for the ends of partitions that are paused.
_EACH_S = 1.0
#: Time limit for the question for the end of a partition.
ANSWER_S = 0.5


class PartitionEnds:
    """
    Used in the thread of the consumer.

    @ivar known: the known end of each assigned partition; read in the reactor too.
    """

    _log = Logger()

    def __init__(self, client: Consumer, topic: str) -> None:
        self.known: dict[int, int] = {}
        self._client = client
        self._topic = topic
        self._emptied: set[int] = set()
        self._asked_s = 0.0

    def look(self, partitions: Iterable[int], *, paused: bool) -> None:
        """
        Read the ends of these partitions: once a second while they are paused.
        """
        if paused:
            if monotonic() - self._asked_s < _EACH_S:
                return
            self._asked_s = monotonic()
        try:
            for partition in set(partitions) - self._emptied:
                low_high = self._client.get_watermark_offsets(
                    TopicPartition(self._topic, partition),
                    timeout=ANSWER_S,
                    cached=not paused,
                )
                known = 0 if paused else self.known.get(partition, 0)
                if low_high and low_high[1] >= 0:
                    self.known[partition] = max(low_high[1], known)
        except KafkaException as e:
            error = e.args[0]
            self._log.debug("{name}: {text}", name=error.name(), text=error.str())

    def bounds(self, partition: int, timeout_s: float) -> tuple[int, int]:
        """
        Ask for the oldest offset and the end; 0 and -1: the brokers do not answer.
        """
        place = TopicPartition(self._topic, partition)
        try:
            return self._client.get_watermark_offsets(place, timeout_s) or (0, -1)
        except KafkaException:
            return 0, -1

    def at_least(self, partition: int, end: int) -> None:
        """
        Note an answer of the broker.
        """
        self.known[partition] = max(end, self.known.get(partition, 0))

    def arrived(self, partitions: Iterable[int]) -> None:
        """
        Note that records of these partitions arrived.
        """
        self._emptied.difference_update(partitions)

    def emptied(self, partition: int) -> None:
        """
        Note that records are gone.  They do not wait any more: the end counts again
        when a record arrives.
        """
        self._emptied.add(partition)
        self.known.pop(partition, None)

    def drop(self, partition: int) -> None:
        """
        Note that a partition is not read any more.
        """
        self._emptied.discard(partition)
        self.known.pop(partition, None)
