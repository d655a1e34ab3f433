"""
C{/dead-letters} on the admin listener.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from tests.message.doubles import ManualJournal
from wsmsg.http.changes import Change
from wsmsg.http.resource import Api
from wsmsg.message.http.dead_letters import DeadLetterCalls
from wsmsg.message.journal.interface import DeadLetter


class ReplayingJournal(ManualJournal):
    """
    A journal that records what is replayed.
    """

    def __init__(self, listed: list[DeadLetter]) -> None:
        super().__init__()
        self.listed = listed
        self.replayed: list[Sequence[int]] = []

    def dead_letters(self, after: int, limit: int) -> Deferred[list[DeadLetter]]:
        return succeed(self.listed)

    def replay(self, numbers: Sequence[int]) -> Deferred[list[int]]:
        self.replayed.append(numbers)
        return succeed(list(numbers))


class DeadLettersTests(SynchronousTestCase):
    """
    L{DeadLetterCalls}.
    """

    def setUp(self) -> None:
        self.listed: list[DeadLetter] = []

    def ask(self, *path: bytes, **fields: Any) -> tuple[int, Any]:
        """
        Make a request.

        @return: the status and the document of the answer.
        """
        self.journal = ReplayingJournal(self.listed)
        request: Any = DummyRequest([b"dead-letters", *path])
        request.args = {n.encode(): [v] for n, v in fields.get("args", {}).items()}
        request.content = BytesIO(fields.get("body", b""))
        if path:
            request.method = b"POST"
        self.changes: list[Change] = []
        routes = DeadLetterCalls(self.journal).routes()
        Api(routes, audit=self.changes.append).render(request)
        return request.responseCode or 200, json.loads(b"".join(request.written))

    def test_replay(self) -> None:
        """
        The dead letters of a request are replayed.
        """
        status, document = self.ask(b"replay", body=b'{"numbers": [3, 4]}')
        self.assertEqual((status, document), (200, {"replayed": [3, 4]}))

    def test_cut_short(self) -> None:
        """
        A letter that was cut short is listed with the size of its record, and as cut.
        """
        letters = [
            DeadLetter(1, 0, 5, "why", b"xy", 9),
            DeadLetter(2, 0, 6, "why", b"xy", 9, 70_000),
        ]
        self.listed = letters
        _, document = self.ask()
        found = [(x["size"], x["cut"]) for x in document["dead_letters"]]
        self.assertEqual(found, [(2, False), (70_000, True)])

    def test_arguments(self) -> None:
        """
        A position or a limit that is not a number is refused by its name.
        """
        for name in ("after", "limit"):
            for value in (b"-1", b"x", b"1.5", b"\xff", "²".encode(), b"9" * 19):
                status, document = self.ask(args={name: value})
                self.assertEqual((status, document["code"]), (400, "bad_request"))
                self.assertIn(name, document["detail"])
        self.assertEqual(self.ask(args={"after": b"9" * 18})[0], 200)

    @given(st.binary(max_size=100))
    @example(b"[" * 100_000)
    @example(b'{"numbers":' * 5_000)
    @example(b'{"numbers": ["\\ud800"]}')
    @example(b'{"numbers": [' + b"9" * 5_000 + b"]}")
    def test_garbage(self, body: bytes) -> None:
        """
        A body of another form replays nothing, and is refused with a short reason.
        """
        status, document = self.ask(b"replay", body=body)
        self.assertEqual((status, document["code"]), (400, "bad_request"))
        self.assertLess(len(document["detail"]), 300)
        self.assertEqual(self.journal.replayed, [])
