"""
The gate of ingress: closed while no message must be accepted, though the journal would
take it.

Whoever finds a cause closes the gate by the name of the cause, with a reason, and opens
it when the cause has passed.  The gate is open while no cause closes it; ingress looks
at it once for each new message.
"""

from __future__ import annotations

from collections import Counter

import attrs

from wsmsg.dependency.alarms import Alarms
from wsmsg.errors import Unavailable
from wsmsg.monitoring.metrics import Metrics

#: The time after which a refused send should be repeated.
RETRY_AFTER_MS = 2000


@attrs.define
class IntakeGate:
    """
    Closes the intake of messages, and raises an alarm for each cause.

    @ivar closed: whether new messages are refused.
    @ivar refused: the number of refused messages, by cause.
    """

    alarms: Alarms = attrs.field(factory=Alarms)
    closed: bool = False
    refused: Counter[str] = attrs.field(factory=Counter)
    _causes: dict[str, str] = attrs.field(factory=dict)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the metric of the refused messages.
        """
        metrics.counters(
            "wsmsg_message_gate_refused",
            "Sends refused while an alarm stops the intake of messages",
            label="alarm",
            read=lambda: self.refused,
        )

    def set(self, cause: str, reason: str) -> None:
        """
        Close the gate for a reason; open it, as far as this cause is concerned, if the
        reason is empty.
        """
        self.set_without_alarm(cause, reason)
        self.alarms.set(cause, f"{reason}: messages are refused" if reason else "")

    def set_without_alarm(self, cause: str, reason: str) -> None:
        """
        As L{set}, for a cause that passes when Message is ready.
        """
        if reason:
            self._causes[cause] = reason
        else:
            self._causes.pop(cause, None)
        self.closed = bool(self._causes)

    def closed_by(self, cause: str) -> bool:
        """
        Return whether this cause closes the gate.
        """
        return cause in self._causes

    def refusal(self) -> Unavailable:
        """
        Count a refused message, and return the error for it.
        """
        cause, reason = next(iter(self._causes.items()))
        self.refused[cause] += 1
        return Unavailable(reason, RETRY_AFTER_MS)
