"""
What was sent, what was answered, what arrived: the books of the load.
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

    @ivar sent: how many were sent.
    @ivar answered: how many were accepted or rejected.
    @ivar arrived: how many were delivered, and those rejected that never will be.
    @ivar doubled: deliveries of what was delivered before.
    @ivar unordered: first deliveries after a later message's.
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
        How many of the window are taken: not answered or not delivered.
        """
        return self.sent - min(self.answered, self.arrived)

    def send(self, at_s: float) -> int:
        """
        One more is sent, due at this time.

        @return: its number.
        """
        number = self.sent
        self.sent = number + 1
        self._underway[number] = at_s
        self._unanswered.add(number)
        return number

    def accept(self, number: int) -> None:
        """
        The server accepted it.
        """
        if number in self._unanswered:
            self._unanswered.discard(number)
            self.answered += 1

    def reject(self, number: int, code: str) -> None:
        """
        The server refused it: it need not arrive, but may, if it was in doubt.
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
        It arrived.

        @param seq: its number in the conversation.
        @return: when it was due; L{None}: it counts for nothing, for it was
            delivered or rejected before.
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
        Whether nothing more is to be waited for.
        """
        return not self._unanswered and len(self._underway) == len(self._rejected)

    def totals(self) -> Totals:
        """
        The books as they are now.
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
    What a load needs to know of what was sent.
    """

    @property
    def in_flight(self) -> int:
        """
        How many of the window are taken.
        """

    @property
    def settled(self) -> bool:
        """
        Whether nothing more is to be waited for.
        """

    def send(self, at_s: float) -> int:
        """
        One more is sent, due at this time.

        @return: its number.
        """

    def reject(self, number: int, code: str) -> None:
        """
        The server refused it.
        """

    def totals(self) -> Totals:
        """
        The books as they are now.
        """


class Totals(msgspec.Struct):
    """
    What became of all messages of a load.

    @ivar rejected: how many by code.
    @ivar unanswered: neither accepted nor rejected when the load ended.
    @ivar lost: accepted, and not delivered when the load ended.
    @ivar doubled: delivered again.
    @ivar unordered: delivered after a later one of the same sender.
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
    The books of all pairs together.
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
    How latencies lie, in milliseconds.
    """

    count: int = 0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    max: float = 0.0


def percentile(ordered: Sequence[float], share: float) -> float:
    """
    The smallest of the values that at least C{share} of them do not exceed (the
    nearest rank): always a value that was measured.

    @param ordered: rising, not empty.
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(seconds: array[float]) -> Percentiles:
    """
    The percentiles of what was measured in seconds.
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
