"""
Tests for L{wsmsg.monitoring.certificates}.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.security.certificates import Authority
from wsmsg.dependency.alarms import Alarms
from wsmsg.monitoring.certificates import (
    EXPIRED,
    LOOK_S,
    SOON,
    CertificateWatch,
    authority_files,
    certificate_files,
)
from wsmsg.settings.listeners import ListenersTls, ListenerTls
from wsmsg.settings.upstream import PeerSettings

DAY_S = 86400.0


class CertificateWatchTests(SynchronousTestCase):
    """
    L{CertificateWatch}.
    """

    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.authority = Authority(folder)
        self.cert, _ = self.authority.issue("server", days=30)
        self.clock, self.now_s = Clock(), time.time()
        self.alarms = Alarms(self.clock.seconds)
        self.watch = CertificateWatch(
            {"tls.listen.cert": self.cert}, self.clock, self.alarms, lambda: self.now_s
        )
        self.watch.start()

    def reason(self, days: float = 0.0) -> str:
        """
        Return the reason of the alarm after so many days.
        """
        self.now_s += days * DAY_S
        self.clock.advance(LOOK_S)
        return ", ".join(a.reason for a in self.alarms.current)

    def test_row_6_expires(self) -> None:
        """
        Two weeks before a certificate in use expires an alarm is raised, which says
        when it has expired; a renewed file clears it when the daemon reads the file.
        """
        self.assertEqual(self.reason(15.9), "")
        with capturedLogs() as logs:
            soon = self.reason(0.2)
            self.assertRegex(soon, r"^tls\.listen\.cert expires at \d{4}-.* UTC; renew")
            self.assertEqual(self.reason(1), soon)
        self.assertEqual(len(logs), 1)
        self.assertEqual([a.name for a in self.alarms.current], [SOON])
        with capturedLogs() as logs:
            self.assertIn("tls.listen.cert expired at", self.reason(20))
        self.assertEqual([e.get("alarm") for e in logs], [SOON, EXPIRED])
        self.authority.issue("server", days=90)
        self.assertIn("expired at", self.reason())
        self.watch.read()
        self.assertEqual(self.reason(), "")
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_short_lifetime(self) -> None:
        """
        A certificate that is made for a few days is not always too old: the alarm comes
        when a quarter of its lifetime is left.
        """
        self.authority.issue("server", days=6, since_days=0)
        self.watch.read()
        self.assertEqual(self.reason(4), "")
        self.assertIn("expires at", self.reason(0.6))
        self.watch.stop()

    def test_read_again(self) -> None:
        """
        Reading the files again tells of each certificate whose it is, when it expires,
        and whether it is another one; those that a daemon trusts are told of as well.
        """
        ca = self.authority.path
        watch = CertificateWatch(
            {"tls.listen.cert": self.cert},
            self.clock,
            self.alarms,
            lambda: self.now_s,
            authorities={"peer.ca": ca},
        )
        watch.read()
        same = watch.read()
        self.assertEqual([file.changed for file in same], [False, False])
        self.assertRegex(
            same[0].name,
            r"^tls\.listen\.cert \(CN=server, expires \d{4}-\d\d-\d\d [0-9:]{8} UTC\)$",
        )
        self.assertTrue(same[1].name.startswith("peer.ca (CN=authority, expires "))
        self.authority.issue("server", days=90)
        renewed = watch.read()
        self.assertEqual([file.changed for file in renewed], [True, False])
        self.assertNotEqual(renewed[0].name, same[0].name)
        self.watch.stop()

    def test_files(self) -> None:
        """
        The certificates of all listeners and the one that peers are shown are watched.
        """
        tls = ListenersTls(admin_listen=ListenerTls(cert="a.pem", key="a.key"))
        self.assertEqual(
            certificate_files(tls, PeerSettings(cert="p.pem")),
            {"tls.admin_listen.cert": "a.pem", "peer.cert": "p.pem"},
        )
        trust = ListenersTls(rpc_listen=ListenerTls(client_ca="c.pem"))
        self.assertEqual(
            authority_files(trust, PeerSettings(ca="d.pem")),
            {"tls.rpc_listen.client_ca": "c.pem", "peer.ca": "d.pem"},
        )
        self.watch.stop()
