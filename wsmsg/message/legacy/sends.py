"""
The sends of one legacy Connect, until they are accepted or rejected for good.

A legacy Connect sends a message once and never again.  So a send that is rejected
temporarily (overloaded, unavailable) is held here and retried, in order: no message
overtakes an earlier one of the same sender in the same conversation.  Held sends are
bounded in number, bytes and time; beyond that, the send fails and the peer learns it.
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
from wsmsg.message.legacy.convert import send_request_of
from wsmsg.rpc import rest_pb2
from wsmsg.text.counted import counted

_OVERHEAD_BYTES = 300

#: Called with a message that is rejected for good, and the reason.
Failed = Callable[[rest_pb2.WSMessage, str], object]


class SendBounds(Protocol):
    """
    The limits of held sends; see L{wsmsg.settings.legacy.MessageLegacySettings}.
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
    request: SendRequest
    since_s: float
    was_held: bool = False

    @property
    def key(self) -> tuple[str, int]:
        return self.request.conversation, self.request.sender

    @property
    def n_bytes(self) -> int:
        texts = len(self.request.content) + len(self.request.extra)
        return texts + _OVERHEAD_BYTES

    def hold(self) -> bool:
        """
        @return: whether the send is held for the first time.
        """
        first, self.was_held = not self.was_held, True
        return first

    def mark_uncertain(self) -> None:
        """
        Note that the message may have been accepted.
        """
        self.request = self.request._replace(repeat=True)


class LegacyConnectSends:
    """
    The sends of one stream.

    @param name: the prefix of the client ids; unique to this incarnation of Message and
        the stream.
    @ivar accepted: the number of accepted sends.
    @ivar failed: the number of failed sends.
    @ivar kept: the number of sends that were held at least once.
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
        self._on_failed = failed
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
        The number of sends that wait to be retried.
        """
        return len(self._held)

    def send(self, message: rest_pb2.WSMessage) -> None:
        """
        Send a message of the peer.
        """
        self._ref += 1
        try:
            request = send_request_of(message, self._ref, f"{self._name}:{self._ref}")
        except WsmsgError as e:
            self._fail(message, e.reason)
            return
        send = _Send(message, request, self._clock.seconds())
        bounds = self._bounds()
        if len(self) >= bounds.sends or self._bytes + send.n_bytes > bounds.send_bytes:
            waiting = counted(len(self), "message")
            self._fail(message, f"already waiting on this stream: {waiting}")
            return
        self._bytes += send.n_bytes
        if self._holding and send.key in self._holding:
            self._hold(send)
        else:
            self._submit([send])

    def give_up(self, reason: str) -> None:
        """
        Stop retrying: all held sends fail, and so does every send that is rejected
        temporarily from now on.
        """
        self._given_up = reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for send in self._in_order():
            self._release(send)
            self._bytes -= send.n_bytes
            self._fail(send.message, reason)

    # -- submission

    def _submit(self, sends: Sequence[_Send]) -> None:
        self._under_way.update((s.request.ref, s) for s in sends)
        self._ingress.accept([s.request for s in sends], self._answered)

    def _answered(self, answers: Sequence[Answer]) -> None:
        hint_ms = 0
        for request, answer in answers:
            send = self._under_way.pop(request.ref)
            if isinstance(answer, int):
                self.accepted += 1
                self._bytes -= send.n_bytes
            elif answer.retry and not self._given_up:
                if answer.uncertain:
                    send.mark_uncertain()
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
            self._timer = self._clock.callLater(delay_s, self._retry_held)

    def _hold(self, send: _Send) -> None:
        self._held[send.request.ref] = send
        self._holding[send.key] += 1
        self.kept += send.hold()

    def _retry_held(self) -> None:
        self._timer = None
        too_old_s = self._clock.seconds() - self._bounds().send_s
        again = []
        for send in self._in_order():
            self._release(send)
            if send.since_s <= too_old_s:
                self._bytes -= send.n_bytes
                self._fail(send.message, "the message could not be accepted in time")
            else:
                again.append(send)
        if again:
            self._submit(again)

    def _in_order(self) -> list[_Send]:
        return [self._held[ref] for ref in sorted(self._held)]

    def _release(self, send: _Send) -> None:
        del self._held[send.request.ref]
        self._holding[send.key] -= 1
        if not self._holding[send.key]:
            del self._holding[send.key]

    def _fail(self, message: rest_pb2.WSMessage, reason: str) -> None:
        self.failed += 1
        self._on_failed(message, reason)
