"""
The configuration of the Kafka library's clients, from the settings; no I/O.

The names are those of librdkafka's C{CONFIGURATION.md}.
"""

from __future__ import annotations

from typing import Any

import attrs

from wsmsg.settings.kafka import KafkaSettings
from wsmsg.settings.urls.address import Address
from wsmsg.settings.urls.backends import kafka_url
from wsmsg.settings.values import MessageSettings

Config = dict[str, Any]

#: The most bytes of a record besides its content: names, ids, numbers.
_BESIDE_CONTENT = 4096
#: The same, where each text is as long as it may be.
_IDENTITY = 512
#: A change of a group names up to 1000 users, whatever the limit of other content.
_EVENT = 32 * 1024
_LINGER_MS = 1
_BATCH_BYTES = 1_000_000
#: The C{max.message.bytes} of a topic for which nothing else was said.
_TOPIC_BYTES = 2**20


#: A topic that takes no longer batches takes no record, and is retired.  The shortest
#: record is in a batch of 99 bytes; the mark at the end of a transaction is in one of
#: 78, and must still be written.
RETIRED_BYTES = 90


class TopicName:
    """
    The name of the topic now.
    """

    def __init__(self, name: str | TopicName) -> None:
        self._name = str(name)

    def __str__(self) -> str:
        return self._name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TopicName) and str(other) == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    def rename(self, name: str) -> None:
        self._name = name


@attrs.frozen(kw_only=True)
class KafkaPlace:
    """
    The brokers and the topic of a journal, and how to use them.

    @ivar record_bytes: the longest record that must fit.
    @ivar client: the name of this process in the logs of the brokers.
    """

    brokers: tuple[Address, ...]
    _topic: TopicName = attrs.field(converter=TopicName)
    record_bytes: int
    settings: KafkaSettings = attrs.field(repr=False)
    client: str = "wsmsg"

    @property
    def topic(self) -> str:
        return str(self._topic)

    def go_on_with(self, topic: str) -> None:
        """
        Use another topic from now on.
        """
        self._topic.rename(topic)

    @property
    def content_bytes(self) -> int:
        """
        The longest content whose record is not longer than C{record_bytes}.
        """
        return self.content_bytes_of(self.record_bytes)

    @staticmethod
    def content_bytes_of(record_bytes: int) -> int:
        """
        Return the longest content whose record has at most so many bytes.
        """
        return max(record_bytes - _IDENTITY, 0)

    @property
    def dead_letters(self) -> str:
        return self.settings.dead_letters


def place_of(settings: MessageSettings) -> KafkaPlace:
    """
    Return the place that the settings name.
    """
    url = kafka_url(settings.journal)
    return KafkaPlace(
        brokers=url.brokers,
        topic=url.topic,
        record_bytes=record_bytes(settings.content_bytes),
        settings=settings.kafka,
        client=settings.node or "wsmsg",
    )


def record_bytes(content_bytes: int) -> int:
    """
    Return the length of the longest record of a message with this content, or of an
    event.
    """
    return max(content_bytes, _EVENT) + _BESIDE_CONTENT


def connection(place: KafkaPlace) -> Config:
    """
    Configure any client: the brokers, the login, the delays of reconnection.
    """
    config: Config = {
        "bootstrap.servers": ",".join(map(str, place.brokers)),
        "client.id": place.client,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "retry.backoff.ms": 100,
        "socket.timeout.ms": 10_000,
        "socket.connection.setup.timeout.ms": 5000,
        "socket.keepalive.enable": True,
        "log.connection.close": False,
        # A topic that was just created is visible soon.
        "topic.metadata.propagation.max.ms": 1000,
    }
    config.update(_security(place.settings))
    return config


def _security(settings: KafkaSettings) -> Config:
    config: Config = {}
    name = "ssl" if settings.tls else "plaintext"
    if settings.sasl:
        name = f"sasl_{name}"
        config["sasl.mechanism"] = settings.sasl
        config["sasl.username"] = settings.username
        config["sasl.password"] = settings.password.get_secret_value()
    config["security.protocol"] = name
    for key, value in (
        ("ssl.ca.location", settings.tls_ca),
        ("ssl.certificate.location", settings.tls_cert),
        ("ssl.key.location", settings.tls_key),
    ):
        if value:
            config[key] = value
    return config


def longest_record(place: KafkaPlace) -> int:
    """
    Return the length of the longest record that a producer writes: at least what a
    topic takes by default, for dead letters of records that another program wrote.
    """
    return max(place.record_bytes + _BESIDE_CONTENT, _TOPIC_BYTES)


def producer(place: KafkaPlace, batch_bytes: int = 0) -> Config:
    """
    Configure a producer: each record once and in order, durable on all replicas in
    sync.

    @param batch_bytes: the most that the topic takes; 0: what it must take.
    """
    return {
        **connection(place),
        "acks": "all",
        "enable.idempotence": True,
        "delivery.timeout.ms": int(place.settings.delivery_timeout_s * 1000),
        "request.timeout.ms": int(place.settings.delivery_timeout_s * 1000),
        # Appends gathers records (IJournal.spacing_s); this keeps a batch together.
        "linger.ms": _LINGER_MS,
        # The default of Java's clients: other writers choose the same partition.
        "partitioner": "murmur2_random",
        "message.max.bytes": longest_record(place),
        # The topic takes a record of this length: so it takes a batch of several.
        "batch.size": min(batch_bytes or place.record_bytes, _BATCH_BYTES),
        # KafkaProducer counts the records in flight, and refuses before the library.
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 256 * 1024,
    }


def ordered_producer(place: KafkaPlace, batch_bytes: int) -> Config:
    """
    Configure a producer that delivers nothing behind a record that a broker refused:
    without this, the library would write the next records under a new number of the
    producer at once.
    """
    return {
        **producer(place, batch_bytes),
        "enable.gapless.guarantee": True,
    }


def consumer(place: KafkaPlace) -> Config:
    """
    Configure a member of the group that commits by hand and never skips records.
    """
    settings = place.settings
    config: Config = {
        **connection(place),
        "group.id": settings.group,
        "group.protocol": settings.group_protocol,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "queued.max.messages.kbytes": 16 * 1024,
        "fetch.queue.backoff.ms": 10,
        "fetch.message.max.bytes": max(2**20, place.record_bytes * 2),
        "fetch.error.backoff.ms": 100,
    }
    if settings.group_protocol == "classic":
        config["partition.assignment.strategy"] = "cooperative-sticky"
        timeout_ms = int(settings.session_timeout_s * 1000)
        config["session.timeout.ms"] = timeout_ms
        config["heartbeat.interval.ms"] = max(timeout_ms // 10, 100)
    return config


def reader(place: KafkaPlace) -> Config:
    """
    Configure a consumer outside of the group, for positions that it chooses.
    """
    return {
        **connection(place),
        # Required by the library; nothing is ever committed under it.
        "group.id": f"{place.settings.group}-reader",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        # A broker says that a partition has no more after this time.
        "fetch.wait.max.ms": 20,
    }


def group_asker(place: KafkaPlace) -> Config:
    """
    Configure a client that asks about the group without becoming a member.
    """
    return {
        **connection(place),
        "group.id": place.settings.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
    }


def replayer(place: KafkaPlace) -> Config:
    """
    Configure a producer with transactions.  All Messages of a group share its name, so
    only one of them replays at a time: a later one aborts the transaction of an
    earlier.
    """
    config = producer(place)
    config["transactional.id"] = f"{place.settings.group}-replay"
    config["transaction.timeout.ms"] = 10_000
    config["delivery.timeout.ms"] = 10_000
    config["request.timeout.ms"] = 5000
    return config
