"""
What one deployed peer sends, until it is accepted or refused for good.

The peer gives a message once and never again, so what is refused for a moment
(overloaded, unavailable) is kept here and given again, in order: nothing overtakes
what the same sender said before in the same conversation.  What is kept is bounded in
number, bytes and time; over it the peer is told of the failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from wsmsg.dependency.retry import Backoff
from wsmsg.errors import WsmsgError
from wsmsg.message.ingress.interface import Answer, IIngress, SendRequest
from wsmsg.message.legacy.convert import proposal_of
from wsmsg.rpc import rest_pb2

_OVERHEAD_BYTES = 300

#: Told of a message that was refused for good, and why.
Failed = Callable[[rest_pb2.WSMessage, str], object]


class SendBounds(Protocol):
    """
    What may be kept; see C{DeployedSettings}.
    """

    @property
    def sends(self) -> int: ...

    @property
    def send_bytes(self) -> int: ...

    @property
    def send_s(self) -> float: ...


@attrs.define
class _Send:
    message: rest_pb2.WSMessage
    proposal: SendRequest
    since_s: float
    again: bool = False

    @property
    def key(self) -> tuple[str, int]:
        return self.proposal.conversation, self.proposal.sender

    @property
    def n_bytes(self) -> int:
        return len(self.proposal.content) + _OVERHEAD_BYTES


class LegacyConnectSends:
    """
    The sends of one stream.

    @param name: unique to the life of this Message and the stream; client ids are
        made of it.
    @ivar accepted: how many were.
    @ivar failed: how many never will be.
    @ivar kept: how many were refused for a moment, at least once.
    """

    def __init__(
        self,
        ingress: IIngress,
        clock: IReactorTime,
        bounds: Callable[[], SendBounds],
        *,
        name: str,
        failed: Failed,
        backoff: Backoff,
    ) -> None:
        self._backoff = backoff
        self._failures = 0
        self.accepted = self.failed = self.kept = 0
        self._ingress = ingress
        self._clock = clock
        self._bounds = bounds
        self._name = name
        self._tell = failed
        self._ref = 0
        self._under_way: dict[int, _Send] = {}
        self._held: dict[int, _Send] = {}
        self._holding: Counter[tuple[str, int]] = Counter()
        self._bytes = 0
        self._timer: IDelayedCall | None = None
        self._given_up = ""

    def __len__(self) -> int:
        return len(self._under_way) + len(self._held)

    @property
    def held(self) -> int:
        """
        How many wait to be given again.
        """
        return len(self._held)

    def send(self, message: rest_pb2.WSMessage) -> None:
        """
        The peer gives a message.
        """
        self._ref += 1
        try:
            proposal = proposal_of(message, self._ref, f"{self._name}:{self._ref}")
        except WsmsgError as e:
            self._fail(message, e.reason)
            return
        send = _Send(message, proposal, self._clock.seconds())
        bounds = self._bounds()
        if len(self) >= bounds.sends or self._bytes + send.n_bytes > bounds.send_bytes:
            self._fail(message, f"{len(self)} messages of this stream wait already")
            return
        self._bytes += send.n_bytes
        if self._holding and send.key in self._holding:
            self._hold(send)
        else:
            self._give([send])

    def give_up(self, reason: str) -> None:
        """
        Give nothing again any more; what waits has failed, and so will what is refused
        for a moment from now on.
        """
        self._given_up = reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for send in self._in_order():
            self._drop(send)
            self._bytes -= send.n_bytes
            self._fail(send.message, reason)

    # -- the way in

    def _give(self, sends: Sequence[_Send]) -> None:
        self._under_way.update((s.proposal.ref, s) for s in sends)
        self._ingress.accept([s.proposal for s in sends], self._answered)

    def _answered(self, answers: Sequence[Answer]) -> None:
        hint_ms = 0
        for proposal, answer in answers:
            send = self._under_way.pop(proposal.ref)
            if isinstance(answer, int):
                self.accepted += 1
                self._bytes -= send.n_bytes
            elif answer.retry and not self._given_up:
                self._hold(send)
                hint_ms = max(hint_ms, answer.retry_after_ms)
            else:
                self._bytes -= send.n_bytes
                self._fail(send.message, self._given_up or answer.reason)
        if not self._held:
            self._failures = 0
        elif self._timer is None:
            self._failures += 1
            delay_s = max(hint_ms / 1000, self._backoff(self._failures))
            self._timer = self._clock.callLater(delay_s, self._again)

    def _hold(self, send: _Send) -> None:
        self._held[send.proposal.ref] = send
        self._holding[send.key] += 1
        self.kept += not send.again
        send.again = True

    def _again(self) -> None:
        self._timer = None
        too_old_s = self._clock.seconds() - self._bounds().send_s
        again = []
        for send in self._in_order():
            self._drop(send)
            if send.since_s <= too_old_s:
                self._bytes -= send.n_bytes
                self._fail(send.message, "it could not be accepted in time")
            else:
                again.append(send)
        if again:
            self._give(again)

    def _in_order(self) -> list[_Send]:
        return [self._held[ref] for ref in sorted(self._held)]

    def _drop(self, send: _Send) -> None:
        del self._held[send.proposal.ref]
        self._holding[send.key] -= 1
        if not self._holding[send.key]:
            del self._holding[send.key]

    def _fail(self, message: rest_pb2.WSMessage, reason: str) -> None:
        self.failed += 1
        self._tell(message, reason)
