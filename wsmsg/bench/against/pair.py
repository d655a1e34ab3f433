"""
Load of a sender and a recipient at another system.
"""

from __future__ import annotations

from wsmsg.bench.against.interface import User
from wsmsg.bench.load.pairs import Clock, OneToOne


class ForeignPair(OneToOne):
    """
    A sender and a recipient, who have met.
    """

    def __init__(self, sender: User, recipient: User, clock: Clock, window: int):
        super().__init__(window, clock)
        self._sender = sender
        self._recipient = recipient
        sender.join(self)
        recipient.join(self)

    def _write(self, numbers: list[int]) -> None:
        self._sender.send(numbers)

    def accepted(self, number: int) -> None:
        """
        Record that the server confirmed a message.
        """
        self.account.accept(number)

    def delivered(self, number: int, seq: int) -> None:
        """
        Record that a message arrived.
        """
        self.arrived(number, seq)

    def report_progress(self) -> None:
        self._recipient.report_progress()
