"""
HTTP on the public port: C{online_status}, health and readiness.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import attrs
import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from wsmsg.auth.identity import Authenticate, parse_user
from wsmsg.connect.edge.admission import Admission
from wsmsg.connect.edge.online_status import OnlineStatus
from wsmsg.errors import BadRequest, Unauthenticated
from wsmsg.http.access import OPEN, AccessLevel, Caller
from wsmsg.http.errors import CORS, NATIVE, PLAIN
from wsmsg.http.forms import Answer
from wsmsg.http.resource import Api, admit_all
from wsmsg.http.routes import Call, Reply, Route
from wsmsg.http.site import FixedLimits, QuietSite
from wsmsg.monitoring.admin import liveness_route
from wsmsg.monitoring.health import Health

#: As long as the numbers of 10,000 users may be.
BODY_BYTES = 256 * 1024
IDLE_S = 10.0

# Admission limits the connections.
_LIMITS = FixedLimits(body_bytes=BODY_BYTES, receive_s=IDLE_S, connections=2**31)


class HealthView(Answer):
    """
    The daemon is alive.

    @ivar time: in unix seconds.
    """

    status: str
    time: int


class ReadinessView(Answer):
    """
    The daemon can serve clients, or cannot.

    @ivar degraded: it serves clients although a dependency is not up.
    """

    ready: bool
    degraded: bool


class OnlineStatusForm(msgspec.Struct):
    """
    The users of a request for their online status.

    @ivar user_ids: at most 10,000 users; above 2^53 they may be strings.
    """

    user_ids: list[int | str]


class OnlineStatusView(Answer):
    """
    Users, and whether each of them is online.
    """

    status: dict[str, bool]


class EdgeCalls:
    """
    The calls of the public port.

    @param unix_s: returns the unix time.
    """

    def __init__(
        self, online: OnlineStatus, health: Health, unix_s: Callable[[], float]
    ) -> None:
        self._online = online
        self._health = health
        self._unix_s = unix_s

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        health = [
            Route(
                f"GET {name}",
                answer,
                dict.fromkeys(statuses, view),
                access=AccessLevel.UNLIMITED,
                conventions=PLAIN,
                root="/",
            )
            for name, answer, view, statuses in (
                ("health", self.healthy, HealthView, (200,)),
                ("readyz", self.ready, ReadinessView, (200, 503)),
            )
        ]
        online_status = Route(
            "POST connect/online_status",
            self.online_status,
            {200: OnlineStatusView},
            body=OnlineStatusForm,
            access=AccessLevel.USERS,
            conventions=PLAIN,
        )
        return [liveness_route(), *health, online_status]

    async def healthy(self, call: Call) -> Reply:
        """
        Say that the daemon is alive, as the legacy Connect does.
        """
        now = int(self._unix_s())
        return Reply(200, HealthView(status="ok", time=now))

    async def ready(self, call: Call) -> Reply:
        """
        Say whether the daemon can serve clients, without the names and addresses of its
        dependencies: anybody can call this.
        """
        health = self._health
        degraded = health.ready and health.degraded
        view = ReadinessView(ready=health.ready, degraded=degraded)
        return Reply(200 if health.ready else 503, view)

    async def online_status(self, call: Call) -> Reply:
        """
        Tell which users are online.
        """
        users = [_parse(user) for user in call.body_as(OnlineStatusForm).user_ids]
        status = await self._online.of(users)
        shown = {str(user): online for user, online in status.items()}
        return Reply(200, OnlineStatusView(status=shown))


@attrs.frozen
class TokenGate:
    """
    Admits requests with a user's token to routes for users
    (L{wsmsg.http.resource.Gate}).
    """

    authenticate: Authenticate

    @contextmanager
    def __call__(self, request: Request, level: AccessLevel) -> Iterator[Caller]:
        if level is AccessLevel.USERS:
            token = _header(request, b"authorization")
            if token is None:
                raise Unauthenticated("the Authorization header must have a token")
            claimed = _header(request, b"user-id")
            self.authenticate(token, None if claimed is None else parse_user(claimed))
        yield OPEN


def edge_site(
    online: OnlineStatus,
    health: Health,
    admission: Admission,
    clock: IReactorTime,
    *,
    authenticate: Authenticate | None,
    unix_s: Callable[[], float] = time.time,
) -> QuietSite:
    """
    Make the HTTP side of the public port.

    @param authenticate: checks the tokens of requests for C{online_status}; L{None}:
        they need no token, since the port is on loopback.
    @param unix_s: returns the unix time.
    """
    routes = EdgeCalls(online, health, unix_s).routes()
    gate = admit_all if authenticate is None else TokenGate(authenticate)
    return QuietSite(
        Api(routes, gate, unmatched=attrs.evolve(NATIVE, headers=CORS)),
        clock,
        lambda: _LIMITS,
        name="HTTP on the public port",
        idle_s=IDLE_S,
        on_closed=lambda channel: admission.release(channel.address),
    )


def _header(request: Request, name: bytes) -> str | None:
    value: bytes | None = request.getHeader(name)
    return None if value is None else value.decode("latin-1")


def _parse(user: int | str) -> int:
    try:
        return user if isinstance(user, int) else parse_user(user)
    except Unauthenticated as e:
        raise BadRequest(f"user_ids: {e.reason}") from e
