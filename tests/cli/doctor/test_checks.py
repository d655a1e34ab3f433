"""
Tests for L{wsmsg.cli.doctor.checks}.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.cli.doctor import checks
from wsmsg.cli.operator.ask import NoAnswer
from wsmsg.dependency.cause import Cause
from wsmsg.settings.values import ConnectSettings, MessageSettings

CONNECT = checks.DaemonPlace(ConnectSettings())
MESSAGE = checks.DaemonPlace(MessageSettings())


def levels(findings: Iterable[checks.Finding]) -> list[str]:
    return [finding.level for finding in findings]


def nobody(url: str) -> dict[str, Any]:
    raise NoAnswer(f"{url}: Connection refused")


def _told(document: dict[str, Any], url: str) -> dict[str, Any]:
    return document


class DoctorTests(SynchronousTestCase):
    """
    Findings and their remedies.
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_old_python(self) -> None:
        """
        A Python that is too old is a problem.
        """
        self.assertEqual(levels(checks.python((3, 10, 4))), ["problem"])
        self.assertEqual(levels(checks.python((3, 11, 0))), ["ok"])

    def test_missing_library(self) -> None:
        """
        A library that is not installed is named.
        """

        def version(name: str) -> str:
            if name == "grpcio":
                raise PackageNotFoundError(name)
            return "1"

        first, *_ = checks.libraries(version)
        self.assertEqual(
            (first.level, first.text), ("problem", "grpcio is not installed")
        )

    def test_missing_extra(self) -> None:
        """
        The library of a backend that is not installed is no problem; the doctor says
        which extra has it.
        """

        def version(name: str) -> str:
            if name == "txredisapi":
                raise PackageNotFoundError(name)
            return "1"

        (only,) = checks.libraries(version)
        self.assertEqual(only.level, "ok")
        self.assertIn("no txredisapi (extra redis)", only.text)

    def test_plugins(self) -> None:
        """
        twistd finds both daemons.
        """
        self.assertEqual(levels(checks.plugins()), ["ok"])

    def test_folder(self) -> None:
        """
        A key that other users can read is a problem; a missing folder is not.
        """
        self.assertEqual(levels(checks.folder(self.folder / "new" / "er")), ["ok"])
        self.assertEqual(levels(checks.folder(self.folder)), ["ok"])
        for name in ("token.key", "peer.key", "admin.key"):
            key = self.folder / name
            key.write_text("secret")
            key.chmod(0o600)
            self.assertEqual(levels(checks.folder(self.folder)), ["ok"])
            key.chmod(0o644)
            self.assertEqual(levels(checks.folder(self.folder)), ["ok", "problem"])
            key.chmod(0o600)
        self.assertEqual(levels(checks.folder(key)), ["problem"])

    def test_full_disk(self) -> None:
        """
        A nearly full disk is a problem.
        """
        usage = SimpleNamespace(free=1000)
        self.assertEqual(levels(checks.disk(self.folder, lambda _: usage)), ["problem"])

    def test_wrong_clock(self) -> None:
        """
        A clock in the last century is a problem.
        """
        self.assertEqual(levels(checks.clock(0.0)), ["problem"])

    def test_daemon_gone(self) -> None:
        """
        A daemon that does not answer is a problem, with the command that starts it.
        """
        (found,) = checks.daemon(MESSAGE, nobody)
        self.assertEqual(found.level, "problem")
        self.assertIn("twistd -n message", found.remedy)

    def test_row_9_one_address(self) -> None:
        """
        Clients that all come from one address are a warning: a proxy is not listed.
        """
        told: dict[str, Any] = {"connect": {"connections": 30}}
        self.assertEqual([*checks.addresses(CONNECT, lambda: told)], [])
        told["connect"]["sole_address"] = "10.0.0.5"
        (found,) = checks.addresses(CONNECT, lambda: told)
        self.assertEqual(found.level, "warning")
        self.assertIn("all 30 connections come from 10.0.0.5", found.text)
        self.assertIn('connect.proxies = ["10.0.0.5"]', found.remedy)
        self.assertEqual([*checks.addresses(CONNECT, partial(nobody, "/status"))], [])

    def test_alarm(self) -> None:
        """
        An alarm of a daemon is a warning, with its reason.
        """
        alarm = {"name": "disk", "since": "12:00", "reason": "1 MB is free"}
        document = {"ready": True, "dependencies": [], "alarms": [alarm]}
        warning, ready = checks.daemon(CONNECT, lambda _: document)
        self.assertEqual((warning.level, ready.level), ("warning", "ok"))
        self.assertIn("alarm disk since 12:00: 1 MB is free", warning.text)

    def test_daemon_waits(self) -> None:
        """
        The finding about a daemon that is not ready names the dependency and its last
        error.
        """
        dependency = {
            "name": "message 127.0.0.1:22004",
            "state": "connecting",
            "since": "now",
            "last_error": "connection refused",
        }
        told = {"ready": False, "reason": "waiting", "dependencies": [dependency]}
        (found,) = checks.daemon(CONNECT, lambda _: told)
        self.assertEqual(found.level, "problem")
        self.assertIn("connection refused", found.text)
        self.assertIn("twistd -n message", found.remedy)
        told["ready"] = True
        self.assertEqual(
            levels(checks.daemon(CONNECT, lambda _: told)),
            ["warning", "ok"],
        )

    def test_backends(self) -> None:
        """
        A cause has a remedy, whatever the wording of the reason; a failure without a
        known cause has one too.
        """
        for name, cause, words in (
            ("journal", Cause.UNREACHABLE, "start Kafka"),
            ("journal", Cause.TLS, "kafka.tls_ca"),
            ("journal", Cause.CREDENTIALS, "kafka.password"),
            ("journal", Cause.RIGHTS, "kafka.group"),
            ("journal", Cause.TOPIC_RIGHTS, "right to the topic (kafka-acls"),
            ("journal", Cause.TOPIC_MISSING, "kafka.create_topics"),
            ("journal", Cause.TOPIC_PARTITIONS, "kafka.dead_letters"),
            ("journal", Cause.TOPIC_RETIRED, "wsmsg journal repartition"),
            ("journal", Cause.TOPIC_BYTES, "kafka-configs"),
            ("journal", None, "message.journal"),
            ("journal", "of a newer version", "message.journal"),
            ("store", None, "start MongoDB"),
            ("presence", None, "start Redis"),
        ):
            error = "the broker refuses our credentials, or any other reason"
            dependency = {
                "name": name,
                "state": "connecting",
                "since": "now",
                "last_error": error,
                **({} if cause is None else {"cause": str(cause)}),
            }
            told = {"ready": False, "reason": "x", "dependencies": [dependency]}
            (found,) = checks.daemon(MESSAGE, partial(_told, told))
            self.assertIn(error, found.text)
            self.assertIn(words, found.remedy)
