"""
The state of a daemon in words.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.dependency.alarms import Alarm
from wsmsg.dependency.state import Snapshot, State
from wsmsg.monitoring.words import dependency_in_words, readiness_in_words, shown_time

NOW_S = 1_700_000_000.0

AWAY = Snapshot(
    name="message 127.0.0.1:22004",
    state=State.CONNECTING,
    required=True,
    attempts=3,
    losses=1,
    last_error="connection refused",
    since_s=NOW_S - 5,
    next_try_s=NOW_S + 1.2,
)


class DependencyTests(SynchronousTestCase):
    """
    L{dependency_in_words}.
    """

    def words(self, **changes: Any) -> str:
        """
        Return the words for a Message that is away, but for these changes.
        """
        return dependency_in_words(attrs.evolve(AWAY, **changes), NOW_S)

    def test_away(self) -> None:
        """
        A dependency that is away has its reason, and when the next attempt is.
        """
        name = "the Message at 127.0.0.1:22004"
        for expected, changes in (
            (f"{name} cannot be reached: connection refused; next try in 2 s", {}),
            (
                f"{name} cannot be reached: connection refused; trying now",
                {"next_try_s": None},
            ),
            (
                f"{name} cannot be reached: connection refused; trying now",
                {"next_try_s": NOW_S - 1},
            ),
            (f"{name} is not reached yet; trying now", _FIRST),
            (f"{name} is not reached yet", {**_FIRST, "attempts": 0}),
            (
                f"{name} was given up after 3 attempts: connection refused",
                {"state": State.DOWN},
            ),
        ):
            self.assertEqual(self.words(**changes), expected)

    def test_others(self) -> None:
        """
        A dependency without an address is called by its name; one that is up, or not
        needed, says so whatever its last failure was.
        """
        self.assertEqual(self.words(name="store", state=State.UP), "the store is up")
        self.assertEqual(
            self.words(name="presence", state=State.STOPPED),
            "the presence backend is not needed any more",
        )
        up = {"state": State.UP}
        for name, words in (
            ("registry", "the list of Messages is up"),
            ("redis 10.0.0.1:6379", "the Redis at 10.0.0.1:6379 is up"),
            ("legacy redis 10.0.0.1:6379", "the legacy Redis at 10.0.0.1:6379 is up"),
            ("odd thing", "the odd thing is up"),
        ):
            self.assertEqual(self.words(name=name, **up), words)

    def test_long_reason(self) -> None:
        """
        A long reason is cut, so that a sentence stays one.
        """
        words = self.words(last_error="x" * 10_000)
        self.assertLess(len(words), 400)
        self.assertIn("xxx...; next try in 2 s", words)


_FIRST: dict[str, Any] = {"last_error": "", "next_try_s": None}


class ReadinessTests(SynchronousTestCase):
    """
    L{readiness_in_words}.
    """

    def words(self, daemon: str = "connect", **given: Any) -> str:
        """
        Return the words for a daemon that is ready, but for what is given.
        """
        state: dict[str, Any] = {
            "ready": True,
            "phase": "started",
            "missing": (),
            "alarms": (),
            "now_s": NOW_S,
            **given,
        }
        return readiness_in_words(daemon, **state)

    def test_ready(self) -> None:
        """
        A daemon that is ready says what it does.
        """
        self.assertEqual(self.words(), "Ready: clients can log in, send and receive.")
        self.assertEqual(
            self.words("message"), "Ready: messages are accepted, stored and delivered."
        )

    def test_not_ready(self) -> None:
        """
        A daemon that is not ready says why, what comes next, and what becomes of its
        clients meanwhile.
        """
        self.assertEqual(
            self.words(ready=False, missing=[AWAY]),
            "Not ready: the Message at 127.0.0.1:22004 cannot be reached: connection "
            "refused; next try in 2 s. Clients stay connected, and their messages "
            "wait.",
        )
        store = attrs.evolve(AWAY, name="store", last_error="disk full")
        words = self.words("message", ready=False, missing=[store, AWAY])
        self.assertIn("the store cannot be reached: disk full", words)
        self.assertIn("(and 1 more). What was accepted is kept", words)
        self.assertIn("no Message is known.", self.words(ready=False))

    def test_degraded(self) -> None:
        """
        A daemon that is degraded is ready, and names its alarms first.
        """
        alarm = Alarm("disk", "less than 1 GB is free.", NOW_S)
        self.assertEqual(
            self.words("message", alarms=[alarm]),
            "Ready, but degraded: alarm disk: less than 1 GB is free.",
        )
        words = self.words(alarms=[alarm], missing=[AWAY])
        self.assertIn("is free (and 1 more).", words)

    def test_phases(self) -> None:
        """
        A daemon that starts or stops says that, not what it lacks.
        """
        for phase, then in (("starting", "wait."), ("stopping", "another Connect")):
            words = self.words(ready=False, phase=phase, missing=[AWAY])
            self.assertTrue(words.startswith(f"Not ready: {phase}. Clients"), words)
            self.assertIn(then, words)
            self.assertNotIn("refused", words)

    def test_time(self) -> None:
        """
        Times are shown in UTC, to the millisecond.
        """
        self.assertEqual(shown_time(NOW_S), "2023-11-14T22:13:20.000+00:00")
