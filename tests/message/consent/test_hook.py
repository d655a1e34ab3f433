"""
Tests of L{wsmsg.message.consent.hook} (issue 11, row 14).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles import exposed
from wsmsg.message.consent.hook import ConsentHook, HookFailed
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import ConsentSettings


class HookTests(SynchronousTestCase):
    """
    A hook that does not answer.
    """

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.hook = ConsentHook(self.reactor)
        self.settings = ConsentSettings(hook_url="http://127.0.0.1:1/x")

    def fail(self) -> None:  # type: ignore[override]
        """
        Ask, and wait until the time limit.
        """
        asking = Deferred.fromCoroutine(self.hook.allowed(self.settings, 1, [2]))
        self.reactor.advance(self.settings.hook_timeout_s)
        self.failureResultOf(asking, HookFailed)

    def test_row_14_log(self) -> None:
        """
        Failures write three lines a minute, and one with the sum of the others.
        """
        with capturedLogs() as logs:
            for _ in range(10):
                self.fail()
            self.hook.stop()
        lines = [e for e in logs if "consent hook" in e["log_format"]]
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[-1]["n"], 7)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_row_14_metrics(self) -> None:
        """
        Calls, failures and the times that they took are metrics; the times are a
        histogram, so that one sees how many calls were slow.
        """
        metrics = Metrics()
        self.hook.register_metrics(metrics)
        self.fail()
        self.fail()
        self.hook.stop()
        text = exposed(metrics).decode()
        for line in (
            *("calls_total 2.0", "failures_total 2.0", "seconds_sum 0.6"),
            *("seconds_count 2.0", 'seconds_bucket{le="0.25"} 0.0'),
            *('seconds_bucket{le="0.5"} 2.0', 'seconds_bucket{le="+Inf"} 2.0'),
        ):
            self.assertIn(f"\nwsmsg_message_consent_hook_{line}\n", text)
