"""
URL and settings of a Kafka journal.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.settings.rules import Conflict, conflicts
from wsmsg.settings.urls.address import parse_address
from wsmsg.settings.urls.backends import check_journal, kafka_url
from wsmsg.settings.values import MessageSettings

_JOURNAL = "kafka://127.0.0.1:9092/topic"


class UrlTests(SynchronousTestCase):
    """
    L{kafka_url}.
    """

    def refused(self, url: str) -> str:
        return str(self.assertRaises(ValueError, check_journal, url))

    def test_right(self) -> None:
        """
        Brokers keep their order, and the topic has a default.
        """
        url = kafka_url("kafka://a:9092, b:9093/my.topic")
        self.assertEqual(
            url.brokers, (parse_address("a:9092"), parse_address("b:9093"))
        )
        self.assertEqual(url.topic, "my.topic")
        self.assertEqual(kafka_url("kafka://a:9092").topic, "wsmsg.messages")
        self.assertEqual(kafka_url("kafka://a:9092/").topic, "wsmsg.messages")

    def test_no_broker(self) -> None:
        """
        The mistake about a URL without a broker shows the right form.
        """
        for url in ("kafka:", "kafka://", "kafka:///topic", "kafka:a:9092"):
            self.assertIn("kafka://host:port", self.refused(url))
        self.assertIn("names no broker", self.refused("kafka://,/topic"))

    def test_broker(self) -> None:
        """
        A broker without a port, at port 0 or named twice is a mistake.
        """
        self.refused("kafka://a/topic")
        self.assertIn("port 0", self.refused("kafka://a:0/topic"))
        self.assertIn("one twice", self.refused("kafka://a:1,a:1/topic"))

    def test_password(self) -> None:
        """
        A password in the URL is a mistake, and the mistake does not repeat it.
        """
        reason = self.refused("kafka://me:geheim@a:9092/topic")
        self.assertIn("kafka.username", reason)
        self.assertNotIn("geheim", reason)

    def test_options(self) -> None:
        """
        Options are settings, not a part of the URL.
        """
        for rest in ("?acks=1", "#x"):
            self.assertIn("kafka.*", self.refused(f"kafka://a:9092/topic{rest}"))

    def test_topic(self) -> None:
        """
        A topic name that Kafka would reject is refused without asking Kafka.
        """
        for name in ("a/b", "ä", ".", "..", "x" * 250, "a b"):
            self.assertIn("is not a topic", self.refused(f"kafka://a:9092/{name}"))


class ConflictTests(SynchronousTestCase):
    """
    Rules between the settings of Kafka.
    """

    def found(self, journal: str = _JOURNAL, **given: Any) -> list[Conflict]:
        settings = {"journal": journal, "kafka": given}
        return list(conflicts(MessageSettings.model_validate(settings)))

    def keys(self, journal: str = _JOURNAL, **given: Any) -> list[tuple[str, ...]]:
        return [keys for keys, _ in self.found(journal, **given)]

    def test_right(self) -> None:
        """
        A user with SASL and TLS conflicts with nothing.
        """
        user = {"username": "me", "password": "secret"}
        self.assertEqual(self.keys(), [])
        self.assertEqual(self.keys(sasl="PLAIN", tls=True, **user), [])
        self.assertEqual(self.keys(sasl="SCRAM-SHA-512", **user), [])

    def test_half_a_user(self) -> None:
        """
        A mechanism needs a user and a password, and a user a mechanism.
        """
        both = ("kafka.sasl", "kafka.username")
        self.assertIn(both, self.keys(username="me"))
        self.assertIn(both, self.keys(sasl="PLAIN", password="secret"))
        self.assertIn(
            ("kafka.sasl", "kafka.password"), self.keys(sasl="PLAIN", username="me")
        )

    def test_tls_files(self) -> None:
        """
        A certificate without its key, and files without TLS, are mistakes.
        """
        given = {"tls_cert": __file__}
        self.assertIn(("kafka.tls_cert", "kafka.tls_key"), self.keys(tls=True, **given))
        self.assertIn(("kafka.tls", "kafka.tls_ca"), self.keys(**given))

    def test_one_topic(self) -> None:
        """
        The topic of the messages is refused for dead letters, which would be read as
        messages.
        """
        self.assertEqual(
            self.keys(dead_letters="topic"), [("journal", "kafka.dead_letters")]
        )

    def test_plain_in_the_clear(self) -> None:
        """
        A password is not sent in the clear beyond this machine, unless the network is
        trusted.
        """
        far = "kafka://127.0.0.1:9092,10.0.0.7:9092/topic"
        given = {"sasl": "PLAIN", "username": "me", "password": "secret"}
        ((keys, reason),) = self.found(far, **given)
        self.assertEqual(keys, ("kafka.sasl", "kafka.tls"))
        self.assertIn("10.0.0.7", reason)
        self.assertNotIn("secret", reason)
        self.assertEqual(self.keys(**given), [])
        self.assertEqual(self.keys(far, tls=True, **given), [])
        trusted = MessageSettings.model_validate(
            {"journal": far, "kafka": given, "trust_network": ["journal"]}
        )
        self.assertEqual(list(conflicts(trusted)), [])
