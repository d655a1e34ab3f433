"""
Tests of two Messages and two Connects on the real servers, killed one after the other:
promises P1 to P5 and P9 hold as on one machine.

C{WSMSG_FAULTS}, a number of minutes for the campaigns, has them kill more often.
"""

from __future__ import annotations

import asyncio
import time

from twisted.internet.defer import Deferred

from tests.faults.load import MINUTES, Load, LoadTestCase, report
from tests.integration.installation import DaemonProcess
from tests.stack.cluster import Cluster
from tests.stack.servers import needs
from tests.stalls import Span

#: The session timeout of group members at the brokers of these tests.
SESSION_S = 2
#: Seconds that the takeover may take beyond it.
_MORE_S = 1
#: A machine that lost less than this during such a period was running.
_WHOLE_S = 0.3
_ATTEMPTS = 4
_ROUNDS = 10 if MINUTES else 2


@needs("kafka", "mongo", "redis")
class ClusterKillTests(LoadTestCase):
    """
    Users spread over both Connects, conversations over both Messages.
    """

    def test_each_in_turn(self) -> Deferred[None]:
        """
        Each of the four daemons is killed with SIGKILL under load and started again.
        """
        cluster = Cluster()

        async def faults(load: Load) -> None:
            for _ in range(_ROUNDS):
                for daemon in self.random.sample(cluster.daemons, 4):
                    await asyncio.sleep(self.random.uniform(0.5, 2.0))
                    await self.kill_one(daemon, load)

        return self.run_with_load(cluster, faults)

    def test_failover(self) -> Deferred[None]:
        """
        While a Message is dead the other one takes over what it had accepted: no
        message waits longer than the group's session timeout and a second.

        If the machine stalls meanwhile, the measurement proves little and the Message
        is killed once more, whatever the others waited. If no period is free of stalls,
        each of them is checked against the bound, less what the machine lost.
        """
        cluster = Cluster()

        async def faults(load: Load) -> None:
            timed: list[tuple[float, float]] = []
            for message in cluster.messages:
                timed += await self.timed_kills(message)
            await load.finish()
            for began_s, ended_s in timed:
                load.check_delays(SESSION_S + _MORE_S, began_s, ended_s)

        return self.run_with_load(cluster, faults)

    async def timed_kills(self, message: DaemonProcess) -> list[tuple[float, float]]:
        """
        Return the times of the kill and the return: the first pair during which the
        machine did not stall, or all pairs if there is none.
        """
        times = []
        for _ in range(_ATTEMPTS):
            began_s, span = time.monotonic(), Span()
            await self.kill_for_long(message)
            times.append((began_s, time.monotonic()))
            if span.now()[1].largest_s < _WHOLE_S:
                return times[-1:]
        return times

    async def kill_for_long(self, message: DaemonProcess) -> None:
        """
        Kill a Message for longer than the group's session timeout.
        """
        await asyncio.sleep(3)
        await message.kill()
        await asyncio.sleep(SESSION_S + 3)
        await message.start()
        await message.ready()

    async def kill_one(self, daemon: DaemonProcess, load: Load) -> None:
        """
        Kill a daemon, and restart it after a time in which the others do its work.
        """
        await daemon.kill()
        killed_s = time.monotonic()
        await asyncio.sleep(self.random.choice([0, 0.5, 4]))
        await daemon.start()
        await daemon.ready()
        report(
            f"{daemon.name} killed, ready again after"
            f" {time.monotonic() - killed_s:.1f} s; {len(load.sent)} messages"
        )
