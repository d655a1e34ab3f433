"""
A history in which everything is well, for tests that break it.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable
from typing import Any

from wsmsg.prove.checker import Line, Verdict, check
from wsmsg.prove.history import HistoryWriter, read_history

ONE, TWO, THREE = 1, 2, 3
PAIR, GROUP = "u:1:2", "g:7"


class Sample:
    """
    A history that a test writes, with a clock that goes on by 0.1 s a line.

    @ivar now_s: the time of the next line.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self._file = io.StringIO()
        self.history = HistoryWriter(self._file, self._clock, seed=7, software={})
        self._heads = dict.fromkeys((PAIR, GROUP), 0)
        self._stored: list[dict[str, Any]] = []
        self._ids = itertools.count(100)

    def _clock(self) -> float:
        self.now_s += 0.1
        return self.now_s

    def open(self, *users: int, session: int = 1) -> None:
        for user in users:
            about = {"user": user, "device": "d", "session": session}
            self.history.info("open", **about)

    def send(self, user: int, client_id: str, body: str, c: str = PAIR) -> None:
        about = {"user": user, "conversation": c, "id": client_id, "body": body}
        self.history.write("invoke", "send", **about)

    def accept(self, user: int, client_id: str, c: str = PAIR, time: int = 5) -> None:
        about = {"user": user, "conversation": c, "id": client_id, "time": time}
        self.history.write("ok", "send", **about)

    def store(self, user: int, body: str, c: str = PAIR, **more: Any) -> dict[str, Any]:
        self._heads[c] += 1
        message = {
            "conversation": c,
            "seq": self._heads[c],
            "id": next(self._ids),
            "from": user,
            "body": body,
            **more,
        }
        self._stored.append(message)
        return message

    def get(self, user: int, message: dict[str, Any], op: str = "push") -> None:
        about = {"user": user, "device": "d", "session": 1}
        self.history.info(op, **about, **message)

    def talk(self, user: int, body: str, readers: Iterable[int], c: str = PAIR) -> None:
        """
        Send a message that is accepted, stored and pushed to all.
        """
        self.send(user, body, body, c)
        self.accept(user, body, c)
        message = self.store(user, body, c)
        for reader in readers:
            self.get(reader, message)

    def lines(self, *, final: bool = True) -> list[Line]:
        """
        End the history, and return its lines.
        """
        for message in self._stored if final else ():
            self.history.write("final", **message)
        self.history.end()
        return [line for _, line in read_history(io.StringIO(self._file.getvalue()))]

    def verdict(self) -> Verdict:
        return check(enumerate(self.lines(), 1))


def good() -> Sample:
    """
    Return a history of a pair and a group, without its end.
    """
    sample = Sample()
    sample.open(ONE, TWO, THREE)
    made = sample.store(ONE, "made", GROUP, event=True, add=[ONE, TWO], remove=[])
    for user in (ONE, TWO):
        sample.get(user, made)
    for n in range(4):
        sample.talk(ONE, f"one {n}", (ONE, TWO))
        sample.talk(TWO, f"two {n}", (ONE, TWO))
        sample.talk(TWO, f"group {n}", (ONE, TWO), GROUP)
    sample.send(THREE, "x", "from outside", GROUP)
    sample.history.write("fail", "send", user=3, conversation=GROUP, id="x", code="no")
    sample.history.info("presence", user=ONE, of=TWO, online=True)
    fault: dict[str, Any] = {"fault": "kill", "of": "message", "number": 1}
    sample.history.write("fault", state="begin", **fault, blinds=True)
    sample.history.write("fault", state="end", **fault)
    sample.history.write("fault", state="recovered", **fault)
    for user in (ONE, TWO):
        sample.history.info("expect", user=user, device="d")
    return sample
