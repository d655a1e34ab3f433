"""
Checks that the topics are as they must be, and creates them if the settings say so.

Only an operator can correct a wrong topic.  The check repeats until then, reports the
problem with the name of the topic, and nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic
from twisted.logger import Logger

from wsmsg.dependency.cause import Cause, KnownCause
from wsmsg.errors import Unavailable
from wsmsg.message.journal.kafka.config import (
    KafkaPlace,
    connection,
    group_asker,
)
from wsmsg.message.journal.kafka.durability import (
    KEYS,
    TopicDurability,
    durability_problems,
)
from wsmsg.message.journal.kafka.errors import (
    ReportedErrors,
    RetiredTopic,
    describe,
)
from wsmsg.message.journal.kafka.log import QUIET
from wsmsg.message.journal.kafka.topic_facts import (
    FoundTopics,
    WantedTopics,
    forbidden,
    topic_problem,
    wanted_topics,
)
from wsmsg.text.counted import counted

_ANSWER_S = 3.0
#: The limits of the first request of a check, which is made again: 3 s in all.
_ASKED_S = (0.3, 0.4, 0.5, 0.8, 1.0)
#: A refusal comes at once; a longer wait would be for a coordinator.
_GROUP_S = 0.5
_NO_RIGHT = "GROUP_AUTHORIZATION_FAILED"
#: The most bytes of a batch of one record besides its value: headers, and the key.
_BATCH_BYTES = 512
_NO_RIGHTS = ("TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED")


class KafkaTopics:
    """
    Checks with a new client each time: one that lost its broker is slow to turn to
    another.  Only one thread may use it.

    @ivar record_bytes: the longest value of a record that the topic of messages takes,
        as far as it is needed.
    @ivar alone: a broker refused a record as too long, and did not say what the topic
        takes: each record is to be written alone, to find out which.
    @ivar letter_bytes: the longest record that the topic of dead letters takes; 0: not
        known.
    @ivar retention_s: the retention of the topic of messages; 0: none, or not known.
    @ivar problems: what of the topics' settings may lose accepted messages, as of the
        last check.
    @ivar retired: the topic of messages takes no more records.
    """

    _log = Logger()

    def __init__(self, place: KafkaPlace) -> None:
        self._place = place
        self._reported = ReportedErrors()
        self.record_bytes = place.record_bytes
        self.alone = False
        self.letter_bytes = 0
        self._in_use = self.retired = False
        self._partitions: tuple[str, int] = ("", 0)
        self.retention_s = 0.0
        self.problems: list[str] = []

    @property
    def batch_bytes(self) -> int:
        """
        The most bytes of records that are to be written together.
        """
        return 1 if self.alone else self.record_bytes

    def note_refused(self, n_bytes: int = 0) -> None:
        """
        Note that a broker refused records as too long.

        @param n_bytes: the length of one that was written alone; 0: there were several.
        """
        self.alone = True
        if n_bytes:
            self.record_bytes = min(self.record_bytes, n_bytes - 1)

    def check(self) -> None:
        """
        Check everything.  A topic that takes shorter records than it must is refused
        at first; one whose limit was lowered while it is in use goes on being used.

        @raise RetiredTopic: the topic of messages takes no more records.
        @raise Unavailable: no broker answers, or a topic cannot be used.
        """
        self._reported.clear()
        admin = self._client()
        try:
            self._check(admin)
        except KafkaException as e:
            admin.poll(0)
            name, text = e.args[0].name() or "", e.args[0].str() or ""
            raise self._reported.failure(name, text) from e

    def _client(self) -> AdminClient:
        config = connection(self._place)
        config["error_cb"] = self._noted
        config["logger"] = QUIET
        return AdminClient(config)

    def _noted(self, error: KafkaError) -> None:
        self._reported.note(error.name() or "", error.str() or "")

    def _check(self, admin: AdminClient) -> None:
        wanted = wanted_topics(self._place)
        found = self._describe(admin, [w.name for w in wanted])
        missing = [w for w in wanted if w.name not in found]
        if missing:
            self._create(admin, missing)
            found = self._describe(admin, [w.name for w in wanted])
        self._configs(admin, found)
        self._check_retired(found)
        for each in wanted:
            if each.name not in found:
                raise KnownCause(
                    f"topic {each.name} does not exist", Cause.TOPIC_MISSING
                )
            needed = 0 if self._in_use else self._place.record_bytes
            problem = topic_problem(each, found[each.name], needed)
            if problem:
                raise problem
        self.letter_bytes = found[self._place.dead_letters].most_bytes
        self._in_use = True
        self._check_durability(found)
        self._check_group()

    def check_durability(self) -> None:
        """
        Read the settings of the topics again.

        @raise Unavailable: no broker answers, or C{kafka.strict} refuses the topics.
        """
        admin = self._client()
        try:
            found = self._describe(admin, [w.name for w in wanted_topics(self._place)])
            self._configs(admin, found)
        except KafkaException as e:
            name, text = e.args[0].name() or "", e.args[0].str() or ""
            raise Unavailable(describe(name, text)) from e
        self._check_retired(found)
        self._check_durability(found)

    def _check_retired(self, found: Mapping[str, FoundTopics]) -> None:
        topic = found.get(self._place.topic)
        self.retired = topic is not None and topic.is_retired
        if self.retired:
            # Records were refused, but not for their length.
            self.alone, self.record_bytes = False, self._place.record_bytes
            raise RetiredTopic(self._place.topic)

    def _partition_problems(self, found: FoundTopics | None) -> list[str]:
        topic, wanted = self._place.topic, self._place.settings.partitions
        if found is None:
            return []
        name, before = self._partitions
        if name != topic:
            self._partitions = (topic, found.partitions)
            if found.partitions != wanted:
                self._log.info(
                    "topic {topic} keeps its {n}; kafka.partitions ({wanted}) is for a "
                    "new one, as wsmsg journal repartition makes",
                    topic=topic,
                    n=counted(found.partitions, "partition"),
                    wanted=wanted,
                )
        elif before != found.partitions:
            return [
                f"topic {topic} had {counted(before, 'partition')} and has "
                f"{found.partitions} now: conversations changed partitions, and their "
                "order may be lost; use wsmsg journal repartition"
            ]
        return []

    def _check_durability(self, found: Mapping[str, FoundTopics]) -> None:
        letters = self._place.dead_letters
        topics = [
            TopicDurability(name, t.replicas, t.config, compacted=name == letters)
            for name, t in found.items()
        ]
        self.problems = [p for topic in topics for p in durability_problems(topic)]
        messages = found.get(self._place.topic)
        self.problems += self._size_problems(messages)
        self.problems += self._partition_problems(messages)
        self.retention_s = max((t.retention_s for t in topics), default=0.0)
        if self.problems and self._place.settings.strict:
            why = "; ".join(self.problems)
            raise KnownCause(f"kafka.strict refuses: {why}", Cause.TOPIC_DURABILITY)

    def _size_problems(self, found: FoundTopics | None) -> list[str]:
        needed, known = self._place.record_bytes, found.most_bytes if found else 0
        if known:
            longest = known if known >= needed else known - _BATCH_BYTES
            self.record_bytes = max(min(needed, longest), 1)
            self.alone = self.alone and known >= needed
        if self.record_bytes >= needed:
            return []
        return [
            f"topic {self._place.topic} takes records of {self.record_bytes} bytes "
            f"(max.message.bytes), and a message may have {needed}: longer ones are "
            "refused"
        ]

    def _describe(
        self, admin: AdminClient, names: Sequence[str]
    ) -> dict[str, FoundTopics]:
        # A request to a broker that hung may wait for its controller to the end, though
        # the broker serves again, and has registered with the controller once more;
        # the next request does not.
        for limit_s in _ASKED_S[:-1]:
            try:
                return self._described(admin, names, limit_s)
            except KafkaException as e:
                if e.args[0].name() != "_TIMED_OUT":
                    raise
        return self._described(admin, names, _ASKED_S[-1])

    def _described(
        self, admin: AdminClient, names: Sequence[str], limit_s: float
    ) -> dict[str, FoundTopics]:
        answers = admin.describe_topics(
            TopicCollection(list(names)),
            include_authorized_operations=True,
            request_timeout=limit_s,
        )
        found: dict[str, FoundTopics] = {}
        for name, answer in answers.items():
            try:
                topic = answer.result()
            except KafkaException as e:
                if e.args[0].name() == "UNKNOWN_TOPIC_OR_PART":
                    continue
                if e.args[0].name() == "TOPIC_AUTHORIZATION_FAILED":
                    raise forbidden("DESCRIBE", name) from e
                raise
            found[name] = FoundTopics(
                len(topic.partitions),
                _rights(topic.authorized_operations),
                min((len(p.replicas) for p in topic.partitions), default=0),
            )
        return found

    def _create(self, admin: AdminClient, missing: Sequence[WantedTopics]) -> None:
        settings = self._place.settings
        if not settings.create_topics:
            names = " and ".join(w.name for w in missing)
            raise KnownCause(
                f"topic {names} does not exist; create it with "
                f"{counted(missing[0].partitions, 'partition')}, or set "
                "kafka.create_topics",
                Cause.TOPIC_MISSING,
            )
        answers = admin.create_topics(
            [
                NewTopic(
                    w.name,
                    num_partitions=w.partitions,
                    replication_factor=settings.replication or -1,
                    config=w.config,
                )
                for w in missing
            ],
            request_timeout=_ANSWER_S,
        )
        for name, answer in answers.items():
            try:
                answer.result()
            except KafkaException as e:
                if e.args[0].name() != "TOPIC_ALREADY_EXISTS":
                    why = describe(e.args[0].name(), e.args[0].str())
                    raise Unavailable(f"topic {name} cannot be created: {why}") from e

    def _configs(self, admin: AdminClient, found: dict[str, FoundTopics]) -> None:
        """
        Fill in the settings of each topic, where the user may ask for them.
        """
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in found]
        if not resources:
            return
        answers = admin.describe_configs(resources, request_timeout=_ANSWER_S)
        for resource, answer in answers.items():
            try:
                told = answer.result()
            except KafkaException as e:
                if e.args[0].name() not in _NO_RIGHTS:
                    raise
                continue
            config = {key: told[key].value for key in KEYS if key in told}
            found[resource.name] = attrs.evolve(found[resource.name], config=config)

    def _check_group(self) -> None:
        # Not with an admin client, which aborts the process (an assertion in
        # librdkafka) when no coordinator is there in time.
        client = Consumer(
            {**group_asker(self._place), "error_cb": self._noted, "logger": QUIET}
        )
        try:
            client.committed([TopicPartition(self._place.topic, 0)], timeout=_GROUP_S)
            refused = False
        except KafkaException as e:
            # A new group has no coordinator yet; the consumer reports lasting errors.
            refused = e.args[0].name() == _NO_RIGHT or self._reports_refusal(client)
        finally:
            client.close()
        if refused:
            group = self._place.settings.group
            raise KnownCause(f"the user has no right to group {group}", Cause.RIGHTS)

    def _reports_refusal(self, client: Consumer) -> bool:
        message = client.poll(0)
        error = message.error() if message is not None else None
        return error is not None and error.name() == _NO_RIGHT


def _rights(operations: Collection[Any] | None) -> frozenset[str] | None:
    if operations is None:
        return None
    return frozenset(operation.name for operation in operations)
