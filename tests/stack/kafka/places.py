"""
Places for the Kafka journal: a topic and a group of the test's own.
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

#: Aliases with types, which mypy cannot see in a module.
REACTOR: Any = reactor


def soon(failures: int) -> float | None:
    """
    Return a retry policy with short waits.
    """
    return 0.05


def kafka_place(
    address: str = "", content_bytes: int = 262_144, **settings: Any
) -> KafkaPlace:
    """
    Return a place with a topic and a group that no other test has; its first user
    creates them.
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
    Return a journal on the test's reactor, not started.
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
        Stop committing: the group is left as by a killed process, without the wait for
        its session to end.
        """
        assert self._last is not None
        self._last._incoming.partitions.revoke(
            self._last._incoming.partitions.positions()
        )
        await self._last.stop()
        return await self.open()


def classic(test: TestCase) -> KafkaJournalPlace:
    """
    Return a place with the older group protocol.
    """
    return KafkaJournalPlace(test, group_protocol="classic")


def consumer(test: TestCase) -> KafkaJournalPlace:
    """
    Return a place with the group protocol of KIP-848.
    """
    return KafkaJournalPlace(test, group_protocol="consumer")
