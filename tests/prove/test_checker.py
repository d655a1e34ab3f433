"""
Tests of the checker of histories.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.prove.sample import GROUP, ONE, PAIR, THREE, TWO, Sample, good
from wsmsg.prove import checker
from wsmsg.prove.checker import check
from wsmsg.prove.plant import PLANTS, plant


class IndependenceTests(SynchronousTestCase):
    """
    The module itself.
    """

    def test_imports(self) -> None:
        """
        The checker imports the standard library alone, in at most 400 lines.
        """
        source = Path(checker.__file__ or "").read_text()
        self.assertLessEqual(len(source.splitlines()), 400)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                self.assertEqual(node.level, 0)
            else:
                continue
            for name in names:
                self.assertIn(name.partition(".")[0], sys.stdlib_module_names)


class CheckerTests(SynchronousTestCase):
    """
    Histories with and without violations.
    """

    def broken(self, sample: Sample) -> list[str]:
        """
        Return the promises that a history breaks.
        """
        verdict = sample.verdict()
        return [promise for promise, n in verdict.counts.items() if n]

    def test_good(self) -> None:
        """
        A history without a violation breaks no promise, and everything is counted.
        """
        verdict = good().verdict()
        self.assertEqual(verdict.breaches, [])
        self.assertEqual(verdict.messages, 13)
        self.assertEqual(verdict.deliveries, 26)
        self.assertEqual(verdict.faults, {"kill": 1})
        self.assertGreater(verdict.delay_s, 0.1)

    def test_planted(self) -> None:
        """
        Each planted violation is found, as one of its promise.
        """
        for kind, (promise, _) in PLANTS.items():
            lines = plant(kind, good().lines())
            verdict = check(enumerate(lines, 1))
            self.assertGreater(verdict.counts[promise], 0, kind)

    def test_loss(self) -> None:
        """
        A message that was accepted and is not stored breaks P1; one without an answer
        does not.
        """
        sample = good()
        sample.send(ONE, "lost", "nobody has it")
        self.assertEqual(self.broken(sample), [])
        sample = good()
        sample.send(ONE, "lost", "nobody has it")
        sample.accept(ONE, "lost")
        self.assertEqual(self.broken(sample), ["P1"])

    def test_stored_twice(self) -> None:
        """
        A message that is stored under two numbers breaks P1.
        """
        sample = good()
        for _ in range(2):
            message = sample.store(ONE, "one 3")
            sample.get(ONE, message)
            sample.get(TWO, message)
        self.assertIn("P1", self.broken(sample))

    def test_invented(self) -> None:
        """
        A message that nobody sent breaks P1.
        """
        sample = good()
        message = sample.store(ONE, "nobody said this")
        sample.get(ONE, message)
        sample.get(TWO, message)
        self.assertEqual(self.broken(sample), ["P1"])

    def test_repeats(self) -> None:
        """
        A repeat that is accepted at another time, with another body, or refused as a
        conflict with the same body breaks P2; a conflict with another body does not.
        """
        sample = good()
        sample.send(ONE, "one 1", "one 1")
        sample.accept(ONE, "one 1")
        sample.send(ONE, "one 1", "other")
        fail = {"user": ONE, "conversation": PAIR, "id": "one 1", "code": "conflict"}
        sample.history.write("fail", "send", **fail)
        self.assertEqual(self.broken(sample), [])
        sample = good()
        sample.send(ONE, "one 1", "one 1")
        sample.accept(ONE, "one 1", time=6)
        self.assertEqual(self.broken(sample), ["P2"])
        sample = good()
        sample.send(ONE, "one 1", "other")
        sample.accept(ONE, "one 1")
        self.assertEqual(self.broken(sample), ["P2"])
        sample = good()
        sample.send(ONE, "one 1", "one 1")
        sample.history.write("fail", "send", **fail)
        self.assertEqual(self.broken(sample), ["P2"])

    def test_not_alike(self) -> None:
        """
        Two readers who see different messages under one number break P3.
        """
        sample = good()
        sample.talk(ONE, "last", (ONE, TWO))
        sample.get(TWO, {**sample.store(ONE, "one 1"), "seq": 9})
        self.assertIn("P3", self.broken(sample))

    def test_order_of_sender(self) -> None:
        """
        Messages of one sender that are stored in another order break P3.
        """
        sample = good()
        for body in ("first", "second"):
            sample.send(ONE, body, body)
            sample.accept(ONE, body)
        for body in ("second", "first"):
            message = sample.store(ONE, body)
            sample.get(ONE, message)
            sample.get(TWO, message)
        self.assertEqual(self.broken(sample), ["P3"])

    def test_gap(self) -> None:
        """
        A session that is pushed a later number breaks P4, unless it is told to sync.
        """
        for told in (False, True):
            sample = good()
            sample.talk(ONE, "missed", (ONE,))
            sample.talk(ONE, "pushed", (ONE, TWO))
            if told:
                sample.history.info("resync", user=TWO, device="d", session=1)
            sample.get(TWO, {**sample._stored[-2]}, op="page")
            self.assertEqual(self.broken(sample), [] if told else ["P4"])

    def test_program(self) -> None:
        """
        A program that sees a number twice, or not at all, breaks P4.
        """
        for numbers in ((1, 2, 2), (1, 3)):
            sample = Sample()
            sample.open(ONE, TWO)
            stored = []
            for n in range(3):
                sample.send(ONE, f"m{n}", f"m{n}")
                sample.accept(ONE, f"m{n}")
                stored.append(sample.store(ONE, f"m{n}"))
            for number in numbers:
                sample.get(TWO, stored[number - 1], op="event")
            self.assertEqual(self.broken(sample), ["P4"])

    def test_missing(self) -> None:
        """
        A device that stayed to the end and lacks a message breaks P5.
        """
        sample = good()
        sample.talk(ONE, "last", (ONE,))
        self.assertEqual(self.broken(sample), ["P5"])

    def test_levels(self) -> None:
        """
        A level above the most that is allowed breaks P6.
        """
        sample = good()
        sample.history.info("level", name="message rss", value=3, most=3)
        self.assertEqual(self.broken(sample), [])
        sample = good()
        sample.history.info("level", name="message rss", value=4, most=3)
        self.assertEqual(self.broken(sample), ["P6"])

    def test_recovery(self) -> None:
        """
        A fault from which nobody recovers, or too late, breaks P7; time that the
        machine lost does not count.
        """
        fault: dict[str, Any] = {"fault": "cut", "of": "way", "number": 2}
        for late_s, lost_s, expected in (
            (None, 0, ["P7"]),
            (29, 0, []),
            (31, 0, ["P7"]),
            (31, 2, []),
        ):
            sample = good()
            sample.history.write("fault", state="begin", **fault)
            sample.history.write("fault", state="end", **fault)
            if late_s is not None:
                sample.now_s += late_s
                sample.history.info("stall", s=lost_s)
                sample.history.write("fault", state="recovered", **fault)
            self.assertEqual(self.broken(sample), expected)

    def test_leak(self) -> None:
        """
        A stranger who gets a message, and a member who gets one after leaving, break
        P8; what was said before stays theirs.
        """
        sample = good()
        sample.get(THREE, sample._stored[-1], op="page")
        self.assertEqual(self.broken(sample), ["P8"])
        for after in (False, True):
            sample = good()
            removed = {"event": True, "add": [], "remove": [TWO]}
            change = sample.store(ONE, "out", GROUP, **removed)
            sample.get(ONE, change)
            sample.get(TWO, change)
            sample.talk(ONE, "among us", (ONE, TWO) if after else (ONE,), GROUP)
            self.assertEqual(self.broken(sample), ["P8"] if after else [])

    def test_ghosts(self) -> None:
        """
        A user who is gone and is online for a watcher after 5 s breaks P9, but not
        while a fault keeps watchers from being told.
        """
        fault: dict[str, Any] = {"fault": "stop", "of": "message", "number": 2}
        for told_s, blind, expected in (
            (4.0, False, []),
            (6.0, False, ["P9"]),
            (None, False, ["P9"]),
            (6.0, True, []),
        ):
            sample = good()
            if blind:
                sample.history.write("fault", state="begin", **fault, blinds=True)
            sample.history.info("gone", user=TWO)
            if told_s is not None:
                sample.now_s += told_s - 0.2
                sample.history.info("presence", user=ONE, of=TWO, online=False)
            if blind:
                sample.history.write("fault", state="end", **fault)
                sample.history.write("fault", state="recovered", **fault)
            sample.now_s += 20
            sample.history.info("back", user=TWO)
            self.assertEqual(self.broken(sample), expected)

    def test_returned(self) -> None:
        """
        A user who has a new session is no ghost, though the client meant to stay away.
        """
        sample = good()
        sample.history.info("gone", user=TWO)
        sample.open(TWO, session=2)
        sample.now_s += 20
        sample.history.info("back", user=TWO)
        self.assertEqual(self.broken(sample), [])

    def test_stopped(self) -> None:
        """
        A daemon that was asked to stop and ends with a failure breaks P10.
        """
        sample = good()
        sample.history.info("stopped", of="message", status=0)
        self.assertEqual(self.broken(sample), [])
        sample = good()
        sample.history.info("stopped", of="message", status=1)
        self.assertEqual(self.broken(sample), ["P10"])

    def test_blame(self) -> None:
        """
        A violation names the faults that were going on, or had ended shortly before.
        """
        sample = good()
        sample.history.info("missed", text="g:7 3")
        [breach] = sample.verdict().breaches
        self.assertEqual(breach.faults, ("kill",))
        sample = good()
        sample.now_s += 60
        sample.history.info("missed", text="g:7 3")
        [breach] = sample.verdict().breaches
        self.assertEqual(breach.faults, ())
