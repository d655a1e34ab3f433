"""
Tests of daemons killed under load: no accepted message is lost, duplicated or out of
order.

C{WSMSG_FAULTS}, a number of minutes for the campaigns, has them kill more often.
"""

from __future__ import annotations

import asyncio

from twisted.internet.defer import Deferred

from tests.faults.load import MINUTES, Load, LoadTestCase, report
from tests.integration.installation import Installation

_KILLS = 200 if MINUTES else 24


class KillTests(LoadTestCase):
    """
    One Message and one Connect on the embedded backends.
    """

    def test_kills(self) -> Deferred[None]:
        """
        Each daemon is killed with SIGKILL at random moments under load.
        """

        installation = Installation()

        async def faults(load: Load) -> None:
            for kill in range(_KILLS):
                await asyncio.sleep(self.random.uniform(0.05, 0.8))
                daemon = self.random.choice(installation.daemons)
                await daemon.kill()
                await asyncio.sleep(self.random.choice([0, 0, 0.3]))
                await daemon.start()
                if self.random.random() < 0.7:
                    await daemon.ready()
                if kill % 8 == 7:
                    report(f"{kill + 1} kills, {len(load.sent)} messages")
            await asyncio.gather(*(d.ready() for d in installation.daemons))

        return self.run_with_load(installation, faults)

    def test_both_at_once(self) -> Deferred[None]:
        """
        Both daemons are killed at the same moment, as when the machine fails.
        """

        installation = Installation()

        async def faults(load: Load) -> None:
            for _ in range(3):
                await asyncio.sleep(self.random.uniform(0.3, 1.0))
                await asyncio.gather(*(d.kill() for d in installation.daemons))
                await installation.start()

        return self.run_with_load(installation, faults)

    def test_restarts(self) -> Deferred[None]:
        """
        Daemons that are stopped cleanly and started again lose nothing either, and end
        with status 0.
        """

        installation = Installation(connect={"drain.per_s": 30})

        async def faults(load: Load) -> None:
            for daemon in (installation.message, installation.connect) * 2:
                await asyncio.sleep(self.random.uniform(0.3, 1.0))
                self.assertEqual(await daemon.terminate(), 0, daemon.tail())
                await daemon.start()
                await daemon.ready()

        return self.run_with_load(installation, faults)

    def test_away_for_long(self) -> Deferred[None]:
        """
        While Message is away for longer than the send timeout, sends are rejected as
        C{unavailable}; sent again, they keep each sender's order.
        """

        installation = Installation(connect={"send_timeout_s": 0.7})

        async def faults(load: Load) -> None:
            for _ in range(2):
                await asyncio.sleep(self.random.uniform(0.3, 1.0))
                await installation.message.kill()
                await asyncio.sleep(self.random.uniform(1.2, 2.5))
                await installation.message.start()
                await installation.connect.ready()
            self.assertIn("unavailable", {r for c in load.clients for r in c.rejected})

        return self.run_with_load(installation, faults)
