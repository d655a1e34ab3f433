"""
A DNS server on loopback, for tests.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.names import common, dns, error
from twisted.names.server import DNSServerFactory
from twisted.trial.unittest import TestCase

from wsmsg.connect.discovery.dns import DnsDiscovery
from wsmsg.settings.urls.address import parse_address

HOST = "message.test"
SERVICE = "_wsmsg._tcp.message.test"


class Zone(common.ResolverBase):
    """
    The contents of the server.

    @ivar records: by name and type, as (payload, ttl).
    @ivar broken: whether every query fails.
    @ivar broken_types: the types whose queries fail.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.records: dict[tuple[str, int], list[tuple[Any, int]]] = {}
        self.broken = False
        self.broken_types: set[int] = set()

    def _lookup(self, name: bytes, cls: int, type: int, timeout: Any) -> Deferred[Any]:
        text = name.decode("ascii").lower()
        if self.broken or type in self.broken_types:
            return fail(error.ResolverError(text))  # SERVFAIL
        found = [
            dns.RRHeader(name, type, dns.IN, ttl, payload)
            for payload, ttl in self.records.get((text, type), ())
        ]
        if not found and not any(known == text for known, _ in self.records):
            return fail(error.DomainError(text))
        return succeed((found, [], []))


class DnsPlace:
    """
    A DNS server, as a source of addresses.

    @ivar service: whether the discovery looks up the service, not the host.
    """

    fixed = False

    def __init__(self, case: TestCase, *, service: bool = False) -> None:
        from twisted.internet import reactor as reactor_

        reactor: Any = reactor_
        self.reactor = reactor
        self.service = service
        self.ttl = 1
        self.zone = Zone()
        factory = DNSServerFactory(clients=[self.zone])
        factory.noisy = False
        protocol = dns.DNSDatagramProtocol(factory)
        protocol.noisy = False
        self._tcp: Any
        self._udp: Any
        while True:
            self._tcp = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
            self.port = self._tcp.getHost().port
            try:
                self._udp = self.reactor.listenUDP(
                    self.port, protocol, interface="127.0.0.1"
                )
            except CannotListenError:
                case.addCleanup(self._tcp.stopListening)
            else:
                break
        case.addCleanup(self._close)
        # The server logs what it answers as SERVFAIL.
        case.addCleanup(case.flushLoggedErrors, error.ResolverError)

    async def _close(self) -> None:
        await self._udp.stopListening()
        await self._tcp.stopListening()

    def url(self) -> str:
        what = SERVICE if self.service else f"{HOST}:1"
        return f"dns://127.0.0.1:{self.port}/{what}"

    def discovery(self) -> DnsDiscovery:
        return DnsDiscovery(self.url(), self.reactor)

    async def put(self, *addresses: str) -> None:
        records = self.zone.records
        records.clear()
        for n, address in enumerate(addresses):
            host, port = parse_address(address)
            name = f"m{n}.{HOST}" if self.service else HOST
            payload: Any
            if ":" in host:
                payload, kind = dns.Record_AAAA(host), dns.AAAA
            else:
                payload, kind = dns.Record_A(host), dns.A
            records.setdefault((name, kind), []).append((payload, self.ttl))
            if self.service:
                srv = dns.Record_SRV(0, 0, port, name)
                records.setdefault((SERVICE, dns.SRV), []).append((srv, self.ttl))

    async def fail(self) -> None:
        self.zone.broken = True

    async def heal(self) -> None:
        self.zone.broken = False
