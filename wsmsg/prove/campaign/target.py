"""
The deployment under proof, whoever it belongs to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import attrs

from wsmsg.client import Client, Reconnecting
from wsmsg.errors import WsmsgError
from wsmsg.protocol.frames import Limits
from wsmsg.prove.deployment.cluster import ServedInstallation
from wsmsg.prove.deployment.installation import Installation
from wsmsg.prove.faults.nemesis import ServerProcess
from wsmsg.prove.faults.peers import Flood
from wsmsg.prove.faults.proxy import Proxy

_LIFETIME_S = 7 * 86400
_LOGIN_S = 10.0
#: A Message is killed for longer than sends wait, so that some are refused.
_OF_CONNECT = {"send_timeout_s": 2.0, "drain.per_s": 200}


class Unreachable(Exception):
    """
    Nobody can log in; the text has the URL and the reason.
    """


@attrs.frozen
class Target:
    """
    A deployment, as a proof needs it.

    @ivar urls: the URLs of Connects.
    @ivar token_of: returns the token of a user.
    @ivar recover_s: the seconds within which it recovers from a fault.
    @ivar first_user: the first user of the load.
    @ivar installation: its daemons; L{None}: they belong to somebody else.
    @ivar proxies: the ways from its Connects to its Messages.
    @ivar servers: its servers by their role, which nobody else uses.
    @ivar flood: the messages for readers that do not keep up.
    """

    name: str
    urls: list[str]
    token_of: Callable[[int], str]
    recover_s: float
    first_user: int = 1001
    installation: Installation | None = None
    proxies: Sequence[Proxy] = ()
    servers: Mapping[str, ServerProcess] = attrs.field(factory=dict)
    flood: Flood = attrs.field(factory=Flood)

    async def close(self) -> None:
        """
        Stop the daemons and the ways that belong to it.
        """
        if self.installation is not None:
            await self.installation.stop()
        for proxy in self.proxies:
            await proxy.close()


async def remote(
    urls: Sequence[str], token_of: Callable[[int], str], first_user: int
) -> Target:
    """
    Return a deployment of somebody else, of which nothing is asked but what any client
    may do.

    @raise Unreachable: no user can log in at one of the URLs.
    """
    flood = Flood()
    for url in urls:
        limits = await _limits(url, token_of(first_user))
        size = min(flood.content_bytes, limits.content_bytes // 2)
        flood = Flood(size, min(flood.sends_per_s, limits.sends_per_s / 3))
    return Target(
        name="remote",
        urls=list(urls),
        token_of=token_of,
        recover_s=60.0,
        first_user=first_user,
        flood=flood,
    )


async def _limits(url: str, token: str) -> Limits:
    client = Client(url, token, device="prove", start="latest")
    try:
        async with asyncio.timeout(_LOGIN_S):
            await client.connect()
        limits = client.limits
        assert limits is not None
        if limits.unnumbered:
            raise Unreachable(f"{url}: this server gives messages no numbers")
        return limits
    except TimeoutError:
        state = client.state
        reason = state.reason if isinstance(state, Reconnecting) else "no answer"
        raise _unreachable(url, reason) from None
    except WsmsgError as e:
        raise _unreachable(url, e.reason) from None
    finally:
        await client.close()


def _unreachable(url: str, reason: str) -> Unreachable:
    return Unreachable(reason if url in reason else f"{url}: {reason}")


def _own(
    name: str,
    installation: Installation,
    proxies: Sequence[Proxy],
    recover_s: float,
    servers: Mapping[str, ServerProcess],
) -> Target:
    def token_of(user: int) -> str:
        return installation.lasting_token(user, _LIFETIME_S)

    return Target(
        name=name,
        urls=list(installation.urls),
        token_of=token_of,
        recover_s=recover_s,
        installation=installation,
        proxies=proxies,
        servers=servers,
    )


async def embedded() -> Target:
    """
    Return one Message and one Connect with embedded files, with a way between them that
    can fail; they are not started.
    """
    installation = Installation(connect=_OF_CONNECT)
    proxy = await Proxy.open(installation.message.port("rpc_listen"))
    installation.ports["upstream"] = proxy.port
    return _own("embedded", installation, [proxy], 30.0, {})


async def served(
    addresses: tuple[str, str, str], servers: Mapping[str, ServerProcess]
) -> Target:
    """
    Return two Messages and two Connects on these servers, with a way to each Message
    that can fail; they are not started.

    @param addresses: the host and port of a Kafka, a MongoDB and a Redis.
    """
    installation = ServedInstallation(addresses, connect=_OF_CONNECT)
    proxies = []
    for message in installation.messages:
        proxy = await Proxy.open(message.port("rpc_listen"))
        message.extra["advertise"] = f"127.0.0.1:{proxy.port}"
        proxies.append(proxy)
    return _own("stack", installation, proxies, 60.0, servers)
