"""
What a deployed client is given: each message once, in the order of its conversation.

The client keeps no numbers, so they are kept here for it.  A message whose number is
the next goes to it as it was pushed.  Anything else makes its conversation I{wanted}:
what is missing is read page by page, as fast as the client takes it, and what is
pushed meanwhile is found there in its turn::

    pushed, the next number ----------------------------> the client
    pushed, after a gap; or the client is slow --> wanted --pages-->
    resync --> conversations that changed -------> wanted --pages-->
    connect, with legacy.redeliver --------------> unread --pages-->   (before all else)

What it must not get (events, its own words, what was recalled) only moves the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.legacy.clients.counters import LegacyCounters
from wsmsg.connect.legacy.clients.outbox import LegacyOutbox
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.dedup import SEEN
from wsmsg.connect.session.framing import framed
from wsmsg.connect.session.registry import deliver
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.model import ConversationHead, Message
from wsmsg.protocol.legacy import CODEC

#: Messages given of late whose places are remembered, for acknowledgements.
RECENT = 256

#: Of a conversation that was not heard of since connecting, so many of the last
#: messages are looked at after a loss.
_LOOK_BACK = 1000

#: What may be older than the connection by its clock, and newer by Message's.
_SKEW_MS = 1000

#: Attempts to read something, by the retry policy; then it is given up, which takes
#: most of a minute by its defaults.
_ATTEMPTS = 30

#: The two bytes of a header before nothing: what this client is not to have.
_NOTHING = 2


class FeedReader(Protocol):
    """
    The session, as its feed sees it.
    """

    user: int
    closed: bool
    known: bool
    opened_s: float
    node: SessionContext
    outbox: LegacyOutbox

    def tell(self, data: bytes, shed: bool) -> bool:
        """Give the client framed bytes, if it takes them."""

    def feed_later(self) -> None:
        """Have C{go_on} called after the delay of the retry policy."""

    def feed_broke(self, failure: Failure) -> None:
        """A bug of ours."""


class LegacyFeed:
    """
    Of one client.

    @ivar base: where conversations were when the client connected, as far as known.
    @ivar failures: attempts to read that failed in a row.
    """

    __slots__ = (
        "_after",
        "_counters",
        "_floors",
        "_last",
        "_missed",
        "_reader",
        "_reading",
        "_recent",
        "_unread",
        "_wanted",
        "base",
        "failures",
    )

    _log = Logger()

    def __init__(
        self, reader: FeedReader, counters: LegacyCounters, *, redeliver: bool
    ) -> None:
        self._counters = counters
        self.base: dict[str, int] = {}
        self._reader = reader
        self._last: dict[str, int] = {}
        self._wanted: dict[str, int] = {}
        self._floors: dict[str, int] = {}
        self._recent: dict[int, tuple[str, int]] = {}
        self._unread = redeliver
        self._after = 0
        self._missed = False
        self._reading = False
        self.failures = 0

    # --------------------------------------------------------------- pushed

    def push(self, conversation: str, seq: int, data: bytes) -> None:
        """
        A message was pushed: the client is given it, now or in its turn.

        @param data: framed bytes.
        """
        last = self._last.get(conversation)
        if last is not None and seq <= last:
            self._reader.node.registry.counts.repeats += 1
        elif (
            self._unread
            or conversation in self._wanted
            or (last is not None and seq > last + 1)
            or not self._give(conversation, seq, data)
        ):
            if last is None:
                self._note(conversation, seq - 1)
            self._want(conversation, seq)
            self.go_on()

    def resync(self) -> None:
        """
        What was pushed may be incomplete: look what there is.
        """
        self._missed = True
        self.failures = 0
        self.go_on()

    def told(self, message_id: int) -> None:
        """
        The client was told something with this id that nobody has to know it has seen.
        """
        self._remember(message_id, "", -1)

    def place_of(self, message_id: int) -> tuple[str, int] | None:
        """
        Conversation and number of a message that was given of late, below zero for
        what L{told} says; it is acknowledged once.
        """
        return self._recent.pop(message_id, None)

    def _give(self, conversation: str, seq: int, data: bytes) -> bool:
        if len(data) > _NOTHING:
            if not self._reader.tell(data, shed=False):
                return False
            self._reader.node.registry.counts.pushed += 1
            self._remember(_message_id(data), conversation, seq)
        self._note(conversation, seq)
        return True

    def _remember(self, message_id: int, conversation: str, seq: int) -> None:
        self._recent[message_id] = (conversation, seq)
        if len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]

    def _note(self, conversation: str, seq: int) -> None:
        # Taken out and put back: the dict's order is that of use.
        before = self._last.pop(conversation, 0)
        self._last[conversation] = max(before, seq)
        if len(self._last) > SEEN:
            del self._last[next(iter(self._last))]

    def _want(self, conversation: str, seq: int) -> None:
        if conversation not in self._wanted and len(self._wanted) >= SEEN:
            self._missed = True
            return
        self._wanted[conversation] = max(seq, self._wanted.get(conversation, 0))

    # ----------------------------------------------------------------- read

    def go_on(self) -> None:
        """
        Read what is missing, if anything is, and the client takes it.
        """
        if self._reading or not self._is_due():
            return
        self._reading = True
        Deferred.fromCoroutine(self._read()).addErrback(self._reader.feed_broke)

    def _is_due(self) -> bool:
        reader = self._reader
        wants = bool(self._unread or self._missed or self._wanted)
        return wants and reader.known and reader.outbox.is_idle

    async def _read(self) -> None:
        try:
            while self._is_due():
                if self._unread:
                    await self._read_unread()
                elif self._wanted:
                    await self._read_on(next(iter(self._wanted)))
                else:
                    await self._look_around()
                self.failures = 0
        except WsmsgError as e:
            self._failed(e)
        finally:
            self._reading = False

    def _failed(self, error: WsmsgError) -> None:
        self.failures += 1
        if error.retry and self.failures < _ATTEMPTS:
            self._reader.feed_later()
            return
        self.failures = 0
        self._log.warn(
            "messages for deployed client {user} cannot be read: {code} {reason}",
            user=self._reader.user,
            code=error.code,
            reason=error.reason,
        )
        if self._unread:
            self._unread = False
        elif self._wanted:
            conversation, seq = next(iter(self._wanted.items()))
            missed = seq - self._last.get(conversation, seq - 1)
            self._counters.missed += missed
            self._reached(conversation, seq)
        else:
            self._missed = False
        self._reader.feed_later()

    async def _read_unread(self) -> None:
        reader = self._reader
        messages, _, more = await reader.node.upstream.reads.unread(
            reader.user, self._after, reader.node.limits.page
        )
        for message in self._fitting(messages):
            if not self._give_read(message):
                return
            self._after = message.message_id
        if not messages or (not more and self._after >= messages[-1].message_id):
            self._unread = False

    async def _read_on(self, conversation: str) -> None:
        reader = self._reader
        wanted = self._wanted[conversation]
        after = self._last.get(conversation, wanted - 1)
        messages, head, more = await reader.node.upstream.reads.page(
            reader.user, conversation, after, reader.node.limits.page
        )
        floor = self._floors.get(conversation, 0)
        fitting = self._fitting(messages)
        for message in fitting:
            if message.time_ms < floor:
                self._note(conversation, message.seq)
            elif not self._give_read(message):
                return
        if len(fitting) < len(messages) or (more and messages):
            return
        # What is not in the pages up to here is not for this user.
        if head < wanted:
            raise Unavailable("what was pushed is not in the store yet")
        self._reached(conversation, wanted)

    def _reached(self, conversation: str, seq: int) -> None:
        self._note(conversation, seq)
        if self._wanted.get(conversation, 0) <= self._last[conversation]:
            self._wanted.pop(conversation, None)
            self._floors.pop(conversation, None)

    def _give_read(self, message: Message) -> bool:
        data = framed(CODEC, CODEC.encode(deliver(message, self._reader.user)))
        return self._give(message.conversation, message.seq, data)

    def _fitting(self, messages: Sequence[Message]) -> Sequence[Message]:
        """
        As many of the first as the client may be given at once, and at least one.
        """
        size, limit = 0, self._reader.node.limits.outbox_soft_bytes
        for i, message in enumerate(messages):
            size += 64 + len(message.content)
            if size > limit and i:
                return messages[:i]
        return messages

    # ---------------------------------------------------------- what changed

    async def _look_around(self) -> None:
        self._missed = False
        reader, after = self._reader, ""
        since_ms = opened_ms = int(reader.opened_s * 1000) - _SKEW_MS
        try:
            while not reader.closed:
                rows, more = await reader.node.upstream.reads.heads(
                    reader.user, since_ms, reader.node.limits.page, after
                )
                for row in rows:
                    self._compare(row, opened_ms)
                if not more or not rows:
                    break
                since_ms, after = rows[-1].time_ms, rows[-1].conversation
        except WsmsgError:
            self._missed = True
            raise

    def _compare(self, row: ConversationHead, opened_ms: int) -> None:
        conversation = row.conversation
        last = self._last.get(conversation, self.base.get(conversation))
        if last is None:
            last = max(0, row.head - _LOOK_BACK)
            if row.head > last:
                self._floors[conversation] = opened_ms
        if row.head > last:
            self._note(conversation, last)
            self._want(conversation, row.head)


def _message_id(data: bytes) -> int:
    """
    The C{message_id} of a framed C{WSMessage}: its first field.
    """
    size = data[1]
    at = 3 if size < 126 else 5 if size == 126 else 11
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7
        at += 1
