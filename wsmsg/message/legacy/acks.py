"""
The acknowledgements of one legacy Connect: stored as read marks, then confirmed.

Acknowledgements are stored in batches, one at a time.  While the store is down they
wait, bounded in number and time.  L{wsmsg.message.queries.marks} keeps those that
arrive before their message is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wsmsg.dependency.retry import Backoff
from wsmsg.errors import WsmsgError
from wsmsg.flow.batches import BatchLoop
from wsmsg.message.queries.interface import Marking
from wsmsg.model import INT64_MAX, Mark
from wsmsg.rpc import rest_pb2

#: Called with an acknowledgement, and whether it is confirmed.
Confirm = Callable[[rest_pb2.MessageAckRequest, bool], object]

_BATCH = 500


class AckBounds(Protocol):
    """
    The limits of waiting acknowledgements; see
    L{wsmsg.settings.legacy.MessageLegacySettings}.
    """

    @property
    def acks(self) -> int: ...

    @property
    def send_s(self) -> float: ...


@attrs.define(eq=False)
class _Ack:
    request: rest_pb2.MessageAckRequest
    since_s: float


class LegacyConnectAcks:
    """
    The acknowledgements of one stream.

    @ivar confirmed: the number of confirmed acknowledgements.
    @ivar unknown: the number of acknowledgements that were for no message to their
        user, or that could not be stored.
    """

    _log = Logger()

    def __init__(
        self,
        marking: Marking,
        clock: IReactorTime,
        bounds: Callable[[], AckBounds],
        *,
        confirm: Confirm,
        backoff: Backoff,
    ) -> None:
        self.confirmed = self.unknown = 0
        self._marking = marking
        self._clock = clock
        self._bounds = bounds
        self._confirm = confirm
        self._waiting: deque[_Ack] = deque()
        self._count = 0
        self._loop = BatchLoop(
            self._mark_batch,
            lambda: bool(self._waiting),
            clock,
            linger_s=0.0,
            pause=lambda failures: deferLater(clock, backoff(failures)),
        )

    def __len__(self) -> int:
        return self._count

    def ack(self, request: rest_pb2.MessageAckRequest) -> None:
        """
        Store an acknowledgement: a user of the peer has read a message.
        """
        possible = (
            0 < request.user_id <= INT64_MAX and 0 < request.message_id <= INT64_MAX
        )
        if not possible or self._count >= self._bounds().acks:
            self.unknown += 1
            self._confirm(request, False)
            return
        self._count += 1
        self._enqueue(_Ack(request, self._clock.seconds()))

    def _enqueue(self, ack: _Ack) -> None:
        self._waiting.append(ack)
        self._loop.wake()

    async def _mark_batch(self) -> bool:
        n = min(len(self._waiting), _BATCH)
        acks = [self._waiting.popleft() for _ in range(n)]
        unavailable = await self._mark(acks)
        self._waiting.extendleft(reversed(unavailable))
        return not unavailable

    async def _mark(self, acks: Sequence[_Ack]) -> list[_Ack]:
        """
        @return: the acknowledgements that are to be tried again.
        """
        by_user: dict[int, list[_Ack]] = {}
        for ack in acks:
            by_user.setdefault(ack.request.user_id, []).append(ack)
        asked: list[Deferred[Any]] = [
            self._marking(user, [Mark(user, a.request.message_id) for a in some])
            for user, some in by_user.items()
        ]
        again: list[_Ack] = []
        too_old_s = self._clock.seconds() - self._bounds().send_s
        answers = await DeferredList(asked, consumeErrors=True)
        for some, (good, answer) in zip(by_user.values(), answers, strict=True):
            if good:
                for ack, known in zip(some, answer, strict=True):
                    self._done(ack, known)
                continue
            if not answer.check(WsmsgError):
                self._log.failure("storing acknowledgements", answer)
            for ack in some:
                if ack.since_s > too_old_s:
                    again.append(ack)
                else:
                    self._done(ack, False)
        return again

    def _done(self, ack: _Ack, known: bool) -> None:
        self._count -= 1
        self.confirmed += known
        self.unknown += not known
        self._confirm(ack.request, known)
