"""
Sends that clients repeat, where Message cannot tell them from new ones.

A client whose connection broke says again what has no answer.  A deployed Message has
no client ids, and would give a repeat to the recipient twice, so this Connect
remembers what it was given of late.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from wsmsg.connect.upstream.interface import NewSend, OnAnswer, SendAnswer

#: Of so many sends it is remembered that they were accepted.
REMEMBERED = 20_000

_Key = tuple[str, int, str]


@attrs.define(slots=True)
class _Said:
    content: str
    time_ms: int = 0
    waiting: list[OnAnswer] = attrs.Factory(list)


class Repeats:
    """
    What was sent of late, by its identity.

    @param send: sends what was not.
    @ivar met: how many repeats there were.
    """

    def __init__(self, send: Callable[[NewSend, OnAnswer], None]) -> None:
        self.met = 0
        self._send = send
        self._waiting: dict[_Key, _Said] = {}
        self._accepted: dict[_Key, _Said] = {}

    def send(self, new: NewSend, on_answer: OnAnswer) -> None:
        """
        Send it, or answer as the first of its identity is answered.
        """
        key = new.conversation, new.sender, new.client_id
        said = self._accepted.get(key) or self._waiting.get(key)
        if said is None:
            said = self._waiting[key] = _Said(new.content, 0, [on_answer])
            self._send(new, partial(self._answered, key))
            return
        self.met += 1
        if said.content != new.content:
            reason = "the client id was used for another message"
            on_answer(SendAnswer(code="conflict", reason=reason))
        elif said.time_ms:
            on_answer(SendAnswer(said.time_ms))
        else:
            said.waiting.append(on_answer)

    def _answered(self, key: _Key, answer: SendAnswer) -> None:
        said = self._waiting.pop(key)
        waiting, said.waiting = said.waiting, []
        if answer.time_ms:
            said.time_ms = answer.time_ms
            self._accepted[key] = said
            if len(self._accepted) > REMEMBERED:
                del self._accepted[next(iter(self._accepted))]
        for on_answer in waiting:
            on_answer(answer)
