"""
The passing facts of messages: what this Message notes when it stores and pushes, and
the question to all Connects for what they remember of one message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from wsmsg.errors import Overloaded
from wsmsg.flow.life_ring import LifeRing
from wsmsg.rpc import rest_pb2

#: The most questions that wait for their answers.
_MOST = 16
_RETRY_AFTER_MS = 500


class AskedLink(Protocol):
    """
    The link to a Connect that is asked.
    """

    node: str
    everything: bool

    @property
    def open(self) -> bool: ...

    def ask_life(self, query: rest_pb2.LifeQuery) -> None:
        """
        Queue a question, if the link has a stream.
        """


@attrs.define(eq=False)
class _Asked:
    """
    A question.

    @ivar waiting: the Connects that have not answered.
    """

    waiting: set[str]
    answers: list[rest_pb2.LifeAnswer] = attrs.Factory(list)
    done: Deferred[None] = attrs.Factory(Deferred)

    def finish(self) -> None:
        """
        Wait no longer.
        """
        if not self.done.called:
            self.done.callback(None)


class ConnectLives:
    """
    The facts of this Message, and those of its Connects.

    @param links: by the node of the Connect.
    @ivar ring: what this Message remembers.
    """

    def __init__(
        self, links: Mapping[str, AskedLink], clock: IReactorTime, ring: LifeRing | None
    ) -> None:
        self.ring = ring or LifeRing()
        self._links = links
        self._clock = clock
        self._numbers = count(1)
        self._asked: dict[int, _Asked] = {}

    async def ask(
        self, query: rest_pb2.LifeQuery, timeout_s: float
    ) -> tuple[Sequence[rest_pb2.LifeAnswer], Mapping[str, str]]:
        """
        Ask all Connects.

        @return: their answers, and why the others gave none, by node.
        @raise Overloaded: too many questions wait.
        """
        if len(self._asked) >= _MOST:
            raise Overloaded(f"{_MOST} questions wait for answers", _RETRY_AFTER_MS)
        connects = [link for link in self._links.values() if not link.everything]
        number = next(self._numbers)
        asked = _Asked({link.node for link in connects if link.open})
        self._asked[number] = asked
        numbered = rest_pb2.LifeQuery(id=number)
        numbered.MergeFrom(query)
        for link in connects:
            link.ask_life(numbered)
        limit = self._clock.callLater(timeout_s, asked.finish)
        try:
            if asked.waiting:
                await asked.done
        finally:
            del self._asked[number]
            if limit.active():
                limit.cancel()
        missing = {
            link.node: "its stream to this Message is interrupted"
            for link in connects
            if not link.open
        }
        silent = f"no answer in {timeout_s:g} s, or its version cannot answer"
        missing.update(dict.fromkeys(asked.waiting, silent))
        return asked.answers, missing

    def answered(self, node: str, answer: rest_pb2.LifeAnswer) -> None:
        """
        Take the answer of a Connect.
        """
        asked = self._asked.get(answer.id)
        if asked is None or node not in asked.waiting:
            return
        asked.waiting.remove(node)
        named = rest_pb2.LifeAnswer()
        named.CopyFrom(answer)
        named.node = node
        asked.answers.append(named)
        if not asked.waiting:
            asked.finish()
