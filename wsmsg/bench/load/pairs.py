"""
Load of pairs of a sender and a recipient, or of connections to an echo server: when
they send, and their accounts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from wsmsg.bench.load import encoding
from wsmsg.bench.load.accounts import Account, SendAccount
from wsmsg.bench.load.framing import Mask
from wsmsg.bench.load.measurements import Recorder
from wsmsg.bench.load.peers import EchoPeer, RecipientPeer, SenderPeer

#: Seconds that a sender waits after a rejection without a time.
_HOLD_S = 0.05


class Clock(Protocol):
    """
    The part of an asyncio event loop that a load uses.
    """

    def time(self) -> float:
        """
        Return monotonic seconds.
        """

    def call_later(self, delay: float, callback: Callable[[], object], /) -> object:
        """
        Call a function once after a delay in seconds.
        """


class Loop(ABC):
    """
    Keeps a window full, or sends at given times.

    @ivar window: most messages in flight; 0: sends only what is due.
    @ivar recorder: L{None} until the load begins.
    """

    def __init__(self, window: int, clock: Clock, account: SendAccount):
        self.account = account
        self.window = window
        self.recorder: Recorder | None = None
        self._clock = clock
        self._time = clock.time
        self._held = False

    def begin(self, recorder: Recorder) -> None:
        """
        Begin to send, and record what arrives.
        """
        self.recorder = recorder

    def refill(self) -> None:
        """
        Send as many as the window has room for, in one write.
        """
        free = self.window - self.account.in_flight
        if free > 0 and self.recorder is not None and not self._held:
            self._send([self._time()] * free)

    def send_due(self, due: list[float]) -> None:
        """
        Send the messages that were due at these times.
        """
        self._send(due)
        if self.recorder is not None:
            now_s = self._time()
            for due_s in due:
                self.recorder.written(due_s, now_s)

    def finish(self) -> None:
        """
        Stop sending.
        """
        self.window = 0

    def _send(self, due: list[float]) -> None:
        send = self.account.send
        self._write([send(due_s) for due_s in due])

    @abstractmethod
    def _write(self, numbers: list[int]) -> None:
        """
        Write the messages with these numbers to the sender's connection.
        """

    def rejected(self, number: int, code: str, retry_after_ms: int) -> None:
        """
        Wait as the server asks; the message itself is not sent again.
        """
        self.account.reject(number, code)
        if not self._held:
            self._held = True
            delay_s = retry_after_ms / 1000 or _HOLD_S
            self._clock.call_later(delay_s, self._release)

    def _release(self) -> None:
        self._held = False
        self.refill()

    def report_progress(self) -> None:
        """
        Report how far the recipients are, if that has changed.
        """


class OneToOne(Loop):
    """
    A load whose messages each have one recipient.
    """

    account: Account

    def __init__(self, window: int, clock: Clock):
        super().__init__(window, clock, Account())

    def arrived(self, number: int, seq: int) -> None:
        """
        Record the delivery of a message.
        """
        due_s = self.account.deliver(number, seq)
        if due_s is not None and self.recorder is not None:
            self.recorder.delivered(due_s, self._time())


class EchoLoop(OneToOne):
    """
    One connection to an echo server.
    """

    def __init__(
        self,
        peer: EchoPeer,
        clock: Clock,
        *,
        mask: Mask,
        run: str,
        size: int,
        window: int,
    ):
        super().__init__(window, clock)
        self._frame = encoding.EchoTemplate(mask, run, size).frame
        self._transport = peer.transport
        peer.join(self)

    def _write(self, numbers: list[int]) -> None:
        self._transport.write(b"".join(map(self._frame, numbers)))

    def echoed(self, number: int) -> None:
        self.account.accept(number)
        self.arrived(number, number + 1)


class Pair(OneToOne):
    """
    A sender and a recipient at Connect.
    """

    def __init__(
        self,
        sender: SenderPeer,
        recipient: RecipientPeer,
        clock: Clock,
        *,
        mask: Mask,
        run: str,
        to: int,
        conversation: str,
        size: int,
        window: int,
    ):
        super().__init__(window, clock)
        self._frame = encoding.SendTemplate(mask, run, to, size).frame
        self._scan = encoding.DeliverScanner(run, conversation, size).scan
        self._transport = sender.transport
        self._recipient = recipient
        self._conversation = conversation
        self._mask = mask
        self._seq = self._reported = 0
        sender.join(self)
        recipient.join(self)

    def _write(self, numbers: list[int]) -> None:
        self._transport.write(b"".join(map(self._frame, numbers)))

    def accepted(self, number: int) -> None:
        self.account.accept(number)

    def delivered(self, data: bytes, start: int, end: int) -> bool:
        """
        Record a delivery; return whether it is a message of this pair.
        """
        number, seq = self._scan(data, start, end)
        if number < 0:
            return False
        self._seq = max(self._seq, seq)
        self.arrived(number, seq)
        return True

    def report_progress(self) -> None:
        """
        Report how far the recipient is, if that has changed.
        """
        if self._seq > self._reported and not self._recipient.transport.is_closing():
            self._reported = self._seq
            frame = encoding.delivered(self._conversation, self._seq)
            self._recipient.transport.write(self._mask.frame(frame))
