"""
A campaign of faults under load: rounds with new daemons each, until its time is over.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred

from tests.faults.load import MINUTES, Load, LoadTestCase, report, users_of
from tests.faults.nemesis import Nemesis, ServerProcess
from tests.integration.installation import Installation
from tests.proxies import Proxy

#: The faults of daemons and of the ways between them.
DAEMON_FAULTS = (
    "kill",
    "kill",
    "stop",
    "stop",
    "restart",
    "clock",
    "clock",
    "half_open",
    "half_open",
    "swallow",
    "silent_connect",
)
#: The pause between faults, in seconds.
_PAUSE_S = (0.1, 1.0)
#: One in so many injections has two faults at once.
_TWO_AT_ONCE = 3
#: The number of times that each fault is injected in a round.
_EACH = 1 if not MINUTES else 3


class CampaignTestCase(LoadTestCase):
    """
    Base class of campaigns.
    """

    timeout = 690 + MINUTES * 60
    pause_s = 0.2

    def run_campaign(
        self,
        make: Callable[[], Awaitable[tuple[Installation, Sequence[Proxy]]]],
        faults: Sequence[str],
        servers: Sequence[ServerProcess] = (),
    ) -> Deferred[None]:
        """
        Run rounds in which all of these faults are injected, in a random order.

        @param make: makes the daemons of a round and the ways between them, not
            started.
        @param servers: the servers that the daemons use, and no one else.
        """

        async def body() -> None:
            ends_s = time.monotonic() + MINUTES * 60
            done, rounds, messages = Counter[str](), 0, 0
            while True:
                installation, proxies = await make()
                nemesis = Nemesis(
                    installation, proxies, users_of(), self.random, servers
                )
                nemesis.prepare()

                async def inject(load: Load, nemesis: Nemesis = nemesis) -> None:
                    await self._inject(nemesis, faults, load)

                try:
                    messages += await self.run_round(
                        installation, inject, ends_s=ends_s
                    )
                finally:
                    for proxy in proxies:
                        await proxy.close()
                done += nemesis.done
                rounds += 1
                report(f"{rounds} rounds, {messages} messages, {dict(done)}")
                if time.monotonic() >= ends_s:
                    return

        return Deferred.fromFuture(asyncio.ensure_future(body()))

    async def _inject(
        self, nemesis: Nemesis, faults: Sequence[str], load: Load
    ) -> None:
        order = [*faults] * _EACH
        self.random.shuffle(order)
        while order:
            together = [order.pop()]
            if order and self.random.randrange(_TWO_AT_ONCE) == 0:
                together.append(order.pop())
            await asyncio.sleep(self.random.uniform(*_PAUSE_S))
            report(f"{' and '.join(together)}; {len(load.sent)} messages")
            await nemesis.inject(*together)
        await nemesis.heal()
