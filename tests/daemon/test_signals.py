"""
Signals of a daemon.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.trial.unittest import TestCase

from tests.daemon.doubles import Process, Reactor
from wsmsg.daemon.signals import Signals


class SignalsTests(TestCase):
    """
    L{Signals}.
    """

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.process = Process(self.reactor)
        self.installed: dict[int, Any] = {}
        self.did: list[str] = []
        self.leads: list[bool] = []
        self.signals = Signals(
            self.reactor,
            self.process.exits,
            reload=lambda: self.did.append("reload"),
            rotate=lambda: self.did.append("rotate"),
            cut_lead=lambda: bool(self.leads) and self.leads.pop(),
            install=self.install,
        )

    def install(self, number: int, function: Any) -> Any:
        before = self.installed.get(number)
        self.installed[number] = function
        return before

    def send(self, number: int) -> None:
        self.installed[number](number, None)

    def test_term(self) -> None:
        """
        The first TERM stops the daemon in order; the second ends it at once, with
        status 1.
        """
        self.signals.start()
        self.send(signal.SIGTERM)
        self.assertEqual((self.reactor.stopped, self.process.left), (1, []))
        self.send(signal.SIGINT)
        self.assertEqual(self.process.left, [1])

    def test_early(self) -> None:
        """
        The functions that the reactor installs before the start do the same: the
        daemon ends with a status, and not by the signal.
        """
        self.reactor.sigTerm(signal.SIGTERM, None)
        self.assertEqual((self.reactor.stopped, self.process.left), (1, []))
        self.reactor.sigInt(signal.SIGINT, None)
        self.assertEqual(self.process.left, [1])

    def test_term_in_the_lead_time(self) -> None:
        """
        A second TERM ends the lead time, and only the third the daemon.
        """
        self.leads = [True]
        self.signals.start()
        self.send(signal.SIGTERM)
        self.send(signal.SIGTERM)
        self.assertEqual((self.leads, self.process.left), ([], []))
        self.send(signal.SIGINT)
        self.assertEqual(self.process.left, [1])
        self.assertEqual(self.reactor.stopped, 1)

    def test_others(self) -> None:
        """
        HUP reloads the settings and USR1 begins a new log, until the daemon stops.
        """
        self.signals.start()
        self.send(signal.SIGHUP)
        self.send(signal.SIGUSR1)
        self.assertEqual(self.did, ["reload", "rotate"])
        self.signals.stop()
        self.assertIs(self.installed[signal.SIGHUP], signal.SIG_IGN)

    def test_background(self) -> None:
        """
        A daemon in the background of a shell ignores Ctrl-C.
        """
        self.installed[signal.SIGINT] = signal.SIG_IGN
        self.signals.start()
        self.assertIs(self.installed[signal.SIGINT], signal.SIG_IGN)
