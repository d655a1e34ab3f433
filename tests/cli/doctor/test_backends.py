"""
Tests for L{wsmsg.cli.doctor.backends}.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.cli.doctor.backends import backends, reach
from wsmsg.settings.sources import Sources, load_settings
from wsmsg.settings.urls.address import Address
from wsmsg.settings.values import ConnectSettings, MessageSettings

_MANY = """
[connect]
discovery = "redis://127.0.0.1:6390"
legacy.redis = "redis://127.0.0.1:6391"
[message]
journal = "kafka://127.0.0.1:9001,127.0.0.1:9002/chat"
store = "mongodb://127.0.0.1:9003/chat"
presence = "redis://127.0.0.1:6390"
"""


class BackendTests(SynchronousTestCase):
    """
    The servers that a settings file names.
    """

    def found(self, text: str, *away: int) -> list[tuple[str, str, str]]:
        """
        Level, subject and text of each finding, while nothing listens at some ports.
        """
        folder = Path(tempfile.mkdtemp(prefix="wsmsg-test-"))
        self.addCleanup(shutil.rmtree, folder)
        file = folder / "wsmsg.toml"
        file.write_text(text)
        sources = Sources(file=file)
        findings = backends(
            load_settings(ConnectSettings, sources),
            load_settings(MessageSettings, sources),
            lambda a: "refused" if a.port in away else "",
        )
        return [(f.level, f.subject, f.text) for f in findings]

    def test_all_there(self) -> None:
        """
        Each server is named with its setting.
        """
        found = self.found(_MANY)
        self.assertEqual({level for level, _, _ in found}, {"ok"})
        self.assertEqual(
            [subject for _, subject, _ in found],
            [
                "message.journal",
                "message.store",
                "message.presence",
                "connect.discovery",
                "connect.legacy.redis",
            ],
        )

    def test_one_broker_away(self) -> None:
        """
        One unreachable broker of several is a warning, all of them a problem.
        """
        [journal, *_] = self.found(_MANY, 9002)
        self.assertEqual(
            journal, ("warning", "message.journal", "127.0.0.1:9002: refused")
        )
        [journal, *_] = self.found(_MANY, 9001, 9002)
        self.assertEqual(journal[0], "problem")

    def test_store_away(self) -> None:
        """
        An unreachable store is a problem, with its address and the reason.
        """
        self.assertIn(
            ("problem", "message.store", "127.0.0.1:9003: refused"),
            self.found(_MANY, 9003),
        )

    def test_embedded(self) -> None:
        """
        Settings without servers have a finding that says so.
        """
        [(level, _, text)] = self.found("")
        self.assertEqual(level, "ok")
        self.assertIn("embedded", text)

    def test_reach(self) -> None:
        """
        A listening port is reachable, another is not.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = Address("127.0.0.1", server.getsockname()[1])
            self.assertEqual(reach(address), "")
        self.assertIn("refused", reach(address))
