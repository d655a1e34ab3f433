"""
Tests of daemons whose system clocks are set back and forth by an hour.
"""

from __future__ import annotations

import time
from functools import partial

from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    with_daemons,
)
from tests.integration.device import Device
from tests.integration.installation import DaemonProcess
from wsmsg.errors import Close
from wsmsg.protocol import client_pb2 as pb
from wsmsg.prove.faults.clocks import HOUR_S, SystemClock

#: The bound of each of these, in seconds, on a slow machine too; far below the step.
_LIMIT_S = 20.0


class ClockStepTests(IntegrationTestCase):
    """
    Durations come from a monotonic clock, stamps from the system clock.
    """

    alone = True

    async def started(self, *ahead_s: float) -> list[SystemClock]:
        """
        Start both daemons, each with a system clock of its own.

        @param ahead_s: how far each clock is ahead at first; none: they are right.
        @return: the clocks, that of Message first.
        """
        clocks: list[SystemClock] = []
        for daemon, by_s in zip(
            self.installation.daemons, ahead_s or (0.0, 0.0), strict=True
        ):
            name = f"{daemon.name}-clock-{ahead_s}"
            clock = SystemClock(self.installation.folder / name)
            clock.set(by_s)
            daemon.before_exec = clock.before_exec()
            clocks.append(clock)
        await self.installation.start()
        return clocks

    @with_daemons
    async def test_set_back(self) -> None:
        """
        Clocks that are set back stop no timer, and no message.
        """
        clocks = await self.started()
        for clock in clocks:
            await self.check_step(clocks, clock, -HOUR_S)
            clock.set(0)

    @with_daemons
    async def test_set_forward(self) -> None:
        """
        Clocks that are set forward end nothing before its time.
        """
        clocks = await self.started()
        for clock in clocks:
            await self.check_step(clocks, clock, HOUR_S)
            clock.set(0)

    @with_daemons
    async def test_apart(self) -> None:
        """
        With clocks an hour apart, a user who was away is told of every message, and
        both daemons say that the clocks differ.
        """
        for message_s, connect_s in ((HOUR_S, 0.0), (0.0, HOUR_S)):
            clocks = await self.started(message_s, connect_s)
            one, two = await self.device(self.user()), self.user()
            away = await self.dial(two)
            position = (await away.greet()).position
            await away.close()
            for n in range(3):
                await one.send(two, f"{two}-{n}", f"text {n}")
                await one.expect("deliver", content=f"text {n}")
                back = await self.dial(two)
                welcome = await back.greet(position=position)
                self.assertEqual([head.head for head in welcome.heads], [n + 1])
                position = welcome.position
                await back.close()
            for daemon in self.installation.daemons:
                await eventually("clocks that differ", partial(self.says_so, daemon))
            self.assertEqual(len(clocks), 2)
            for daemon in self.installation.daemons:
                await daemon.kill()

    @with_daemons
    async def test_killed_and_set_back(self) -> None:
        """
        Message ids rise over kills of Message, each of which the system clock is set
        back before.
        """
        (clock, _) = await self.started()
        one, two = await self.device(self.user()), await self.device(self.user())
        ids: list[int] = []
        for n, by_s in enumerate((0.0, -0.5, -30.0, -HOUR_S)):
            clock.set(by_s)
            await self.installation.message.kill()
            await self.installation.message.start()
            await self.installation.message.ready()
            for m in range(20):
                await one.send_until_accepted(two.user, f"{n}-{m}", f"{n}-{m}")
                delivered = await two.expect("deliver", content=f"{n}-{m}")
                ids.append(delivered.message_id)
        self.assertEqual(ids, sorted(set(ids)))

    async def says_so(self, daemon: DaemonProcess) -> bool:
        """
        Return whether a daemon is ready, and says that clocks differ.
        """
        status, text = await daemon.get("/readyz")
        return status == 200 and "clocks_differ" in str(text)

    async def check_step(
        self, clocks: list[SystemClock], stepped: SystemClock, by_s: float
    ) -> None:
        """
        Step one clock, and check that clients notice nothing but later stamps.
        """
        one, two = await self.device(self.user()), await self.device(self.user())
        await one.send_frame(watch=pb.Watch(users=[two.user]))
        await one.expect("presence", user=two.user, online=True)
        await self.send(one, two, "before", 0)
        silent = await self.dial(self.user())
        stepped.set(by_s)
        begun_s = time.monotonic()
        await self.send(one, two, "after", by_s if stepped is clocks[0] else 0)
        # A connection without hello ends after hello_timeout_s, which is 5 s.
        self.assertEqual(await silent.closed(_LIMIT_S), Close.STALE)
        self.assertGreater(time.monotonic() - begun_s, 3)
        await self.send(two, one, "later", by_s if stepped is clocks[0] else 0)
        gone = [p for p in one.all("presence") if p.user == two.user and not p.online]
        self.assertEqual(gone, [])
        self.assertFalse(one.over or two.over)
        self.assertEqual(one.all("resync") + two.all("resync"), [])
        third = await self.dial(self.user())
        welcome = await third.greet()
        self.assert_stamp(welcome.time, 0 if stepped is clocks[0] else by_s)
        await two.close()
        told = await one.expect("presence", _LIMIT_S, user=two.user, online=False)
        if stepped is clocks[0]:
            self.assert_stamp(told.last_seen, by_s)
        for daemon in self.installation.daemons:
            self.assertEqual((await daemon.get("/readyz"))[0], 200)
        self.assertEqual(self.installation.logged("lost after"), [])

    async def send(self, one: Device, two: Device, text: str, by_s: float) -> None:
        """
        Send a message, which is delivered, and check its time.
        """
        answer = await one.send(two.user, f"{text}-{one.user}", text)
        self.assertEqual(getattr(answer, "code", ""), "")
        await two.expect("deliver", content=text)
        self.assert_stamp(answer.time, by_s)

    def assert_stamp(self, time_ms: int, by_s: float) -> None:
        """
        Check that a stamp is the time of a clock with this offset.
        """
        self.assertLess(abs(time_ms / 1000 - time.time() - by_s), HOUR_S / 2)
