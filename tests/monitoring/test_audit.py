"""
The audit in the log.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.http.changes import LEFT, Change
from wsmsg.monitoring.audit import FIRST, NAMESPACE, AuditLog
from wsmsg.monitoring.logs import as_json, as_text
from wsmsg.monitoring.repeats import WINDOW_S

_CALL = "DELETE /api/v1/users/{user}/sessions/{device}"


class AuditTests(SynchronousTestCase):
    """
    Row 8 of issue 11: L{AuditLog}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.audit = AuditLog(self.clock)
        self.addCleanup(self.audit.stop)

    def logged(self, *changes: Change) -> Sequence[LogEvent]:
        """
        Return what these changes add to the log.
        """
        with capturedLogs() as logged:
            for each in changes:
                self.audit(each)
        return logged

    def change(self, result: int = 200, **about: Any) -> Change:
        """
        Return a change.
        """
        code = "ok" if result < 400 else "forbidden"
        address = about.pop("address", "192.0.2.7")
        return Change("billing", address, _CALL, about, result, code)

    def test_line(self) -> None:
        """
        A line names the key, the address, the call, the object and the result, as text
        and as fields of JSON, in one namespace.
        """
        (event,) = self.logged(self.change(user=1001, device="phone"))
        line = json.loads(as_json(event))
        del line["time"]
        text = f"billing of 192.0.2.7: {_CALL}: user=1001 device=phone: 200 ok"
        self.assertEqual(
            line,
            {
                "level": "info",
                "source": NAMESPACE,
                "text": text,
                "key": "billing",
                "address": "192.0.2.7",
                "call": _CALL,
                "object": "user=1001 device=phone",
                "result": 200,
                "code": "ok",
            },
        )
        self.assertTrue(as_text(event).endswith(f"[{NAMESPACE}#info] {text}\n"))

    @given(st.text(), st.text())
    def test_text_of_others(self, device: str, other: str) -> None:
        """
        Whatever a caller names, the line stays one line, and no value can be taken for
        the end of the object or for another one.
        """
        change = self.change(device=device, other=other)
        (event,) = self.logged(change)
        for line in (as_text(event), as_json(event)):
            self.assertEqual(len(line.splitlines()), 1)
            self.assertTrue(line[:-1].isprintable() or not line.isascii())
        found = json.loads(as_json(event))["object"]
        self.assertEqual(_words(found)[:1], ["device"])
        self.assertEqual(_words(found)[1:], ["other"])

    def test_refusals_are_gathered(self) -> None:
        """
        One address cannot fill the log with refused calls: a line says how many more
        there were.
        """
        more = 500
        logged = self.logged(*[self.change(403)] * (FIRST + more))
        self.assertEqual(len(logged), FIRST)
        with capturedLogs() as logged:
            self.clock.advance(WINDOW_S)
        (event,) = logged
        told = f"192.0.2.7: {more} more calls that were refused in 60 s"
        self.assertEqual(json.loads(as_json(event))["text"], told)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_success_is_gathered(self) -> None:
        """
        Each call that was done, or may have been done, has its line, however many
        refusals and other lines there are.
        """
        results = (200, 201, 202, 204, LEFT, 500, 504)
        changes = [
            self.change(403, address=f"10.0.{n >> 8}.{n & 255}") for n in range(5000)
        ]
        changes += [self.change(result) for result in results * 2000]
        logged = self.logged(*changes)
        found = [event["result"] for event in logged if event["result"] != 403]
        self.assertEqual(found, list(results * 2000))
        self.assertLess(len(logged) - len(found), 1000)

    def test_long(self) -> None:
        """
        A long object is cut.
        """
        (event,) = self.logged(self.change(users=",".join(["1001"] * 1000)))
        out = io.StringIO(as_text(event))
        self.assertLess(len(out.read()), 300)


def _words(text: str) -> list[str]:
    """
    Return the names of an object, as a program reads C{name=value name="value"}.
    """
    names = []
    at = 0
    while at < len(text):
        equals = text.index("=", at)
        names.append(text[at:equals])
        at = equals + 1
        if text[at] != '"':
            at = (text + " ").index(" ", at) + 1
            continue
        at += 1
        while text[at] != '"':
            at += 2 if text[at] == "\\" else 1
        at += 2
    return names
