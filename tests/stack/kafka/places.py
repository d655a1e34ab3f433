"""
Places for Kafka journals in tests: each test has a topic and a group of its own.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.doubles import up
from tests.stack.servers import kafka_address, unique
from wsmsg.dependency.state import Dependency
from wsmsg.message.journal.kafka.config import KafkaPlace, record_bytes
from wsmsg.message.journal.kafka.journal import KafkaJournal
from wsmsg.settings.kafka import KafkaSettings
from wsmsg.settings.urls.address import parse_address

#: With the types that mypy cannot see in a module.
REACTOR: Any = reactor


def soon(failures: int) -> float | None:
    """
    A retry policy that does not wait long.
    """
    return 0.05


def kafka_place(
    address: str = "", content_bytes: int = 262_144, **settings: Any
) -> KafkaPlace:
    """
    A place that no other test has, made by who comes first.
    """
    topic = unique("messages")
    given: dict[str, Any] = {
        "group": unique("group"),
        "dead_letters": unique("dead"),
        "partitions": 3,
        "create_topics": True,
        "session_timeout_s": 1.0,
        **settings,
    }
    return KafkaPlace(
        brokers=(parse_address(address or kafka_address()),),
        topic=topic,
        record_bytes=record_bytes(content_bytes),
        settings=KafkaSettings.model_validate(given),
    )


def kafka_journal_at(place: KafkaPlace) -> KafkaJournal:
    """
    A journal on the test's reactor, not yet started.
    """
    dependency = Dependency("journal", REACTOR)
    return KafkaJournal(place, REACTOR, retry=soon, dependency=dependency)


class KafkaJournalPlace:
    """
    Topics of a real broker.
    """

    def __init__(self, test: TestCase, **settings: Any) -> None:
        self._test = test
        self.place = kafka_place(**settings)
        self._last: KafkaJournal | None = None

    async def open(self) -> KafkaJournal:
        journal = kafka_journal_at(self.place)
        self._test.addCleanup(journal.stop)
        await up(journal)
        self._last = journal
        return journal

    async def kill(self) -> KafkaJournal:
        """
        Nothing more is committed: the group is left as when the process is gone, only
        without the wait for its session to end.
        """
        assert self._last is not None
        self._last._partitions.revoke(self._last._partitions.positions())
        await self._last.stop()
        return await self.open()


def classic(test: TestCase) -> KafkaJournalPlace:
    """
    With the older group protocol.
    """
    return KafkaJournalPlace(test, group_protocol="classic")


def consumer(test: TestCase) -> KafkaJournalPlace:
    """
    With that of KIP-848.
    """
    return KafkaJournalPlace(test, group_protocol="consumer")
