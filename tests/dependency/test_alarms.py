"""
Tests for L{wsmsg.dependency.alarms}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.logger import formatEvent as text_of
from twisted.trial.unittest import TestCase

from wsmsg.dependency.alarms import Alarm, Alarms


class AlarmsTests(TestCase):
    """
    L{Alarms}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.alarms = Alarms(self.clock.seconds, self.clock.seconds)

    def test_raised(self) -> None:
        """
        An alarm lasts from when it was first raised until it is cleared, and the log
        has one line for each of the two.
        """
        with capturedLogs() as events:
            self.alarms.raise_alarm("disk", "3 MiB are free")
            self.clock.advance(2)
            self.alarms.raise_alarm("disk", "3 MiB are free")
            self.assertEqual(
                self.alarms.current, (Alarm("disk", "3 MiB are free", 1000),)
            )
            self.alarms.clear("disk")
            self.alarms.clear("disk")
        self.assertEqual(self.alarms.current, ())
        self.assertEqual(
            [(e["log_level"], text_of(e)) for e in events],
            [
                (LogLevel.error, "alarm disk: 3 MiB are free"),
                (LogLevel.info, "alarm disk is over after 2.0 s"),
            ],
        )

    def test_other_reason(self) -> None:
        """
        An alarm whose reason changes is the same alarm, with at most one further line
        in the log each minute.
        """
        with capturedLogs() as events:
            self.alarms.set("disk", "3 MiB are free")
            self.clock.advance(2)
            self.alarms.set("disk", "2 MiB are free")
            self.assertEqual(
                self.alarms.current, (Alarm("disk", "2 MiB are free", 1000),)
            )
            self.assertEqual(len(events), 1)
            self.clock.advance(58)
            self.alarms.set("disk", "1 MiB is free")
            self.alarms.set("disk", "")
        self.assertEqual(self.alarms.raised, {"disk": 1})
        self.assertEqual(len(events), 3)
