"""
Tests for L{wsmsg.message.presence.memory}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.contracts import make_presence_tests
from wsmsg.message.presence.interface import IPresence
from wsmsg.message.presence.memory import MemoryPresence
from wsmsg.model import UserPresence


async def memory_presence(test: TestCase, clock: Clock) -> IPresence:
    """
    Return a presence with the default lease.
    """
    presence = MemoryPresence(clock, unix_s=clock.seconds)
    presence.start()
    test.addCleanup(presence.stop)
    return presence


class MemoryPresenceTests(make_presence_tests(memory_presence)):  # type: ignore[misc]
    """
    The embedded presence.
    """


class MemoryTests(SynchronousTestCase):
    """
    The memory is bounded.
    """

    def test_last_seen_is_bounded(self) -> None:
        """
        The last times of a limited number of users are kept; those of users who left
        first are dropped.
        """
        presence = MemoryPresence(Clock(), last_seen_limit=2, unix_s=lambda: 5.0)
        presence.change("a", [1, 2, 3], [])
        for user in (1, 2, 3):
            presence.change("a", [], [user])
        self.assertEqual(
            self.successResultOf(presence.look_up([1, 2, 3])),
            [
                UserPresence(1, False, 0),
                UserPresence(2, False, 5000),
                UserPresence(3, False, 5000),
            ],
        )

    def test_clock_steps(self) -> None:
        """
        A lease lasts its time while the system clock is stepped; a user who left was
        last seen when the lease was renewed, by the system clock.
        """
        clock, unix_s = Clock(), [10_000.0]
        presence = MemoryPresence(clock, 5, unix_s=lambda: unix_s[0])
        presence.replace("a", [1])
        unix_s[0] += 3600
        self.assertEqual(
            self.successResultOf(presence.look_up([1])),
            [UserPresence(1, True, 13_600_000)],
        )
        presence.renew("a")
        unix_s[0] -= 7200
        clock.advance(5)
        self.assertEqual(
            self.successResultOf(presence.look_up([1])),
            [UserPresence(1, False, 13_600_000)],
        )

    def test_no_timers(self) -> None:
        """
        A lease needs no delayed call.
        """
        clock = Clock()
        presence = MemoryPresence(clock)
        presence.start()
        presence.replace("a", [1])
        presence.renew("a")
        self.assertEqual(clock.getDelayedCalls(), [])
        self.assertTrue(presence.dependency.up)
        self.assertFalse(presence.dependency.required)
