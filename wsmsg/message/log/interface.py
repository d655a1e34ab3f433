"""
The interface of the log: whatever makes messages durable, numbers and delivers them.

There are two.  With a journal (L{wsmsg.message.log.journaled}), a message is accepted
when the journal has it, and is numbered, stored and pushed later.  Without one
(L{wsmsg.message.delivery.store_log}), one transaction of the store makes it durable,
decides about its identity and numbers it, and it is accepted and pushed at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, Interface

from wsmsg.errors import WsmsgError
from wsmsg.message.journal.interface import IDeadLetters
from wsmsg.model import Message, MessageIdentity
from wsmsg.monitoring.measures.histogram import Histogram
from wsmsg.settings.values import MessageSettings


@attrs.frozen
class Appended:
    """
    The result of adding messages.

    @ivar stored: by identity, messages that the store has: those that it had before,
        and perhaps those that were added.
    @ivar problem: why the messages that are not in C{stored} may not be durable;
        L{None}: they are.
    @ivar refused: by identity, the errors of messages that the store can never take.
    """

    stored: Mapping[MessageIdentity, Message]
    problem: WsmsgError | None
    refused: Mapping[MessageIdentity, WsmsgError] = attrs.field(factory=dict)


@attrs.frozen
class LogTimings:
    """
    The durations of the steps of a log.

    @ivar durable: of each message, from its arrival until it is durable.
    @ivar stored: of each message, from its arrival until it is stored.
    @ivar append: of each append to a journal; there are none without a journal.
    @ivar store_batch: of each batch that the store takes.
    """

    durable: Histogram = attrs.Factory(Histogram)
    stored: Histogram = attrs.Factory(Histogram)
    append: Histogram = attrs.Factory(Histogram)
    store_batch: Histogram = attrs.Factory(Histogram)


class IAppends(Interface):
    """
    The log as those see it who add messages.
    """

    clock: IReactorTime = Attribute("For durations.")
    content_bytes: int = Attribute("The longest content of a message, in bytes.")
    apart: bool = Attribute("Whether each message is to be added alone.")
    decides: bool = Attribute(
        "Whether a result says for certain that a message is new; if not, another "
        "record of its identity may be stored before it."
    )

    def add(messages: Sequence[Message]) -> Deferred[Appended]:
        """
        Make messages durable, in the order of the calls.  Each of one call has another
        identity.

        @return: a Deferred that fires when the messages are durable, or when it is
            uncertain that they are.  It never fails.
        """

    def may_be_unstored() -> bool:
        """
        Return whether the store may lack messages that were accepted before this
        Message began.
        """


class IMessageLog(IAppends, IDeadLetters):
    """
    The log: its parts, its life, and what it reports.

    The numbers of L{IMessageLog.counts} are those of
    L{wsmsg.message.journal.interface.IJournal.counts}; without a journal, all messages
    are in one partition, and have been read.
    """

    retention_s: float = Attribute(
        "The seconds after which accepted messages are lost, stored or not; 0: never."
    )
    timings: LogTimings = Attribute("The durations of the steps.")
    read: int = Attribute("The records that were read from a journal.")
    dead_lettered: Mapping[str, int] = Attribute(
        "The records that became dead letters, by kind."
    )
    unsettled: int = Attribute("The messages that are not settled.")

    def start() -> None:
        """
        Begin to make messages durable, and to deliver them.
        """

    def stop() -> Awaitable[None]:
        """
        Finish what is under way.  The store must be open still.
        """

    def apply_settings(settings: MessageSettings) -> None:
        """
        Apply the limits of batches, and the longest time for a step.
        """

    def caught_up() -> Deferred[None]:
        """
        @return: a Deferred that fires when all messages are stored and settled.
        """

    def stalled() -> str:
        """
        Return the step that stands still, in a sentence; empty if none does.  Called
        once a second.
        """

    def oldest_unstored_s() -> float:
        """
        Return the age of the oldest message that is accepted and not stored, as far as
        this Message knows it; 0: there is none.
        """

    def oldest_unsettled_s() -> float:
        """
        Return for how long the oldest message has not been settled; 0: there is none.
        """

    def counts() -> Mapping[str, int]:
        """
        Return the numbers of messages on their way.
        """
