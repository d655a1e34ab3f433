"""
Detection of sends that clients repeat.

A client whose connection broke repeats its unanswered sends.  A legacy Message has no
client ids and would deliver a repeated send twice, so Connect remembers the sends that
it made recently.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from wsmsg.connect.upstream.interface import NewSend, OnAnswer, SendAnswer

#: The most accepted sends that are remembered.
REMEMBERED = 20_000

_Key = tuple[str, int, str]


@attrs.define(slots=True)
class _FirstSend:
    digest: int
    time_ms: int = 0
    waiting: list[OnAnswer] = attrs.Factory(list)

    def answer(self, answer: SendAnswer) -> None:
        """
        Answer the send and all repeats that wait.
        """
        self.time_ms = answer.time_ms
        waiting, self.waiting = self.waiting, []
        for on_answer in waiting:
            on_answer(answer)


class RepeatFilter:
    """
    The recent sends, by conversation, sender and client id.

    @param send: makes a send that is new.
    @ivar repeated: the number of repeated sends.
    """

    def __init__(self, send: Callable[[NewSend, OnAnswer], None]) -> None:
        self.repeated = 0
        self._send = send
        self._waiting: dict[_Key, _FirstSend] = {}
        self._accepted: dict[_Key, _FirstSend] = {}

    def send(self, new: NewSend, on_answer: OnAnswer) -> None:
        """
        Make a new send, or answer a repeated one as the first is answered.
        """
        key = new.conversation, new.sender, new.client_id
        first = self._accepted.get(key) or self._waiting.get(key)
        if first is None:
            self._waiting[key] = _FirstSend(hash(new.content), 0, [on_answer])
            self._send(new, partial(self._answered, key))
            return
        self.repeated += 1
        if first.digest != hash(new.content):
            reason = "the client id was used for another message"
            on_answer(SendAnswer(code="conflict", reason=reason))
        elif first.time_ms:
            on_answer(SendAnswer(first.time_ms))
        else:
            first.waiting.append(on_answer)

    def _answered(self, key: _Key, answer: SendAnswer) -> None:
        first = self._waiting.pop(key)
        if answer.time_ms:
            self._accepted[key] = first
            if len(self._accepted) > REMEMBERED:
                del self._accepted[next(iter(self._accepted))]
        first.answer(answer)
