"""
Tests of the journal in Kafka by the contract of all journals.
"""

from __future__ import annotations

from tests.contracts import make_journal_tests
from tests.stack.kafka.places import classic, consumer
from tests.stack.servers import needs


@needs("kafka")
class KafkaJournalTests(make_journal_tests(consumer)):  # type: ignore[misc]
    """
    The group protocol of KIP-848.
    """


@needs("kafka")
class KafkaJournalClassicTests(make_journal_tests(classic)):  # type: ignore[misc]
    """
    The older group protocol.
    """
