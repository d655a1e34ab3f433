"""
The traces of a Message, as its other packages see them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from wsmsg.errors import WsmsgError
from wsmsg.model import Message, MessageIdentity


class AddResult(Protocol):
    """
    The result of adding messages: L{wsmsg.message.log.interface.Appended}.
    """

    @property
    def stored(self) -> Mapping[MessageIdentity, Message]: ...

    @property
    def problem(self) -> WsmsgError | None: ...

    @property
    def refused(self) -> Mapping[MessageIdentity, WsmsgError]: ...


R = TypeVar("R", bound=AddResult)


class IMessageTraces(Protocol):
    """
    Makes the spans of messages on their way.  A span is the parent of the next one: so
    each stage gives the messages that are traced on with another C{traceparent}.
    """

    def now_ns(self) -> int:
        """
        Return unix nanoseconds.
        """

    def appends(
        self, add: Callable[[Sequence[Message]], Deferred[R]]
    ) -> Callable[[Sequence[Message]], Deferred[R]]:
        """
        Return what adds messages to the log, and makes the spans of that.
        """

    def appended(self, batches: Sequence[Sequence[Message]], start_ns: int) -> None:
        """
        Make the span of a batch of records that the journal has.
        """

    def stored(self, messages: Sequence[Message], start_ns: int) -> list[Message]:
        """
        Make the spans of messages that are stored, and that of their batch.

        @return: all of them.
        """

    def pushed(
        self, messages: Sequence[Message], settled: Callable[[], object]
    ) -> tuple[Sequence[Message], Callable[[], object]]:
        """
        Begin the spans of messages that are pushed.

        @return: all of them, and what is to be called once they are settled.
        """
