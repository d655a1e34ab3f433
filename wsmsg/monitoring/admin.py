"""
The admin listener: C{/healthz}, C{/readyz}, C{/metrics}, C{/status}, over HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from wsmsg.auth.scopes import Scope
from wsmsg.http.access import AccessLevel
from wsmsg.http.changes import Audit, unaudited
from wsmsg.http.errors import Conventions
from wsmsg.http.operators import OperatorAccess
from wsmsg.http.resource import Api
from wsmsg.http.routes import Answering, Call, Reply, Route, Text
from wsmsg.http.server.site import FixedLimits, QuietSite
from wsmsg.monitoring.health import Health
from wsmsg.monitoring.metrics import Metrics

#: A page of metrics is made in turns of about this duration.
SLICE_S = 0.002

# A probe or a scraper may add arguments of its own.
_LENIENT = Conventions("admin", lenient=True)
_LIMITS = FixedLimits(body_bytes=2**20, receive_s=10.0, connections=1000)


def page(
    name: str,
    answer: Answering,
    *statuses: int,
    form: type = dict,
    access: AccessLevel = AccessLevel.SERVICES,
) -> Route:
    """
    Make a route for C{GET} below the root.

    @param statuses: those of the answers; without any, 200.
    @param form: of the answers.
    @param access: by default, operators have it.
    """
    is_open = access in (AccessLevel.UNLIMITED, AccessLevel.ANYBODY)
    return Route(
        f"GET {name}",
        answer,
        dict.fromkeys(statuses or (200,), form),
        scope=None if is_open else Scope.OBSERVE,
        access=access,
        conventions=_LENIENT,
        root="/",
    )


def liveness_route() -> Route:
    """
    The route C{/healthz}, the same on every listener.
    """

    async def healthz(call: Call) -> Reply:
        """
        Say that the daemon is alive.
        """
        return Reply(200, {"alive": True})

    return page("healthz", healthz, access=AccessLevel.UNLIMITED)


def health_routes(health: Health) -> Sequence[Route]:
    """
    The routes C{/healthz} and C{/readyz}, for any listener but the public port of
    Connect, whose callers are not told the names of the dependencies.  Neither are
    pages of other sites.
    """

    unlimited = AccessLevel.UNLIMITED

    async def readyz(call: Call) -> Reply:
        """
        Say whether the daemon is ready, and if it is not, why.
        """
        status = 200 if health.ready else 503
        if call.caller.is_foreign:
            return Reply(status, {"ready": health.ready})
        return Reply(status, health.readiness())

    return [liveness_route(), page("readyz", readyz, 200, 503, access=unlimited)]


async def in_slices(pieces: Iterator[bytes], clock: IReactorTime) -> bytes:
    """
    Join pieces that are made one after another; the daemon does other work after each
    L{SLICE_S} of it.
    """
    made: list[bytes] = []
    until_s = clock.seconds() + SLICE_S
    for piece in pieces:
        made.append(piece)
        if clock.seconds() > until_s:
            await deferLater(clock, 0.0)
            until_s = clock.seconds() + SLICE_S
    return b"".join(made)


class OtherProcesses(Protocol):
    """
    The workers of a daemon, for whom its supervisor answers.
    """

    def ask(self) -> Awaitable[object]:
        """
        Ask all of them for their status and metrics, which the supervisor has then.
        """

    def with_metrics(self, own: bytes) -> bytes:
        """
        Return a page of metrics with those of all workers, as they told last.
        """


def admin_site(
    health: Health,
    metrics: Metrics,
    clock: IReactorTime,
    more: Sequence[Route] = (),
    *,
    access: OperatorAccess,
    audit: Audit = unaudited,
    others: OtherProcesses | None = None,
) -> QuietSite:
    """
    Make the site of the admin listener.  Probes and a scraper of metrics need no key.

    @param more: further routes; see L{page}.
    @param others: the workers, whose metrics are only there as text.
    """

    async def expose(call: Call) -> Reply:
        page = metrics.page(call.accept if others is None else "")
        text = await in_slices(page.pieces, clock)
        if others is not None:
            await others.ask()
            text = others.with_metrics(text)
        return Reply(200, Text(page.kind, text))

    async def status(call: Call) -> Reply:
        if others is not None:
            await others.ask()
        return Reply(200, health.status())

    routes = [
        *health_routes(health),
        page("metrics", expose, form=Text, access=AccessLevel.ANYBODY),
        page("status", status),
        *more,
    ]
    api = Api(routes, access, audit=audit)
    return QuietSite(api, clock, lambda: _LIMITS, name="admin listener")
