"""
Tests of addresses in the DNS, with a real server on loopback.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.names import dns, error
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.connect.discovery.discovery_contract import (
    Reports,
    make_discovery_tests,
    until_state,
)
from tests.connect.discovery.dns_server import HOST, SERVICE, DnsPlace
from wsmsg.connect.discovery.dns import MAX_TTL_S, MIN_TTL_S, RETRY_S, DnsDiscovery
from wsmsg.connect.discovery.static import StaticDiscovery
from wsmsg.dependency.state import State
from wsmsg.settings.urls.address import Address
from wsmsg.settings.urls.dns import DnsUrl, read_dns_url


class _StaticPlace:
    fixed = True

    def discovery(self) -> StaticDiscovery:
        return StaticDiscovery("static:127.0.0.1:1")

    async def put(self, *addresses: str) -> None:
        pass

    fail = heal = put


async def _static(case: TestCase) -> _StaticPlace:
    return _StaticPlace()


async def _host(case: TestCase) -> DnsPlace:
    return DnsPlace(case)


async def _service(case: TestCase) -> DnsPlace:
    return DnsPlace(case, service=True)


class StaticContract(make_discovery_tests(_static)):  # type: ignore[misc]
    """
    The contract for C{static:}.
    """


class HostContract(make_discovery_tests(_host)):  # type: ignore[misc]
    """
    The contract for C{dns:name:port}.
    """


class ServiceContract(make_discovery_tests(_service)):  # type: ignore[misc]
    """
    The contract for C{dns:_service._proto.name}.
    """


class ServerTests(TestCase):
    """
    Answers of a real server.
    """

    def looking(self, place: DnsPlace) -> tuple[DnsDiscovery, Reports]:
        discovery, reports = place.discovery(), Reports()
        self.addCleanup(discovery.stop)
        discovery.start(reports.changed)
        return discovery, reports

    async def test_both_families(self) -> None:
        """
        The IPv4 and IPv6 addresses of a host are all Messages.
        """
        place = DnsPlace(self)
        await place.put("127.0.0.1:1", "[::1]:1")
        _, reports = self.looking(place)
        await reports.until("127.0.0.1:1", "[::1]:1")

    async def test_ports_of_a_service(self) -> None:
        """
        Each instance of a service has the port in its record.
        """
        place = DnsPlace(self, service=True)
        await place.put("127.0.0.1:10", "127.0.0.2:20", "[::1]:30")
        _, reports = self.looking(place)
        await reports.until("127.0.0.1:10", "127.0.0.2:20", "[::1]:30")

    async def test_many(self) -> None:
        """
        An answer that is too long for a datagram is fetched over TCP.
        """
        place = DnsPlace(self)
        addresses = [f"127.0.0.{n}:1" for n in range(1, 61)]
        await place.put(*addresses)
        _, reports = self.looking(place)
        await reports.until(*addresses)

    async def test_no_such_name(self) -> None:
        """
        An unknown name is a failure with a reason, and drops no known address.
        """
        place = DnsPlace(self)
        await place.put("127.0.0.1:1")
        discovery, reports = self.looking(place)
        await reports.until("127.0.0.1:1")
        await place.put()
        await until_state(discovery.dependency, State.CONNECTING)
        reason = discovery.dependency.snapshot().last_error
        self.assertIn("message.test: the host has no address", reason)
        self.assertIn("going on with the 1 known before", reason)
        self.assertEqual(len(reports.all), 1)

    async def test_no_such_service(self) -> None:
        """
        An unknown service is a failure that names it.
        """
        place = DnsPlace(self, service=True)
        discovery, reports = self.looking(place)
        while not discovery.dependency.snapshot().last_error:
            await _turn(place.reactor)
        reason = discovery.dependency.snapshot().last_error
        self.assertEqual(reason, f"the service {SERVICE} has no host")
        self.assertEqual(reports.all, [])

    async def test_service_that_is_not_here(self) -> None:
        """
        A service with a dot as its host has no host.
        """
        place = DnsPlace(self, service=True)
        place.zone.records[SERVICE, dns.SRV] = [(dns.Record_SRV(0, 0, 1, b""), 1)]
        discovery, _ = self.looking(place)
        while not discovery.dependency.snapshot().last_error:
            await _turn(place.reactor)
        self.assertIn("has no host", discovery.dependency.snapshot().last_error)

    async def test_half_an_answer(self) -> None:
        """
        If only one address family can be queried, its new addresses count, and no
        address of the other is dropped.
        """
        place = DnsPlace(self)
        await place.put("127.0.0.1:1", "[::1]:1")
        discovery, reports = self.looking(place)
        await reports.until("127.0.0.1:1", "[::1]:1")
        place.zone.broken_types = {dns.AAAA}
        await place.put("127.0.0.2:1")
        await reports.until("127.0.0.1:1", "[::1]:1", "127.0.0.2:1")
        await until_state(discovery.dependency, State.CONNECTING)
        self.assertIn("SERVFAIL", discovery.dependency.snapshot().last_error)
        place.zone.broken_types = set()
        await reports.until("127.0.0.2:1")

    async def test_server_fails(self) -> None:
        """
        The failure of a server is shown as such.
        """
        place = DnsPlace(self)
        await place.fail()
        discovery, _ = self.looking(place)
        while not discovery.dependency.snapshot().last_error:
            await _turn(place.reactor)
        self.assertIn(
            "the name server failed (SERVFAIL)",
            discovery.dependency.snapshot().last_error,
        )


def _turn(reactor: Any) -> Deferred[None]:
    turned: Deferred[None] = Deferred()
    reactor.callLater(0, turned.callback, None)
    return turned


class _Answers:
    """
    A resolver with scripted answers.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.ttl = 5
        self.addresses = ["10.0.0.1"]
        self.failure: Exception | None = None

    def lookupAddress(self, name: str, timeout: object) -> Deferred[Any]:
        self.asked += 1
        if self.failure is not None:
            return fail(self.failure)
        return succeed(
            (
                [
                    dns.RRHeader(name, dns.A, dns.IN, self.ttl, dns.Record_A(a))
                    for a in self.addresses
                ],
                [],
                [],
            )
        )

    def lookupIPV6Address(self, name: str, timeout: object) -> Deferred[Any]:
        return fail(self.failure or error.DNSNameError(name))


class AgeTests(SynchronousTestCase):
    """
    The time between two queries.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.answers = _Answers()
        self.reports: list[frozenset[str]] = []
        self.discovery = DnsDiscovery(
            f"dns:{HOST}:1", self.clock, resolver_of=lambda url: self.answers
        )

    def queried_after(self, seconds: float) -> None:
        """
        Assert that the next query is made after this time, and not before.
        """
        asked = self.answers.asked
        self.clock.advance(seconds - 0.01)
        self.assertEqual(self.answers.asked, asked)
        self.clock.advance(0.02)
        self.assertEqual(self.answers.asked, asked + 1)

    def test_ttl(self) -> None:
        """
        An answer is valid for its TTL, within bounds; the same answer is not reported
        again.
        """
        self.discovery.start(self.reports.append)
        self.queried_after(5)
        self.answers.ttl = 0
        self.queried_after(5)
        self.queried_after(MIN_TTL_S)
        self.answers.ttl = 86400
        self.queried_after(MIN_TTL_S)
        self.queried_after(MAX_TTL_S)
        self.assertEqual(self.reports, [frozenset({"10.0.0.1:1"})])
        self.successResultOf(self.discovery.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """
        A failure is followed by a query soon, whose answer counts.
        """
        self.discovery.start(self.reports.append)
        self.answers.failure = error.DNSQueryTimeoutError(1)
        self.queried_after(5)
        snapshot = self.discovery.dependency.snapshot()
        self.assertEqual(
            snapshot.last_error,
            f"{HOST}: no name server answered in time;"
            " going on with the 1 known before",
        )
        self.assertEqual((snapshot.losses, snapshot.state), (1, State.CONNECTING))
        self.answers.failure, self.answers.addresses = None, ["10.0.0.2"]
        self.queried_after(RETRY_S)
        self.assertEqual(self.reports[-1], frozenset({"10.0.0.2:1"}))
        self.assertIs(self.discovery.dependency.state, State.UP)
        self.successResultOf(self.discovery.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_many(self) -> None:
        """
        An answer with more addresses than the limit is a failure.
        """
        self.answers.addresses = [f"10.0.{n // 250}.{n % 250}" for n in range(300)]
        self.discovery.start(self.reports.append)
        self.assertEqual(self.reports, [])
        self.assertIn("limit is 256", self.discovery.dependency.snapshot().last_error)
        self.successResultOf(self.discovery.stop())


class UrlTests(SynchronousTestCase):
    """
    C{dns:} URLs, right and wrong.
    """

    def test_good(self) -> None:
        """
        A host has a port, a service has none, and either may name servers.
        """
        for url, read in (
            ("dns:message:22004", DnsUrl("message", 22004, ())),
            ("dns:a.b.c.:1", DnsUrl("a.b.c", 1, ())),
            ("dns:_wsmsg._tcp.b.c", DnsUrl("_wsmsg._tcp.b.c", 0, ())),
            (
                "dns://10.0.0.1,[::1]:5353/_wsmsg._tcp.b",
                DnsUrl(
                    "_wsmsg._tcp.b", 0, (Address("10.0.0.1", 53), Address("::1", 5353))
                ),
            ),
        ):
            self.assertEqual(read_dns_url(url), read)

    def test_mistakes(self) -> None:
        """
        Each mistake is refused with a reason.
        """
        for url, reason in (
            ("dns:", "has no port and is not a service"),
            ("dns:message", "has no port and is not a service"),
            ("dns:message:0", "port 0 cannot be dialled"),
            ("dns:message:x", "has no port from 0 to 65535"),
            ("dns:10.0.0.1:22004", "use static:10.0.0.1:22004"),
            ("dns:a..b:1", "is not a valid DNS name"),
            ("dns:_wsmsg._tcp.b:1", "a service has its ports in the DNS"),
            ("dns:_wsmsg.b", "is not a service; write dns:_service._proto.name"),
            ("dns://10.0.0.1", "is not dns://server:port/name:port"),
            ("dns://names.test:53/a:1", "is not an IP address"),
            ("dns://10.0.0.1:0/a:1", "port 0 cannot be queried"),
        ):
            e = self.assertRaises(ValueError, read_dns_url, url)
            self.assertIn(reason, str(e), url)
