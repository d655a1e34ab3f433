"""
The audit: a line in the log for each call of HTTP that changes something.

The lines have the namespace C{wsmsg.audit} and the same fields always: C{key},
C{address}, C{call}, C{object}, C{result} and C{code}.  What was refused is gathered
where one address causes many lines; what was done, or may have been done, is not.
"""

from __future__ import annotations

import re
from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wsmsg.http.changes import LEFT, Change
from wsmsg.monitoring.repeats import Repeats
from wsmsg.text.counted import plural
from wsmsg.text.escape import harmless

#: The namespace of the lines.
NAMESPACE = "wsmsg.audit"
#: Refused calls of one address, and of all, that have lines of their own in a window.
FIRST = 10
_LINES = 600

_VALUE_CHARACTERS = 80
_PLAIN = re.compile(r"[A-Za-z0-9._:@+-]+")


class AuditLog:
    """
    Writes the audit of one daemon.
    """

    def __init__(self, clock: IReactorTime) -> None:
        # As an attribute of the class, the logger would take the name of the class.
        self._log = Logger(namespace=NAMESPACE)
        self._repeats = Repeats(clock, self._log_sum, first=FIRST, lines=_LINES)
        self.stop = self._repeats.stop

    def __call__(self, change: Change) -> None:
        """
        Write the line of a change (L{wsmsg.http.changes.Audit}).
        """
        if _is_refused(change.result) and not self._repeats.allow(change.address):
            return
        self._log.info(
            "{key} of {address}: {call}: {object}: {result} {code}",
            key=change.key,
            address=change.address,
            call=change.call,
            object=" ".join(f"{k}={_value(v)}" for k, v in change.objects.items())
            or "-",
            result=change.result,
            code=change.code,
        )

    def _log_sum(self, cause: Hashable, more: int, seconds: float) -> None:
        self._log.info(
            "{address}: {more:,} more {noun} refused in {seconds:.0f} s",
            address="other addresses" if cause is None else cause,
            more=more,
            noun=plural(more, "call that was", "calls that were"),
            seconds=seconds,
        )


def _is_refused(status: int) -> bool:
    """
    Return whether a call with this status has changed nothing.
    """
    return 400 <= status < LEFT or status == 503


def _value(value: object) -> str:
    """
    Return a value as one word, or in quotes.
    """
    text = harmless(str(value)[:_VALUE_CHARACTERS])
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
