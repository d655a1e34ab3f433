"""
Accounts of a load: messages that were sent, answered and delivered.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import msgspec


class Account:
    """
    The messages of one sender to one recipient, by number.

    @ivar sent: messages that were sent.
    @ivar answered: messages that were accepted or rejected.
    @ivar arrived: messages that were delivered, or rejected for good.
    @ivar doubled: deliveries of a message that was delivered before.
    @ivar unordered: first deliveries after that of a later message.
    @ivar holes: numbers that the conversation skipped.
    """

    __slots__ = (
        "_last",
        "_rejected",
        "_seq",
        "_unanswered",
        "_underway",
        "answered",
        "arrived",
        "codes",
        "doubled",
        "holes",
        "sent",
        "unordered",
    )

    def __init__(self) -> None:
        self.sent = self.answered = self.arrived = 0
        self.doubled = self.unordered = self.holes = 0
        self.codes: Counter[str] = Counter()
        self._underway: dict[int, float] = {}
        self._unanswered: set[int] = set()
        self._rejected: set[int] = set()
        self._last = -1
        self._seq = 0

    @property
    def in_flight(self) -> int:
        """
        Return the number of messages in flight: not answered or not delivered.
        """
        return self.sent - min(self.answered, self.arrived)

    def send(self, at_s: float) -> int:
        """
        Record a send, due at this time.

        @return: its number.
        """
        number = self.sent
        self.sent = number + 1
        self._underway[number] = at_s
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
        if number not in self._unanswered:
            return
        self._unanswered.discard(number)
        self.answered += 1
        self.codes[code] += 1
        if number in self._underway:
            self._rejected.add(number)
            self.arrived += 1

    def deliver(self, number: int, seq: int) -> float | None:
        """
        Record a delivery.

        @param seq: its number in the conversation.
        @return: the time when it was due; L{None} if it does not count, as it was
        delivered
            or rejected before.
        """
        at_s = self._underway.pop(number, None)
        if at_s is None:
            self.doubled += 1
            return None
        if number < self._last:
            self.unordered += 1
        else:
            self._last = number
        if seq > self._seq:
            if self._seq:
                self.holes += seq - self._seq - 1
            self._seq = seq
        if number in self._rejected:
            self._rejected.discard(number)
            return None
        self.arrived += 1
        return at_s

    @property
    def settled(self) -> bool:
        """
        Return whether there is nothing left to wait for.
        """
        return not self._unanswered and len(self._underway) == len(self._rejected)

    def totals(self) -> Totals:
        """
        Return the present totals.
        """
        underway = self._underway.keys() - self._rejected
        unanswered = len(self._unanswered)
        return Totals(
            sent=self.sent,
            accepted=self.answered - sum(self.codes.values()),
            rejected=dict(self.codes),
            unanswered=unanswered,
            lost=len(underway - self._unanswered),
            doubled=self.doubled,
            unordered=self.unordered,
            holes=self.holes,
        )


class Ledger(Protocol):
    """
    The accounts that a load needs while it runs.
    """

    @property
    def in_flight(self) -> int:
        """
        Return the number of messages in flight.
        """

    @property
    def settled(self) -> bool:
        """
        Return whether there is nothing left to wait for.
        """

    def send(self, at_s: float) -> int:
        """
        Record a send, due at this time.

        @return: its number.
        """

    def reject(self, number: int, code: str) -> None:
        """
        Record a rejection.
        """

    def totals(self) -> Totals:
        """
        Return the present totals.
        """


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


def total(accounts: Sequence[Ledger]) -> Totals:
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
