"""
The feed of a legacy client: each message once, in the order of its conversation.

A legacy client tracks no seqs, so Connect does it.  A pushed message with the next seq
goes straight to the client.  Otherwise its conversation becomes I{wanted}: the feed
reads the missing messages page by page, as fast as the client takes them.  Messages
that are pushed meanwhile are on these pages::

    pushed, the next seq ----------------------------> the client
    pushed, after a gap, or to a slow client ---> wanted --pages-->
    resync --> conversations that changed ------> wanted --pages-->
    connect, with legacy.redeliver -------------> unread --pages-->   (before all else)

Messages that a legacy client does not get (events, the user's own, recalled ones) only
advance the seq.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.connect.legacy.clients.counters import LegacyClientCounters
from wsmsg.connect.legacy.clients.outbox import LegacyOutbox
from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.output import SEEN, framed
from wsmsg.connect.session.registry import to_deliver
from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.legacy.codec import CODEC, encode_message
from wsmsg.model import ConversationHead, Message

#: Recent messages whose conversation and seq are kept, for acknowledgements.
RECENT = 256

#: The last messages that are read after a loss, in a conversation that the feed has
#: not seen since the client connected.
_LOOK_BACK = 1000

#: The maximum difference between the clocks of Connect and Message.
_SKEW_MS = 1000

#: Attempts to read something, by the retry policy, after which the feed gives up.  With
#: the default policy they take most of a minute.
_ATTEMPTS = 30

#: The size of an empty message: the two bytes of its header.  The codec encodes a
#: message that a legacy client must not get as empty.
_NOTHING = 2


class FeedReader(Protocol):
    """
    The session, as its feed sees it.
    """

    user: int
    closed: bool
    welcomed: bool
    opened_ms: int
    context: SessionContext
    outbox: LegacyOutbox

    def notify(self, data: bytes, shed: bool) -> bool:
        """Send framed bytes; return whether they were accepted."""

    def feed_later(self) -> None:
        """Have L{LegacyFeed.resume} called after the delay of the retry policy."""

    def feed_failed(self, failure: Failure) -> None:
        """End the session because of a bug."""


class LegacyFeed:
    """
    The messages of one legacy client.

    @ivar failures: the number of attempts to read that failed in a row.
    """

    __slots__ = (
        "_base",
        "_counters",
        "_floors",
        "_given",
        "_last",
        "_missed",
        "_position",
        "_reader",
        "_reading",
        "_recent",
        "_unread",
        "_unread_at",
        "_wanted",
        "failures",
    )

    _log = Logger()

    def __init__(
        self, reader: FeedReader, counters: LegacyClientCounters, *, redeliver: bool
    ) -> None:
        self._base: dict[str, int] = {}
        self._counters = counters
        self._reader = reader
        self._last: dict[str, int] = {}
        self._wanted: dict[str, int] = {}
        self._floors: dict[str, int] = {}
        self._recent: dict[int, tuple[str, int]] = {}
        self._unread = redeliver
        self._unread_at = ""
        self._given: dict[str, int] = {}
        self._missed = False
        self._position = ""
        self._reading = False
        self.failures = 0

    # --------------------------------------------------------------- pushed

    def begin(self, position: str) -> None:
        """
        Read later what changed since this position, that of the welcome.
        """
        self._position = position

    def push(self, conversation: str, seq: int, data: bytes) -> None:
        """
        Give the client a pushed message, now or in its turn.

        @param data: framed bytes.
        """
        last = self._last.get(conversation)
        if last is not None and seq <= last:
            self._reader.context.registry.counters.repeats += 1
        elif (
            self._unread
            or conversation in self._wanted
            or (last is not None and seq > last + 1)
            or not self._give(conversation, seq, data)
        ):
            if last is None:
                self._note(conversation, seq - 1)
            self._want(conversation, seq)
            self.resume()

    def resync(self) -> None:
        """
        Read what was missed: pushes may have been lost.
        """
        self._missed = True
        self.failures = 0
        self.resume()

    def note_head(self, conversation: str, head: int) -> None:
        """
        Note the last seq of a conversation at the time when the client connected.
        """
        self._base[conversation] = head

    def note_unmarked(self, message_id: int) -> None:
        """
        Note that the client was sent something with this id, whose acknowledgement is
        not to be passed on.
        """
        self._remember(message_id, "", -1)

    def pop_place(self, message_id: int) -> tuple[str, int] | None:
        """
        Return conversation and seq of a recent message, once: it is acknowledged once.
        The seq is negative for what L{note_unmarked} noted.
        """
        return self._recent.pop(message_id, None)

    def _give(self, conversation: str, seq: int, data: bytes) -> bool:
        if len(data) > _NOTHING:
            if not self._reader.notify(data, shed=False):
                return False
            self._reader.context.registry.counters.pushed += 1
            self._remember(_message_id(data), conversation, seq)
        self._note(conversation, seq)
        return True

    def _remember(self, message_id: int, conversation: str, seq: int) -> None:
        self._recent[message_id] = (conversation, seq)
        if len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]

    def _note(self, conversation: str, seq: int) -> None:
        # Popping first moves the key to the end: the order of the dict is that of use.
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

    def resume(self) -> None:
        """
        Read the missing messages, if there are any and the client takes them.
        """
        if self._reading or not self._wants_pages():
            return
        self._reading = True
        Deferred.fromCoroutine(self._read()).addErrback(self._reader.feed_failed)

    def _wants_pages(self) -> bool:
        reader = self._reader
        wants = bool(self._unread or self._missed or self._wanted)
        return wants and reader.welcomed and reader.outbox.is_idle

    async def _read(self) -> None:
        try:
            while self._wants_pages():
                if self._unread:
                    await self._read_unread()
                elif self._wanted:
                    await self._read_wanted(next(iter(self._wanted)))
                else:
                    await self._read_heads()
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
            "messages for legacy client {user} cannot be read: {code} {reason}",
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
        page = await reader.context.upstream.reads.unread(
            reader.user, self._unread_at, reader.context.limits.page
        )
        # A page is read again while the client has not taken all of it, and a
        # conversation that changes comes once more.
        given = self._given
        left = [m for m in page.messages if m.seq > given.get(m.conversation, 0)]
        fitting = self._fitting(left)
        for message in fitting:
            if not self._give_read(message):
                return
            given[message.conversation] = message.seq
            if len(given) > SEEN:
                del given[next(iter(given))]
        if len(fitting) == len(left):
            self._unread_at, self._unread = page.position, page.more

    async def _read_wanted(self, conversation: str) -> None:
        reader = self._reader
        wanted = self._wanted[conversation]
        after = self._last.get(conversation, wanted - 1)
        page = await reader.context.upstream.reads.page(
            reader.user, conversation, after, reader.context.limits.page
        )
        messages = page.messages
        floor = self._floors.get(conversation, 0)
        fitting = self._fitting(messages)
        for message in fitting:
            if message.time_ms < floor:
                self._note(conversation, message.seq)
            elif not self._give_read(message):
                return
        if len(fitting) < len(messages) or (page.more and messages):
            return
        # Messages up to here that are in no page are not for this user.
        if page.head < wanted:
            raise Unavailable("a pushed message is not in the store yet")
        self._reached(conversation, wanted)

    def _reached(self, conversation: str, seq: int) -> None:
        self._note(conversation, seq)
        if self._wanted.get(conversation, 0) <= self._last[conversation]:
            self._wanted.pop(conversation, None)
            self._floors.pop(conversation, None)

    def _give_read(self, message: Message) -> bool:
        frame = to_deliver(message, self._reader.user)
        data = framed(CODEC, encode_message(frame, message.extra))
        return self._give(message.conversation, message.seq, data)

    def _fitting(self, messages: Sequence[Message]) -> Sequence[Message]:
        """
        Return the first messages that the client may be given at once, at least one.
        """
        size, limit = 0, self._reader.context.limits.outbox_soft_bytes
        for i, message in enumerate(messages):
            size += 64 + len(message.content)
            if size > limit and i:
                return messages[:i]
        return messages

    # ---------------------------------------------------------- what changed

    async def _read_heads(self) -> None:
        self._missed = False
        reader, position = self._reader, self._position
        opened_ms = reader.opened_ms - _SKEW_MS
        try:
            while not reader.closed:
                page = await reader.context.upstream.reads.heads(
                    reader.user, position, reader.context.limits.page, continued=True
                )
                for row in page.heads:
                    self._compare(row, opened_ms)
                position = page.position
                if not page.more:
                    self._position = position
                    break
        except WsmsgError:
            self._missed = True
            raise

    def _compare(self, row: ConversationHead, opened_ms: int) -> None:
        conversation = row.conversation
        last = self._last.get(conversation, self._base.get(conversation))
        if last is None:
            last = max(0, row.head - _LOOK_BACK)
            if row.head > last:
                self._floors[conversation] = opened_ms
        if row.head > last:
            self._note(conversation, last)
            self._want(conversation, row.head)


def _message_id(data: bytes) -> int:
    """
    Return the C{message_id} of a framed C{WSMessage}: its first field.
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
