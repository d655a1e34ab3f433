"""
The status page, asked over HTTP.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.http.wire import Wire
from wsmsg.dependency.state import Dependency
from wsmsg.http.operators import OperatorAccess
from wsmsg.monitoring.admin import admin_site
from wsmsg.monitoring.health import Health, required_up
from wsmsg.monitoring.metrics import Metrics
from wsmsg.monitoring.status.events import MOST
from wsmsg.monitoring.status.history import INTERVAL_S
from wsmsg.monitoring.status.service import STATUS_S, StatusPage
from wsmsg.settings.values import Common


class Browser:
    """
    A connection, and what arrived on it.
    """

    def __init__(self, site: Any, *lines: str, path: str = "/events") -> None:
        self.wire: Any = Wire()
        self.channel = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 7))
        self.channel.makeConnection(self.wire)
        asked = [f"GET {path} HTTP/1.1", *lines, "", ""]
        self.channel.dataReceived("\r\n".join(asked).encode())

    @property
    def head(self) -> list[str]:
        """
        The lines of the head of the answer.
        """
        head: bytes = self.wire.value().partition(b"\r\n\r\n")[0]
        return head.decode().split("\r\n")

    def events(self) -> list[tuple[str, Any]]:
        """
        Return the names and the data of the events that arrived since the last call.
        """
        body = self.wire.value()
        self.wire.clear()
        found = []
        for line in body.decode().split("\n"):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
        return found

    def leave(self) -> None:
        """
        Close the connection.
        """
        self.channel.connectionLost(Failure(ConnectionDone()))


class StatusPageTests(SynchronousTestCase):
    """
    L{StatusPage}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = Dependency("store", self.clock, unix_s=self.clock.seconds)
        self.health = Health(
            self.clock,
            required_up,
            dependencies=[self.store],
            about={"daemon": "message", "node": "m1"},
            unix_s=self.clock.seconds,
        )
        self.health.started()
        self.users = 3
        metrics = Metrics()
        metrics.gauge("wsmsg_message_users", "Connected users", lambda: self.users)
        self.page = StatusPage(self.health, metrics, self.clock)
        folder = Path(self.mktemp())
        access = OperatorAccess(Common(), folder)
        self.login = (
            f"Authorization: Bearer {(folder / 'admin.key').read_text().strip()}"
        )
        self.site = admin_site(
            self.health, metrics, self.clock, self.page.routes(), access=access
        )
        self.page.start()
        self.addCleanup(self.page.stop)

    def test_first(self) -> None:
        """
        A page that opens is told the history of the charts and the status at once.
        """
        self.clock.advance(INTERVAL_S)
        self.users = 4
        self.clock.advance(INTERVAL_S)
        browser = Browser(self.site, self.login)
        self.assertIn("200 OK", browser.head[0])
        self.assertIn("Content-Type: text/event-stream; charset=utf-8", browser.head)
        self.assertIn("Cache-Control: no-store", browser.head)
        (_, history), (name, status) = browser.events()
        self.assertEqual(history["samples"], [[3], [4]])
        self.assertEqual([c["title"] for c in history["charts"]], ["Users"])
        self.assertEqual((name, status["node"]), ("status", "m1"))
        self.assertEqual(status["figures"], {"users": 4})

    def test_live(self) -> None:
        """
        A change is told within a second, in words; a sample every five.
        """
        browser = Browser(self.site, self.login)
        browser.events()
        self.store.attempting()
        self.store.failed("disk full", 30.0)
        self.clock.advance(STATUS_S)
        [(name, status)] = browser.events()
        self.assertEqual(name, "status")
        self.assertIn("the store cannot be reached: disk full", status["in_words"])
        self.store.succeeded()
        self.clock.advance(STATUS_S)
        [(_, status)] = browser.events()
        self.assertEqual(
            status["in_words"], "Ready: messages are accepted, stored and delivered."
        )
        self.clock.advance(INTERVAL_S - 2 * STATUS_S)
        self.assertIn(("sample", [3]), browser.events())

    def test_cost(self) -> None:
        """
        While no page is open, the samples are the only timer.
        """
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        browser = Browser(self.site, self.login)
        self.assertEqual(self._timers(), 2)
        browser.leave()
        self.assertEqual(self._timers(), 1)

    def _timers(self) -> int:
        """
        Return the number of timers of the page.
        """
        due = [c.getTime() - self.clock.seconds() for c in self.clock.getDelayedCalls()]
        return len([s for s in due if s <= INTERVAL_S])

    def test_page(self) -> None:
        """
        Everybody gets the page itself, which tells nothing, by links of other sites as
        well; its files are there.
        """
        other = "Sec-Fetch-Site: cross-site"
        for path in (
            "/",
            "/static/status.js",
            "/static/status.css",
            "/static/icon.svg",
        ):
            browser = Browser(self.site, other, "Host: monitor.example", path=path)
            self.assertIn("200 OK", browser.head[0], path)

    def test_refused(self) -> None:
        """
        The events need the key of operators, and pages of other sites get none with it.
        """
        for lines, status in (
            (("Host: localhost",), "401"),
            ((self.login, "Host: evil.example"), "403"),
            ((self.login, "Origin: https://evil.example"), "403"),
            ((self.login, "Sec-Fetch-Site: cross-site"), "403"),
            ((self.login, "Sec-Fetch-Site: same-origin"), "200"),
        ):
            browser = Browser(self.site, *lines)
            self.assertIn(f" {status} ", browser.head[0], lines)

    def test_most(self) -> None:
        """
        So many pages may be open; one more is told to come again, and has a place when
        another one leaves.
        """
        browsers = [Browser(self.site, self.login) for _ in range(MOST)]
        more = Browser(self.site, self.login)
        self.assertIn(" 503 ", more.head[0])
        self.assertIn("Retry-After: 5", more.head)
        browsers[0].leave()
        self.assertIn("200 OK", Browser(self.site, self.login).head[0])

    def test_slow(self) -> None:
        """
        A page that does not read is written nothing more; it gets everything once it
        reads, and is cut if that takes too long.
        """
        browser = Browser(self.site, self.login)
        browser.events()
        browser.wire.producer.pauseProducing()
        self.clock.advance(STATUS_S)
        self.assertEqual(browser.events(), [])
        browser.wire.producer.resumeProducing()
        self.clock.advance(STATUS_S)
        self.assertEqual([name for name, _ in browser.events()], ["history", "status"])
        browser.wire.producer.pauseProducing()
        for _ in range(20):
            self.clock.advance(STATUS_S)
        self.assertTrue(browser.wire.aborted)
        self.assertEqual(browser.events(), [])

    def test_stop(self) -> None:
        """
        A daemon that stops ends the streams, and nothing of them is left.
        """
        browser = Browser(self.site, self.login)
        self.page.stop()
        self.assertTrue(browser.wire.value().endswith(b"0\r\n\r\n"))
        self.assertEqual(self._timers(), 0)
        self.page.stop()

    def test_fault(self) -> None:
        """
        A fault in a section of the status is logged, and the page goes on.
        """
        browser = Browser(self.site, self.login)
        browser.events()
        self.health.add_section("odd", lambda: 1 // 0)
        self.clock.advance(STATUS_S)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.health.add_section("odd", lambda: 1)
        self.clock.advance(STATUS_S)
        self.assertEqual([name for name, _ in browser.events()], ["status"])
