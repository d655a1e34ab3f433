"""
Addresses of a host (A, AAAA) or of a service (SRV) in the DNS.

L{DnsDiscovery} queries again when the TTL of an answer ends, within bounds.  An answer
without any address counts as a failure, so that a broken zone does not end the streams
that are up.  Priorities and weights of SRV records are ignored, because Connect has a
stream to every Message anyway.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, DeferredList, gatherResults, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.names import client, dns, hosts, resolve
from twisted.names.error import (
    DNSNameError,
    DNSNotImplementedError,
    DNSQueryRefusedError,
    DNSServerError,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.connect.discovery.interface import Changed, IDiscovery
from wsmsg.dependency.state import Dependency
from wsmsg.settings.urls.address import Address
from wsmsg.settings.urls.dns import DnsUrl, read_dns_url

#: The least time between two queries, whatever the TTL.
MIN_TTL_S = 1.0
#: The longest time between two queries, whatever the TTL.
MAX_TTL_S = 30.0
#: The time between a failure and the next query; the addresses stay meanwhile.
RETRY_S = 2.0

_TIMEOUTS_S = (1, 2)
_RESOLV_CONF = Path("/etc/resolv.conf")
_HOSTS = "/etc/hosts"
#: The most addresses in an answer; one with more counts as a failure.
_MOST_ADDRESSES = 256


class _Found(NamedTuple):
    """
    The addresses of an answer.

    @ivar ttl_s: how long the answer is valid.
    @ivar missing: why addresses may be missing; empty: none are.
    """

    addresses: frozenset[str]
    ttl_s: float = MAX_TTL_S
    missing: str = ""


class _NoAnswer(Exception):
    """
    The DNS has no address; the text says why.
    """


#: Makes the resolver, for the servers that the URL names.
ResolverOf = Callable[[DnsUrl], Any]


@implementer(IDiscovery)
class DnsDiscovery:
    """
    The addresses behind C{dns:name:port} or C{dns:_service._proto.name}.

    @param resolver_of: called before each query, so that a change of the machine's name
        servers takes effect.
    @raise ValueError: the URL is wrong; the text says why, for the operator.
    """

    _log = Logger()

    def __init__(
        self, url: str, reactor: Any, resolver_of: ResolverOf | None = None
    ) -> None:
        self.url = read_dns_url(url)
        self.dependency = Dependency(f"discovery {url}", reactor, required=False)
        self._reactor = reactor
        self._resolver_of = resolver_of or self._system_resolver
        self._on_changed: Changed | None = None
        self._known: frozenset[str] = frozenset()
        self._next: IDelayedCall | None = None
        self._querying: Deferred[None] | None = None
        self._stopping = False

    def start(self, changed: Changed) -> None:
        self._on_changed = changed
        self._query()

    def stop(self) -> Deferred[None]:
        self._stopping = True
        if self._next is not None and self._next.active():
            self._next.cancel()
        querying = self._querying or succeed(None)
        stopped: Deferred[None] = Deferred()
        querying.addBoth(lambda _: stopped.callback(None))
        return stopped.addCallback(lambda _: self.dependency.stopped())

    # -- queries in time

    def _query(self) -> None:
        self._next = None
        if not self.dependency.up:
            self.dependency.attempting()
        querying: Deferred[Any] = Deferred.fromCoroutine(self._find())
        querying.addCallbacks(self._found, self._failed)
        self._querying = querying.addErrback(self._bug)

    def _found(self, found: _Found) -> None:
        if self._stopping:
            return
        if found.missing:
            # An address that is missing may be one of those known before.
            self._retry(found.missing)
            self._report(self._known | found.addresses)
            return
        self._schedule(min(max(found.ttl_s, MIN_TTL_S), MAX_TTL_S))
        self.dependency.succeeded()
        self._report(found.addresses)

    def _failed(self, failure: Failure) -> None:
        if self._stopping:
            return
        if not failure.check(_NoAnswer):
            self._log.failure("querying the DNS", failure)
        self._retry(failure.getErrorMessage())

    def _retry(self, reason: str) -> None:
        if self._known:
            reason = f"{reason}; going on with the {len(self._known)} known before"
        self._schedule(RETRY_S)
        self.dependency.lost(reason)
        if not self._stopping:  # a listener of the dependency may have stopped this
            self.dependency.failed(reason, RETRY_S)

    def _bug(self, failure: Failure) -> None:
        self._log.failure("reporting the addresses in the DNS", failure)

    def _schedule(self, delay_s: float) -> None:
        self._next = self._reactor.callLater(delay_s, self._query)

    def _report(self, addresses: frozenset[str]) -> None:
        if self._stopping or addresses == self._known:
            return
        self._log.info(
            "{name}: {addresses}",
            name=self.url.name,
            addresses=", ".join(sorted(addresses)),
        )
        self._known = addresses
        if self._on_changed is not None:
            self._on_changed(addresses)

    # -- one query

    async def _find(self) -> _Found:
        url, resolver = self.url, self._resolver_of(self.url)
        if url.is_service:
            found = await self._service(resolver)
        else:
            found = await self._host(resolver, url.name, url.port)
            if not found.addresses:
                raise _NoAnswer(found.missing)
        count = len(found.addresses)
        if count > _MOST_ADDRESSES:
            raise _NoAnswer(
                f"{url.name} has {count} addresses, the limit is {_MOST_ADDRESSES}"
            )
        return found

    async def _service(self, resolver: Any) -> _Found:
        name = self.url.name
        (answer,) = await _answers([resolver.lookupService(name, _TIMEOUTS_S)])
        if isinstance(answer, str):
            raise _NoAnswer(f"no SRV records of {name}: {answer}")
        records = [record for record in answer if record.type == dns.SRV]
        targets = {(str(r.payload.target), r.payload.port) for r in records}
        # A dot as the target means that the service is not available (RFC 2782).
        wanted = sorted(t for t in targets if t[0].strip(".") and t[1])[
            :_MOST_ADDRESSES
        ]
        hosts_of = [self._host(resolver, *target) for target in wanted]
        found = await gatherResults([Deferred.fromCoroutine(h) for h in hosts_of])
        if not any(one.addresses for one in found):
            missing = ", ".join(one.missing for one in found if one.missing)
            raise _NoAnswer(missing or f"the service {name} has no host")
        return _Found(
            frozenset().union(*(one.addresses for one in found)),
            min([*(float(r.ttl) for r in records), *(one.ttl_s for one in found)]),
            next((one.missing for one in found if one.missing), ""),
        )

    async def _host(self, resolver: Any, name: str, port: int) -> _Found:
        """
        Return the addresses of a host, if it has any.
        """
        answers = await _answers(
            [
                resolver.lookupAddress(name, _TIMEOUTS_S),
                resolver.lookupIPV6Address(name, _TIMEOUTS_S),
            ]
        )
        records = [r for a in answers if not isinstance(a, str) for r in a]
        addresses = {_text(r) for r in records if r.type in (dns.A, dns.AAAA)}
        failed = [a for a in answers if isinstance(a, str)]
        missing = ""
        if failed or not addresses:
            missing = f"{name}: {failed[0] if failed else 'the host has no address'}"
        return _Found(
            frozenset(str(Address(host, port)) for host in addresses),
            min((float(r.ttl) for r in records), default=MAX_TTL_S),
            missing,
        )

    def _system_resolver(self, url: DnsUrl) -> Any:
        servers = [(host, port) for host, port in url.servers] or _servers()
        asked = client.Resolver(
            servers=servers, timeout=_TIMEOUTS_S, reactor=self._reactor
        )
        if url.servers:
            return asked
        return resolve.ResolverChain([hosts.Resolver(_HOSTS), asked])


async def _answers(queries: Sequence[Deferred[Any]]) -> list[list[Any] | str]:
    """
    Wait for all queries.

    @return: for each query the records of the answer (none, if the DNS says that none
        exist), or the reason why there is no answer.
    """
    answers: list[list[Any] | str] = []
    for good, result in await DeferredList(queries, consumeErrors=True):
        if good:
            answers.append(list(result[0]))
        elif result.check(DNSNameError, DNSNotImplementedError):
            answers.append([])
        elif result.check(TimedOut):
            answers.append("no name server answered in time")
        elif result.check(DNSServerError):
            answers.append("the name server failed (SERVFAIL)")
        elif result.check(DNSQueryRefusedError):
            answers.append("the name server refuses to answer (REFUSED)")
        else:
            answers.append(result.getErrorMessage() or result.type.__name__)
    return answers


def _text(record: Any) -> str:
    family = socket.AF_INET if record.type == dns.A else socket.AF_INET6
    return socket.inet_ntop(family, record.payload.address)


def _servers() -> list[tuple[str, int]]:
    """
    Return the name servers of this machine, or the one on loopback if resolv.conf(5)
    names none.
    """
    try:
        lines = _RESOLV_CONF.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    named = [w[1] for w in words if len(w) > 1 and w[0] == "nameserver"]
    return [(host, dns.PORT) for host in named[:3]] or [("127.0.0.1", dns.PORT)]
