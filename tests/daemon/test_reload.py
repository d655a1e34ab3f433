"""
Reload of the settings of a daemon.
"""

from __future__ import annotations

from twisted.logger import capturedLogs
from twisted.logger import formatEvent as text_of
from twisted.trial.unittest import TestCase

from wsmsg.auth.reread import NOTHING_READ, FileRead
from wsmsg.daemon.reload import Reload
from wsmsg.settings.mistakes import Mistake, SettingsMistakes
from wsmsg.settings.values import ConnectSettings


class ReloadTests(TestCase):
    """
    L{Reload}.
    """

    def setUp(self) -> None:
        self.new: ConnectSettings | Exception = ConnectSettings()
        self.applied: list[ConnectSettings] = []
        self.reload = Reload(ConnectSettings(), self.load)
        self.reload.add(self.applied.append)

    def load(self) -> ConnectSettings:
        if isinstance(self.new, Exception):
            raise self.new
        return self.new

    def test_applied(self) -> None:
        """
        A reload applies live keys; keys that need a restart keep their values and are
        logged.
        """
        self.new = ConnectSettings(heartbeat_s=9, listen="127.0.0.1:9")
        with capturedLogs() as events:
            self.reload()
        (applied,) = self.applied
        self.assertEqual(applied, ConnectSettings(heartbeat_s=9))
        self.assertEqual(self.reload.settings, applied)
        self.assertEqual(
            [text_of(e) for e in events],
            [
                "settings: listen changes only with a restart",
                "settings reloaded; changed: heartbeat_s",
            ],
        )

    def test_mistakes(self) -> None:
        """
        A file with mistakes changes nothing, and each mistake is logged.
        """
        self.new = SettingsMistakes([Mistake("f", "listen", "is no good")])
        with capturedLogs() as events:
            self.reload()
        self.assertEqual(self.applied, [])
        self.assertEqual(text_of(events[0]), "settings: f: listen: is no good")
        self.assertEqual(text_of(events[1]), "the settings were not reloaded")

    def test_nothing_new(self) -> None:
        """
        A reload without changes applies nothing.
        """
        self.reload()
        self.assertEqual(self.applied, [])

    def test_files(self) -> None:
        """
        A reload says which files with keys and certificates have another content than
        before, and which ones it has read without finding any change.
        """
        files = [FileRead("tls.listen.cert (CN=a)", True), FileRead("peer.key", False)]
        self.reload.add_files(lambda: files[:1])
        self.reload.add_files(lambda: NOTHING_READ)
        self.reload.add_files(lambda: [*files[1:], FileRead("token.key", False)])
        with capturedLogs() as events:
            self.reload()
        self.assertEqual(
            [text_of(e) for e in events],
            [
                "settings reloaded; changed: nothing; changed files: tls.listen.cert "
                "(CN=a); read again, unchanged: peer.key, token.key"
            ],
        )

    def test_failing_part(self) -> None:
        """
        A part that cannot apply the settings is logged, and the others apply them.
        """
        self.reload = Reload(ConnectSettings(), self.load)
        self.reload.add(lambda new: 1 / 0)
        self.reload.add(self.applied.append)
        self.new = ConnectSettings(heartbeat_s=9)
        self.reload()
        self.assertEqual(self.applied, [self.new])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
