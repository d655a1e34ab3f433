"""
The steps of a repartition at the brokers.  Each may be repeated, after a crash too::

    make     a topic with the new number of partitions; nobody uses it
    retire   the brokers refuse all further records of the old topic
    seal     whatever they took before has been written
    left     the records of the old topic that are not settled, until there are none

Then the store names the new topic, and the Messages go on with it
(L{wsmsg.message.journal.kafka.journal}).  So a record of a conversation is written to
the new topic only after those in the old one are stored, and their order stays.

All methods block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

import attrs
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
)
from confluent_kafka.cimpl import NewTopic

from wsmsg.errors import Unavailable
from wsmsg.message.journal.kafka.config import (
    RETIRED_BYTES,
    KafkaPlace,
    connection,
    group_asker,
    reader,
    replayer,
)
from wsmsg.message.journal.kafka.errors import describe, too_large
from wsmsg.message.journal.kafka.log import QUIET
from wsmsg.message.journal.kafka.topic_facts import wanted_topics
from wsmsg.text.counted import counted

_ANSWER_S = 10.0
_SIZE = "max.message.bytes"
#: A record that a retired topic refuses.
_PROBE = bytes(2 * RETIRED_BYTES)
_PROBES = 30
#: So many names are tried for the new topic.
_NAMES = 100
#: Records of a partition are read, to tell them from marks, where there may be so few.
_FEW = 100
_POLL_S = 1.0
_HEARD_S = 0.02


class NotMoved(Exception):
    """
    The topic cannot be moved, with the reason for the operator.
    """


@attrs.frozen
class TopicFacts:
    """
    A topic that exists.

    @ivar replicas: of its first partition.
    @ivar config: what was set for this topic.
    """

    partitions: int
    replicas: int
    config: Mapping[str, str]

    @property
    def is_retired(self) -> bool:
        """
        The topic takes no more records.
        """
        return 0 < int(self.config.get(_SIZE, 0)) <= RETIRED_BYTES


@attrs.frozen
class MovePlan:
    """
    The topics of a move.

    @ivar exists: an earlier attempt has made the new one.
    """

    before: str
    facts: TopicFacts
    after: str
    exists: bool


def following_name(topic: str) -> str:
    """
    Return the name of the next generation of a topic.
    """
    generation = re.fullmatch(r"(.+)\.(\d{1,6})", topic)
    if generation is None:
        return f"{topic}.2"
    return f"{generation[1]}.{int(generation[2]) + 1}"


class TopicMove:
    """
    A move of the topic of C{place} to a topic with another number of partitions.
    """

    def __init__(self, place: KafkaPlace, partitions: int) -> None:
        self._place = place
        self._partitions = partitions

    def plan(self) -> MovePlan:
        """
        Look at the topics; nothing is changed.

        @raise NotMoved: there is nothing to move.
        @raise Unavailable: the brokers do not answer, or refuse.
        """
        with _reported():
            topic = self._place.topic
            facts = self._facts(topic)
            if facts is None:
                raise NotMoved(f"topic {topic} does not exist")
            if facts.partitions == self._partitions and not facts.is_retired:
                n = counted(facts.partitions, "partition")
                raise NotMoved(f"topic {topic} has {n} already")
            name = topic
            for _ in range(_NAMES):
                name = following_name(name)
                there = self._facts(name)
                if there is None or self._is_unused(name, there):
                    return MovePlan(topic, facts, name, there is not None)
        raise NotMoved(f"there are {_NAMES} topics with names up to {name}")

    def make(self, plan: MovePlan) -> None:
        """
        Make the new topic, with what was set for the old one.

        @raise Unavailable: it cannot be made.
        """
        if plan.exists:
            return
        config = {**plan.facts.config}
        if plan.facts.is_retired or _SIZE not in config:
            config[_SIZE] = self._wanted_bytes
        new = NewTopic(
            plan.after,
            num_partitions=self._partitions,
            replication_factor=plan.facts.replicas,
            config=config,
        )
        with _reported():
            admin = self._admin()
            made = admin.create_topics([new], request_timeout=_ANSWER_S)
            made[plan.after].result()

    def retire(self, topic: str) -> None:
        """
        Have the brokers refuse all further records of a topic.

        @raise Unavailable: they do not answer, or this user has no right to that.
        """
        self._limit(topic, str(RETIRED_BYTES))

    def reopen(self, topic: str) -> bool:
        """
        Undo L{retire}.

        @return: whether it was retired.
        """
        with _reported():
            facts = self._facts(topic)
            if facts is None or not facts.is_retired:
                return False
            following = self._facts(following_name(topic))
            size = following.config.get(_SIZE, "") if following is not None else ""
        self._limit(topic, size or self._wanted_bytes)
        return True

    def seal(self, plan: MovePlan) -> dict[int, int]:
        """
        Make sure that the leader of each partition refuses records, and that those it
        took before are on all replicas in sync.

        A record is written to each partition in a transaction, until it is refused; the
        transaction is aborted, so nobody sees one that was not.  Its marks come behind
        all that was written before, and the brokers begin no further transaction of
        this name until all of them are written.

        @return: the end of each partition, which stays.
        """
        open_ = set(range(plan.facts.partitions))
        with _reported():
            for _ in range(_PROBES):
                open_ -= self._refusing(plan.before, open_)
                if not open_:
                    break
            else:
                raise Unavailable(
                    f"partitions {sorted(open_)} of topic {plan.before} still take "
                    "records"
                )
            self._begun()
        return self.ends(plan)

    def left(self, topic: str, ends: Mapping[int, int]) -> int:
        """
        Return about how many records before these ends are not settled; 0: all are.
        """
        with _reported():
            asker = Consumer({**group_asker(self._place), "logger": QUIET})
            try:
                places = [TopicPartition(topic, p) for p in ends]
                at = {
                    place.partition: place.offset
                    for place in asker.committed(places, timeout=_ANSWER_S)
                }
                begins = {p: max(at[p], _bounds(asker, topic, p)[0]) for p in ends}
            finally:
                asker.close()
            behind = {p: ends[p] - begins[p] for p in ends if ends[p] > begins[p]}
            if any(n > _FEW for n in behind.values()):
                return sum(behind.values())
            return self._records(topic, {p: begins[p] for p in behind})

    def ends(self, plan: MovePlan) -> dict[int, int]:
        """
        Return the ends of the partitions of the old topic now.
        """
        with _reported():
            asker = Consumer({**group_asker(self._place), "logger": QUIET})
            try:
                return {
                    p: _bounds(asker, plan.before, p)[1]
                    for p in range(plan.facts.partitions)
                }
            finally:
                asker.close()

    def is_retired(self, topic: str) -> bool:
        """
        Return whether the brokers refuse records of a topic.
        """
        with _reported():
            facts = self._facts(topic)
            return facts is not None and facts.is_retired

    @property
    def _wanted_bytes(self) -> str:
        return wanted_topics(self._place)[0].config[_SIZE]

    def _admin(self) -> AdminClient:
        config = connection(self._place)
        config["logger"] = QUIET
        return AdminClient(config)

    def _facts(self, topic: str) -> TopicFacts | None:
        admin = self._admin()
        asked = TopicCollection([topic])
        answer = admin.describe_topics(asked, request_timeout=_ANSWER_S)[topic]
        try:
            found = answer.result()
        except KafkaException as e:
            if e.args[0].name() == "UNKNOWN_TOPIC_OR_PART":
                return None
            raise
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        (told,) = admin.describe_configs([resource], request_timeout=_ANSWER_S).values()
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        config = {
            entry.name: entry.value
            for entry in told.result().values()
            if entry.source == own and entry.value is not None
        }
        replicas = min((len(p.replicas) for p in found.partitions), default=1)
        return TopicFacts(len(found.partitions), replicas, config)

    def _is_unused(self, topic: str, facts: TopicFacts) -> bool:
        """
        Return whether an earlier attempt made this topic for the same number.
        """
        if facts.is_retired or facts.partitions != self._partitions:
            return False
        asker = Consumer({**group_asker(self._place), "logger": QUIET})
        try:
            return all(
                _bounds(asker, topic, p)[1] == 0 for p in range(facts.partitions)
            )
        finally:
            asker.close()

    def _limit(self, topic: str, n_bytes: str) -> None:
        entry = ConfigEntry(_SIZE, n_bytes, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(
            ConfigResource.Type.TOPIC, topic, incremental_configs=[entry]
        )
        with _reported():
            admin = self._admin()
            changed = admin.incremental_alter_configs(
                [resource], request_timeout=_ANSWER_S
            )
            for answer in changed.values():
                answer.result()
            # A broker tells the value that it had before, until it has heard of it.
            end_s = monotonic() + _ANSWER_S
            while (known := self._facts(topic)) and known.config.get(_SIZE) != n_bytes:
                if monotonic() > end_s:
                    raise Unavailable(f"topic {topic} does not show its new {_SIZE}")
                admin.poll(_HEARD_S)

    def _begun(self) -> Producer:
        # The name of those who replay dead letters: a transaction of theirs is aborted.
        made = Producer({**replayer(self._place), "logger": QUIET})
        made.init_transactions(_ANSWER_S)
        return made

    def _refusing(self, topic: str, partitions: Iterable[int]) -> set[int]:
        refused: set[int] = set()

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None and too_large(error.name()):
                refused.add(message.partition() or 0)

        producer = self._begun()
        producer.begin_transaction()
        for partition in partitions:
            producer.produce(topic, _PROBE, partition=partition, on_delivery=delivered)
        producer.flush(_ANSWER_S)
        producer.abort_transaction(_ANSWER_S)
        return refused

    def _records(self, topic: str, begins: Mapping[int, int]) -> int:
        """
        Count the records from these places on: the marks of transactions are none.
        """
        if not begins:
            return 0
        found, reading = 0, set(begins)
        consumer = Consumer({**reader(self._place), "logger": QUIET})
        try:
            consumer.assign(
                [
                    TopicPartition(topic, p, at if at > 0 else OFFSET_BEGINNING)
                    for p, at in begins.items()
                ]
            )
            while reading:
                message = consumer.poll(_POLL_S)
                if message is None:
                    raise Unavailable("the brokers send no records")
                error = message.error()
                if error is None:
                    found += 1
                elif error.name() == "_PARTITION_EOF":
                    reading.discard(message.partition() or 0)
                else:
                    raise KafkaException(error)
        finally:
            consumer.close()
        return found


def _bounds(asker: Consumer, topic: str, partition: int) -> tuple[int, int]:
    place = TopicPartition(topic, partition)
    bounds = asker.get_watermark_offsets(place, timeout=_ANSWER_S)
    if bounds is None:
        raise Unavailable(f"no broker tells the end of topic {topic}")
    low, high = bounds
    return low, high


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except KafkaException as e:
        name, text = e.args[0].name() or "", e.args[0].str() or ""
        raise Unavailable(describe(name, text)) from e
