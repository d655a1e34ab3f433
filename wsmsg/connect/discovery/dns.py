"""
Addresses that the DNS names: those of a host (A, AAAA), or of a service (SRV).

It is asked again when what it said is too old (its TTL, within bounds).  An answer
without any address counts as a failure: a zone that is broken must not cost the
streams that live.  Priorities and weights of SRV records mean nothing here, as there
is a stream to every Message anyway.
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

#: What is known for less is not asked again, whatever the TTL.
LEAST_S = 1.0
#: What is known for longer is asked again, whatever the TTL.
MOST_S = 30.0
#: After a failure; what is known stays meanwhile.
AGAIN_S = 2.0

_TIMEOUTS_S = (1, 2)
_RESOLV_CONF = Path("/etc/resolv.conf")
_HOSTS = "/etc/hosts"
#: The most addresses that are believed.
_MOST = 256


class _Found(NamedTuple):
    """
    What the DNS said.

    @ivar ttl_s: how long it is to be believed.
    @ivar missing: why it may not be all; empty: it is.
    """

    addresses: frozenset[str]
    ttl_s: float = MOST_S
    missing: str = ""


class _NoAnswer(Exception):
    """
    The DNS gave no address; says why.
    """


#: Makes what is asked, of the servers that the URL names.
ResolverOf = Callable[[DnsUrl], Any]


@implementer(IDiscovery)
class DnsDiscovery:
    """
    The addresses behind C{dns:name:port} or C{dns:_service._proto.name}.

    @param resolver_of: made anew for each question, so that a machine which is given
        other servers asks those.
    @raise ValueError: the URL is wrong; with a sentence for the operator.
    """

    _log = Logger()

    def __init__(
        self, url: str, reactor: Any, resolver_of: ResolverOf | None = None
    ) -> None:
        self.url = read_dns_url(url)
        self.dependency = Dependency(f"discovery {url}", reactor, required=False)
        self._reactor = reactor
        self._resolver_of = resolver_of or self._system_resolver
        self._changed: Changed | None = None
        self._known: frozenset[str] = frozenset()
        self._next: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None
        self._stopping = False

    def start(self, changed: Changed) -> None:
        self._changed = changed
        self._look()

    def stop(self) -> Deferred[None]:
        self._stopping = True
        if self._next is not None and self._next.active():
            self._next.cancel()
        looking = self._looking or succeed(None)
        stopped: Deferred[None] = Deferred()
        looking.addBoth(lambda _: stopped.callback(None))
        return stopped.addCallback(lambda _: self.dependency.stopped())

    # -- a look

    def _look(self) -> None:
        self._next = None
        if not self.dependency.up:
            self.dependency.attempting()
        looking: Deferred[Any] = Deferred.fromCoroutine(self._find())
        looking.addCallbacks(self._found, self._failed)
        self._looking = looking.addErrback(self._bug)

    def _found(self, found: _Found) -> None:
        if self._stopping:
            return
        if found.missing:
            # What was not answered may be what is known.
            self._missed(found.missing)
            self._tell(self._known | found.addresses)
            return
        self._again(min(max(found.ttl_s, LEAST_S), MOST_S))
        self.dependency.succeeded()
        self._tell(found.addresses)

    def _failed(self, failure: Failure) -> None:
        if self._stopping:
            return
        if not failure.check(_NoAnswer):
            self._log.failure("asking the DNS", failure)
        self._missed(failure.getErrorMessage())

    def _missed(self, reason: str) -> None:
        if self._known:
            reason = f"{reason}; going on with the {len(self._known)} known before"
        self._again(AGAIN_S)
        self.dependency.lost(reason)
        if not self._stopping:  # whoever was told may have stopped us
            self.dependency.failed(reason, AGAIN_S)

    def _bug(self, failure: Failure) -> None:
        self._log.failure("telling what the DNS said", failure)

    def _again(self, delay_s: float) -> None:
        self._next = self._reactor.callLater(delay_s, self._look)

    def _tell(self, addresses: frozenset[str]) -> None:
        if self._stopping or addresses == self._known:
            return
        self._log.info(
            "{name}: {addresses}",
            name=self.url.name,
            addresses=", ".join(sorted(addresses)),
        )
        self._known = addresses
        if self._changed is not None:
            self._changed(addresses)

    # -- what is asked

    async def _find(self) -> _Found:
        url, resolver = self.url, self._resolver_of(self.url)
        if url.is_service:
            found = await self._service(resolver)
        else:
            found = await self._host(resolver, url.name, url.port)
            if not found.addresses:
                raise _NoAnswer(found.missing)
        if len(found.addresses) > _MOST:
            raise _NoAnswer(
                f"{url.name} has {len(found.addresses)} addresses, the limit is {_MOST}"
            )
        return found

    async def _service(self, resolver: Any) -> _Found:
        name = self.url.name
        (answer,) = await _answers([resolver.lookupService(name, _TIMEOUTS_S)])
        if isinstance(answer, str):
            raise _NoAnswer(f"no SRV records of {name}: {answer}")
        records = [record for record in answer if record.type == dns.SRV]
        targets = {(str(r.payload.target), r.payload.port) for r in records}
        # A dot as the target means: not here (RFC 2782).
        wanted = sorted(t for t in targets if t[0].strip(".") and t[1])[:_MOST]
        hosts_of = [self._host(resolver, *target) for target in wanted]
        found = await gatherResults([Deferred.fromCoroutine(h) for h in hosts_of])
        if not any(one.addresses for one in found):
            missing = ", ".join(one.missing for one in found if one.missing)
            raise _NoAnswer(missing or f"the service {name} is at no host")
        return _Found(
            frozenset().union(*(one.addresses for one in found)),
            min([*(float(r.ttl) for r in records), *(one.ttl_s for one in found)]),
            next((one.missing for one in found if one.missing), ""),
        )

    async def _host(self, resolver: Any, name: str, port: int) -> _Found:
        """
        What a host has; perhaps nothing.
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
            missing = f"{name}: {failed[0] if failed else 'it has no address'}"
        return _Found(
            frozenset(str(Address(host, port)) for host in addresses),
            min((float(r.ttl) for r in records), default=MOST_S),
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


async def _answers(asked: Sequence[Deferred[Any]]) -> list[list[Any] | str]:
    """
    @return: of each question the records of the answer, none where the DNS says that
        there are none, or why there is no answer.
    """
    answers: list[list[Any] | str] = []
    for good, result in await DeferredList(asked, consumeErrors=True):
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
    The name servers of this machine; that on loopback where none is named
    (resolv.conf(5)).
    """
    try:
        lines = _RESOLV_CONF.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    named = [w[1] for w in words if len(w) > 1 and w[0] == "nameserver"]
    return [(host, dns.PORT) for host in named[:3]] or [("127.0.0.1", dns.PORT)]
