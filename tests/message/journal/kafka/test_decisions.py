"""
The decisions of the Kafka journal, without a broker.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.cause import Cause
from wsmsg.events.group_change import GroupChange, encode_change
from wsmsg.message.journal.interface import JournalEntry
from wsmsg.message.journal.kafka.config import (
    KafkaPlace,
    connection,
    consumer,
    producer,
    record_bytes,
)
from wsmsg.message.journal.kafka.errors import (
    Meaning,
    ReportedErrors,
    commit_meaning,
    describe,
    meaning,
)
from wsmsg.message.journal.kafka.reading.ahead import Ahead
from wsmsg.message.journal.kafka.reading.partitions import (
    SILENT_S,
    Partitions,
    SilentPartitions,
)
from wsmsg.message.journal.kafka.topic_facts import (
    FoundTopics,
    topic_problem,
    wanted_topics,
)
from wsmsg.message.journal.record import encode
from wsmsg.model import Message
from wsmsg.settings.kafka import KafkaSettings
from wsmsg.settings.urls.address import Address


def place(**settings: object) -> KafkaPlace:
    """
    Return a journal at two brokers.
    """
    return KafkaPlace(
        brokers=(Address("a", 1), Address("::1", 2)),
        topic="t",
        record_bytes=1000,
        settings=KafkaSettings.model_validate(settings),
    )


def entries(partition: int, *offsets: int) -> list[JournalEntry]:
    """
    Return records of a partition.
    """
    return [JournalEntry(partition, offset, None, b"") for offset in offsets]


class PartitionsTests(SynchronousTestCase):
    """
    The positions to commit, while partitions are assigned and revoked.
    """

    def setUp(self) -> None:
        self.partitions = Partitions()
        self.partitions.assign({0: Ahead(10), 1: Ahead(None)})

    def test_unread(self) -> None:
        """
        Records behind the last one that the reader got are unread, where its place is
        known.
        """
        self.assertEqual(self.partitions.unread({0: 12, 1: 5, 2: 9}), 2)
        self.partitions.handed_out([*entries(0, 10, 11), *entries(1, 0)])
        self.assertEqual(self.partitions.unread({0: 12, 1: 5}), 4)

    def test_settled_is_due_once(self) -> None:
        """
        A settled position is committed once.
        """
        self.partitions.handed_out(entries(0, 10, 11))
        self.partitions.settle({0: 12})
        self.assertEqual(self.partitions.take_due(), {0: 12})
        self.assertEqual(self.partitions.take_due(), {})

    def test_never_back(self) -> None:
        """
        An older position changes nothing.
        """
        self.partitions.settle({0: 12})
        self.partitions.settle({0: 11})
        self.assertEqual(self.partitions.take_due(), {0: 12})

    def test_foreign(self) -> None:
        """
        Settled positions of a revoked partition are not committed.
        """
        self.partitions.handed_out(entries(0, 10))
        self.partitions.revoke([0])
        self.partitions.settle({0: 11})
        self.assertEqual(self.partitions.take_due(), {})

    def test_back_again(self) -> None:
        """
        A partition that is assigned again starts at its committed position, whatever is
        settled late of the time before.
        """
        self.partitions.handed_out(entries(0, 10, 11))
        self.partitions.revoke([0])
        self.partitions.assign({0: Ahead(20)})
        self.partitions.settle({0: 12})
        self.assertEqual(self.partitions.take_due(), {})
        self.partitions.settle({0: 21})
        self.assertEqual(self.partitions.take_due(), {0: 21})

    def test_unknown_start(self) -> None:
        """
        If the last commit is unknown, the first record shows where reading began.
        """
        self.partitions.settle({1: 99})
        self.assertEqual(self.partitions.take_due(), {})
        self.partitions.handed_out(entries(1, 5))
        self.partitions.settle({1: 6})
        self.assertEqual(self.partitions.take_due(), {1: 6})

    def test_open(self) -> None:
        """
        A partition has unsettled records until all that were handed out are settled.
        """
        self.assertFalse(self.partitions.has_unsettled([0, 1]))
        self.partitions.handed_out(entries(0, 10, 12))
        self.assertTrue(self.partitions.has_unsettled([0]))
        self.assertFalse(self.partitions.has_unsettled([1]))
        self.partitions.settle({0: 13})
        self.assertFalse(self.partitions.has_unsettled([0]))

    def test_failed_commit(self) -> None:
        """
        A commit that failed is due again.
        """
        self.partitions.settle({0: 12})
        self.partitions.take_due()
        self.partitions.commit_failed([0, 7])
        self.assertEqual(self.partitions.take_due(), {0: 12})

    def test_rewound(self) -> None:
        """
        A rewind returns to the settled positions.
        """
        self.partitions.handed_out(entries(0, 10, 11, 12))
        self.partitions.settle({0: 11})
        self.assertEqual(self.partitions.rewind(), {0: 11})

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=30))
    def test_commits_only_rise(self, steps: list[tuple[bool, int]]) -> None:
        """
        Whatever is settled late, the commits of one assignment only rise.
        """
        partitions = Partitions()
        partitions.assign({0: Ahead(0)})
        last = 0
        for settles, position in steps:
            if settles:
                partitions.settle({0: position})
            else:
                partitions.commit_failed([0])
            for offset in partitions.take_due().values():
                self.assertGreaterEqual(offset, last)
                last = offset


class ProblemsTests(SynchronousTestCase):
    """
    The meaning of errors.
    """

    def test_meanings(self) -> None:
        """
        A lost broker is a loss, a fatal error ruins the client, a retriable error is
        harmless, and the commit of a revoked partition is no problem.
        """
        self.assertIs(meaning("_ALL_BROKERS_DOWN"), Meaning.LOST)
        self.assertIs(meaning("TOPIC_AUTHORIZATION_FAILED"), Meaning.LOST)
        self.assertIs(meaning("UNKNOWN", fatal=True), Meaning.RUINED)
        self.assertIs(meaning("_AUTO_OFFSET_RESET"), Meaning.GAP)
        self.assertIs(meaning("_TRANSPORT"), Meaning.PASSING)
        self.assertIs(commit_meaning("ILLEGAL_GENERATION"), Meaning.FOREIGN)

    def test_told(self) -> None:
        """
        An operator reads plain terms, and the text of the library.
        """
        self.assertEqual(
            describe("_AUTHENTICATION", "x"),
            "the broker refuses our credentials (_AUTHENTICATION: x)",
        )
        self.assertEqual(describe("STRANGE", "x"), "x (STRANGE)")

    def test_reported_errors(self) -> None:
        """
        Refused credentials explain a timeout better than a lost connection does; the
        failure has the cause for which an operator finds a remedy.
        """
        reported = ReportedErrors()

        def failure() -> tuple[str, Cause]:
            failed = reported.failure("_TIMED_OUT", "late")
            return failed.reason, failed.cause

        late = ("no broker answered in time (_TIMED_OUT: late)", Cause.UNREACHABLE)
        self.assertEqual(failure(), late)
        reported.note("_TRANSPORT", "refused")
        reported.note("_ALL_BROKERS_DOWN", "2/2")
        self.assertEqual(
            failure(),
            ("no broker can be reached (_TRANSPORT: refused)", Cause.UNREACHABLE),
        )
        reported.note("_AUTHENTICATION", "bad")
        self.assertEqual(
            failure(),
            (
                "the broker refuses our credentials (_AUTHENTICATION: bad)",
                Cause.CREDENTIALS,
            ),
        )
        reported.clear()
        self.assertEqual(failure(), late)


class ConfigTests(SynchronousTestCase):
    """
    The configuration of the library's clients.
    """

    def test_security(self) -> None:
        """
        A mechanism, a user and an authority are used to connect.
        """
        given = place(
            sasl="SCRAM-SHA-256", username="u", password="p", tls=True, tls_ca=__file__
        )
        config = connection(given)
        self.assertEqual(config["bootstrap.servers"], "a:1,[::1]:2")
        self.assertEqual(config["security.protocol"], "sasl_ssl")
        self.assertEqual(config["sasl.password"], "p")
        self.assertEqual(config["ssl.ca.location"], __file__)
        self.assertNotIn("'p'", repr(given))

    def test_plain(self) -> None:
        """
        Without them connections are in the clear.
        """
        self.assertEqual(connection(place())["security.protocol"], "plaintext")

    def test_promises(self) -> None:
        """
        Records are durable on all replicas, once and in order; nothing is committed
        automatically, and nothing is skipped.
        """
        writes, reads = producer(place()), consumer(place())
        self.assertEqual((writes["acks"], writes["enable.idempotence"]), ("all", True))
        self.assertEqual(reads["enable.auto.commit"], False)
        self.assertEqual(reads["auto.offset.reset"], "error")

    def test_group_protocols(self) -> None:
        """
        The session timeout is set only with the older protocol.
        """
        older = consumer(place(group_protocol="classic", session_timeout_s=7))
        self.assertEqual(older["session.timeout.ms"], 7000)
        self.assertEqual(older["partition.assignment.strategy"], "cooperative-sticky")
        newer = consumer(place(group_protocol="consumer"))
        self.assertNotIn("session.timeout.ms", newer)


class TopicTests(SynchronousTestCase):
    """
    The checks of a topic.
    """

    def found(self, size: int, rights: Collection[str] | None = None) -> FoundTopics:
        return FoundTopics(4, rights, config={"max.message.bytes": str(size)})

    def problem(self, found: FoundTopics) -> tuple[str, Cause]:
        wanted, _ = wanted_topics(place(partitions=4))
        problem = topic_problem(wanted, found, 1000)
        return (problem.reason, problem.cause) if problem else ("", Cause.UNKNOWN)

    def test_problems(self) -> None:
        """
        A topic without the rights, or for shorter records, is refused by name, with the
        cause; one with other partitions is not, unless it is that of dead letters.
        """
        fine = ("", Cause.UNKNOWN)
        self.assertEqual(self.problem(FoundTopics(4)), fine)
        self.assertEqual(self.problem(self.found(1000, {"READ", "WRITE"})), fine)
        self.assertEqual(self.problem(FoundTopics(5)), fine)
        _, letters = wanted_topics(place(partitions=4))
        several = topic_problem(letters, FoundTopics(2), 1000)
        assert several is not None
        self.assertIs(several.cause, Cause.TOPIC_PARTITIONS)
        for found, text, cause in (
            (FoundTopics(4, {"READ"}), "may not WRITE topic t", "topic_rights"),
            (self.found(999), "999 bytes", "topic_bytes"),
        ):
            reason, known = self.problem(found)
            self.assertIn(text, reason)
            self.assertEqual(known, cause)


class RecordSizeTests(SynchronousTestCase):
    """
    The limits of a record.
    """

    def test_largest_change(self) -> None:
        """
        The largest change of a group fits whatever the longest content is, so it is not
        refused, nor is what is appended with it.
        """
        users = tuple(range(2**63 - 1000, 2**63))
        change = encode_change(GroupChange(True, "\U0001f600" * 64, True, users))
        self.assertLess(len(change.encode()), record_bytes(1000) - 512)

    def test_longest_message(self) -> None:
        """
        A message with the longest content and the longest names fits.
        """
        kafka = attrs.evolve(place(), record_bytes=record_bytes(65536))
        most = 2**63 - 1
        content = "x" * kafka.content_bytes
        longest = Message(
            f"u:{most - 1}:{most}", most, "c" * 64, most, content, 2**31 - 1, most
        )
        self.assertLessEqual(len(encode(longest)), kafka.record_bytes)
        self.assertGreaterEqual(kafka.content_bytes, 65536)


class SilentPartitionsTests(SynchronousTestCase):
    """
    Partitions of which no record arrives.
    """

    def setUp(self) -> None:
        self.silent = SilentPartitions()
        self.silent.begin({0: 5, 1: None}, 0.0)

    def test_stands_still(self) -> None:
        """
        A partition is read anew where the broker has had a record for two questions;
        later attempts are further apart.
        """
        now_s = SILENT_S
        self.assertEqual(self.silent.due(now_s - 0.1), [])
        self.assertEqual(self.silent.due(now_s), [0, 1])
        self.assertIsNone(self.silent.answered(0, 0, 7, now_s))
        self.assertIsNone(self.silent.answered(1, 3, 3, now_s))
        now_s += SILENT_S
        self.assertEqual(self.silent.answered(0, 0, 9, now_s), 5)
        self.assertIsNone(self.silent.answered(1, 3, 4, now_s))
        self.assertEqual(self.silent.due(now_s + SILENT_S), [1])
        now_s += 2 * SILENT_S
        self.assertEqual(self.silent.due(now_s), [0, 1])
        self.assertEqual(self.silent.answered(0, 0, 9, now_s), 5)
        self.assertEqual(self.silent.answered(1, 3, 4, now_s), 3)

    def test_arrives(self) -> None:
        """
        A record that arrives, however late, is progress.
        """
        self.silent.answered(0, 0, 7, SILENT_S)
        self.silent.arrived({0: 6}, SILENT_S + 1)
        self.assertEqual(self.silent.due(2 * SILENT_S), [1])
        self.assertIsNone(self.silent.answered(0, 0, 8, 3 * SILENT_S))
        self.assertEqual(self.silent.answered(0, 0, 8, 4 * SILENT_S), 7)

    def test_not_wanted(self) -> None:
        """
        No record is expected while none is wanted, nor of a partition that was revoked.
        """
        self.silent.resumed(10 * SILENT_S)
        self.assertEqual(self.silent.due(11 * SILENT_S - 0.1), [])
        self.silent.end(0)
        self.assertEqual(self.silent.due(11 * SILENT_S), [1])

    def test_removed(self) -> None:
        """
        A partition whose records were removed is read from its oldest one.
        """
        for n in (1, 2):
            offset = self.silent.answered(0, 6, 8, n * SILENT_S)
        self.assertEqual(offset, 6)
