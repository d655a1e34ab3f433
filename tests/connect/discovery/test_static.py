"""
Tests of addresses that the settings list.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from wsmsg.connect.discovery.dns import DnsDiscovery
from wsmsg.connect.discovery.interface import IDiscovery, discovery_of
from wsmsg.connect.discovery.static import StaticDiscovery
from wsmsg.dependency.retry import retry_policy
from wsmsg.settings.values import ConnectSettings


class StaticDiscoveryTests(SynchronousTestCase):
    """
    C{static:host:port,host:port}.
    """

    def test_addresses(self) -> None:
        """
        All addresses are reported at the start.
        """
        discovery = StaticDiscovery("static:one:22004, [::1]:22004")
        verifyObject(IDiscovery, discovery)
        reports: list[frozenset[str]] = []
        discovery.start(reports.append)
        self.assertEqual(reports, [frozenset({"one:22004", "[::1]:22004"})])
        self.successResultOf(discovery.stop())

    def test_mistakes(self) -> None:
        """
        A URL without an address, with nonsense, or with one address twice is refused
        with a reason.
        """
        for url, reason in (
            ("static:", "names no address"),
            ("static:here", "is not host:port"),
            ("static:a:1,a:1", "names an address twice"),
            ("static:a:0", "port 0"),
            ("static:a:99999", "no port"),
        ):
            e = self.assertRaises(ValueError, StaticDiscovery, url)
            self.assertIn(reason, str(e), url)

    def test_chosen_by_url(self) -> None:
        """
        The scheme of the URL chooses the discovery.
        """
        for url, kind in (
            ("static:a:1", StaticDiscovery),
            ("dns:message.test:22004", DnsDiscovery),
            ("dns:_wsmsg._tcp.message.test", DnsDiscovery),
        ):
            settings = ConnectSettings(discovery=url)
            retry = retry_policy(settings.retry)
            self.assertIsInstance(discovery_of(settings, Clock(), retry), kind)
        settings = ConnectSettings.model_construct(discovery="nonsense:a:1")
        self.assertRaises(ValueError, discovery_of, settings, Clock(), retry)
