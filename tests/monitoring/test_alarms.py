"""
Alarms, as the readiness and the metrics of a daemon show them.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.doubles import exposed
from wsmsg.dependency.state import Dependency
from wsmsg.monitoring.health import Health, required_up
from wsmsg.monitoring.metrics import Metrics


class AlarmTests(TestCase):
    """
    The alarms of L{Health}.
    """

    def test_alarm(self) -> None:
        """
        A daemon with an alarm is ready and degraded, and its readiness and metrics say
        why.
        """
        clock = Clock()
        journal = Dependency("journal", clock)
        health = Health(clock, required_up, dependencies=[journal])
        metrics = Metrics()
        metrics.alarms(health.alarms)
        health.started()
        journal.succeeded()
        health.alarms.raise_alarm("disk", "3 MiB are free")
        told = health.readiness()
        self.assertEqual((told["ready"], told["degraded"]), (True, True))
        [alarm] = cast("list[dict[str, str]]", told["alarms"])
        self.assertEqual((alarm["name"], alarm["reason"]), ("disk", "3 MiB are free"))
        self.assertIn(b'wsmsg_alarm{alarm="disk"} 1.0', exposed(metrics))
        health.alarms.clear("disk")
        self.assertFalse(health.readiness()["degraded"])
        page = exposed(metrics)
        self.assertIn(b'wsmsg_alarm{alarm="disk"} 0.0', page)
        self.assertIn(b'wsmsg_alarms_raised_total{alarm="disk"} 1.0', page)
