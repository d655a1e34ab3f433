"""
Accounts of a load: messages that were sent, answered and delivered.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Sequence

import msgspec


class SendAccount(ABC):
    """
    The messages of one sender, by number, from the send to the answer.

    @ivar sent: messages that were sent.
    @ivar answered: messages that were accepted or rejected.
    @ivar arrived: messages that need not be waited for: delivered, or rejected.
    @ivar doubled: deliveries of a message that was delivered before.
    @ivar unordered: first deliveries after that of a later message.
    """

    __slots__ = (
        "_due",
        "_unanswered",
        "answered",
        "arrived",
        "codes",
        "doubled",
        "sent",
        "unordered",
    )

    def __init__(self) -> None:
        self.sent = self.answered = self.arrived = 0
        self.doubled = self.unordered = 0
        self.codes: Counter[str] = Counter()
        self._due: dict[int, float] = {}
        self._unanswered: set[int] = set()

    @property
    def in_flight(self) -> int:
        """
        Return the number of messages in flight: not answered or not delivered.
        """
        return self.sent - min(self.answered, self.arrived)

    @property
    @abstractmethod
    def settled(self) -> bool:
        """
        Return whether there is nothing left to wait for.
        """

    @property
    @abstractmethod
    def lost(self) -> int:
        """
        Return the number of deliveries of accepted messages that are missing.
        """

    @property
    @abstractmethod
    def holes(self) -> int:
        """
        Return the number of numbers that conversations skipped.
        """

    @abstractmethod
    def _rejected(self, number: int) -> None:
        """
        Wait for a message no more.
        """

    def send(self, at_s: float) -> int:
        """
        Record a send, due at this time.

        @return: its number.
        """
        number = self.sent
        self.sent = number + 1
        self._due[number] = at_s
        self._unanswered.add(number)
        return number

    def accept(self, number: int) -> None:
        """
        Record that the server accepted a message.
        """
        if number in self._unanswered:
            self._unanswered.discard(number)
            self.answered += 1

    def reject(self, number: int, code: str) -> None:
        """
        Record a rejection: the message need not arrive, but may if its fate was
        unknown.
        """
        if number in self._unanswered:
            self.accept(number)
            self.codes[code] += 1
            self._rejected(number)

    def totals(self) -> Totals:
        """
        Return the present totals.
        """
        return Totals(
            sent=self.sent,
            accepted=self.answered - sum(self.codes.values()),
            rejected=dict(self.codes),
            unanswered=len(self._unanswered),
            lost=self.lost,
            doubled=self.doubled,
            unordered=self.unordered,
            holes=self.holes,
        )


class Account(SendAccount):
    """
    The messages of one sender to one recipient.
    """

    __slots__ = ("_given_up", "_holes", "_last", "_seq")

    def __init__(self) -> None:
        super().__init__()
        self._given_up: set[int] = set()
        self._holes = 0
        self._last = -1
        self._seq = 0

    def _rejected(self, number: int) -> None:
        if number in self._due:
            self._given_up.add(number)
            self.arrived += 1

    def deliver(self, number: int, seq: int) -> float | None:
        """
        Record a delivery.

        @param seq: its number in the conversation.
        @return: the time when it was due; L{None} if it does not count, as it was
            delivered or rejected before.
        """
        at_s = self._due.pop(number, None)
        if at_s is None:
            self.doubled += 1
            return None
        if number < self._last:
            self.unordered += 1
        else:
            self._last = number
        if seq > self._seq:
            if self._seq:
                self._holes += seq - self._seq - 1
            self._seq = seq
        if number in self._given_up:
            self._given_up.discard(number)
            return None
        self.arrived += 1
        return at_s

    @property
    def settled(self) -> bool:
        return not self._unanswered and len(self._due) == len(self._given_up)

    @property
    def lost(self) -> int:
        return len(self._due.keys() - self._given_up - self._unanswered)

    @property
    def holes(self) -> int:
        return self._holes


class Totals(msgspec.Struct):
    """
    The totals of a load.

    @ivar rejected: number of rejections by code.
    @ivar unanswered: neither accepted nor rejected when the load ended.
    @ivar lost: accepted, and not delivered when the load ended.
    @ivar doubled: delivered again.
    @ivar unordered: delivered after a later message of the same sender.
    @ivar holes: numbers skipped in conversations.
    """

    sent: int = 0
    accepted: int = 0
    rejected: dict[str, int] = {}
    unanswered: int = 0
    lost: int = 0
    doubled: int = 0
    unordered: int = 0
    holes: int = 0


def total(accounts: Sequence[SendAccount]) -> Totals:
    """
    Return the totals of all pairs together.
    """
    result = Totals()
    codes: Counter[str] = Counter()
    for one in (account.totals() for account in accounts):
        for name in ("sent", "accepted", "unanswered", "lost"):
            setattr(result, name, getattr(result, name) + getattr(one, name))
        for name in ("doubled", "unordered", "holes"):
            setattr(result, name, getattr(result, name) + getattr(one, name))
        codes.update(one.rejected)
    result.rejected = dict(codes)
    return result


class Percentiles(msgspec.Struct):
    """
    Percentiles of latencies, in milliseconds.
    """

    count: int = 0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    max: float = 0.0


def percentile(ordered: Sequence[float], share: float) -> float:
    """
    Return the smallest value that at least C{share} of the values do not exceed (the
    nearest rank): always a measured value.

    @param ordered: rising, not empty.
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(seconds: array[float]) -> Percentiles:
    """
    Return the percentiles of latencies in seconds.
    """
    if not seconds:
        return Percentiles()
    ordered = sorted(seconds)
    p50, p90, p99 = (
        round(percentile(ordered, share) * 1000, 3) for share in (0.5, 0.9, 0.99)
    )
    return Percentiles(
        count=len(ordered), p50=p50, p90=p90, p99=p99, max=round(ordered[-1] * 1000, 3)
    )
