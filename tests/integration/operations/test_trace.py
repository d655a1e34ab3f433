"""
The way of one message through both daemons is short, and reads straight through.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tools.trace_message import by_thread, counts_of, traced
from tools.trace_rules import returns

MOST_FILES = 40


class TraceTests(TestCase):
    """
    The calls that every message needs.
    """

    timeout = 120

    async def _traced(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        daemons = await deferToThread(traced, folder)
        for name, least in (("connect", 100), ("message", 100)):
            self.assertGreater(len(daemons[name]), least, "the trace is not whole")
        self.assertLessEqual(counts_of(daemons).files, MOST_FILES)
        threads = [t for calls in daemons.values() for t in by_thread(calls)]
        found = [
            (call.path, call.name)
            for thread in threads
            for call, rule in returns(thread)
            if rule == "unexplained"
        ]
        self.assertEqual(found, [])

    def test_counts(self) -> Deferred[None]:
        """
        A message passes at most 40 modules, and comes back to none of them without a
        pause, a further receiver, the answer to its sender, or a value to ask for.
        """
        return Deferred.fromCoroutine(self._traced())
