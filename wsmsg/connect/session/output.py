"""
Output of a session: replies, and pushes: none twice, and none before the welcome.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from itertools import chain, islice

from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.session.outbox import Outbox, PreWelcomeBuffer, digest
from wsmsg.errors import Close, Fault
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import Head, Resync, ServerFrame, Welcome
from wsmsg.settings.values import LimitSettings

#: Conversations for which a session remembers the highest delivered seq.
SEEN = 1000
#: Conversations without a push whose head a session remembers that it told the client.
TOLD = 32
#: Messages without a seq that a session remembers.
SEEN_DATA = 1000


class DeliveredSeqs:
    """
    The highest seq delivered to a session, per conversation (bounded, LRU), and the
    heads that the client was told.

    A message without a seq is recognized by a digest of its bytes, because a Message
    that assigns no seqs does not assign unique ids either.

    @param before: seqs that recognise repeats, and say nothing of what is missing.
    """

    __slots__ = ("_before", "_data", "_last", "_told")

    def __init__(
        self,
        before: dict[str, int] | None = None,
        data: dict[bytes, None] | None = None,
    ) -> None:
        self._last: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._before = before
        self._data = data

    def __len__(self) -> int:
        return len(self._last)

    def has(self, conversation: str, seq: int) -> bool:
        """
        Return whether this seq or a higher one was delivered.
        """
        if seq <= self._last.get(conversation, 0):
            return True
        return self._before is not None and seq <= self._before.get(conversation, 0)

    def note(self, conversation: str, seq: int) -> None:
        """
        Note that the session has all messages up to this seq.
        """
        # Popping first moves the key to the end: the order of the dict is that of use.
        self._last.pop(conversation, None)
        self._last[conversation] = seq
        if len(self._last) > SEEN:
            oldest = next(iter(self._last))
            del self._last[oldest]
            self._told.pop(oldest, None)

    def tell(self, heads: Iterable[tuple[str, int]]) -> None:
        """
        Note that the client was told these heads.
        """
        for conversation, head in heads:
            self._told.pop(conversation, None)
            self._told[conversation] = head
        while len(self._told) > TOLD:
            del self._told[next(iter(self._told))]

    def after_resync(self) -> DeliveredSeqs:
        """
        Return what a session knows that has told its client to sync: it still
        recognises repeats, and expects nothing of the pushes until then.
        """
        before = {**(self._before or {}), **self._last}
        return DeliveredSeqs(dict(list(before.items())[-SEEN:]), self._data)

    def known(self, most: int) -> list[tuple[str, int]]:
        """
        Return the conversations that were pushed in last, each with the highest seq
        that the client was pushed or told.
        """
        before = self._before or {}
        names = islice(chain(reversed(self._last), self._told, reversed(before)), most)
        return [
            (name, max(self.up_to(name), before.get(name, 0)))
            for name in dict.fromkeys(names)
        ]

    def up_to(self, conversation: str) -> int:
        """
        Return the seq up to which the client has the messages of a conversation, or
        knows them to exist; 0: there is nothing to expect.
        """
        last, told = self._last.get(conversation, 0), self._told.get(conversation, 0)
        return max(last, told)

    def has_data(self, data: bytes) -> bool:
        """
        Return whether a message with these bytes was delivered recently.
        """
        return self._data is not None and digest(data) in self._data

    def note_data(self, data: bytes) -> None:
        """
        Note that the session has the message with these bytes.
        """
        if self._data is None:
            self._data = {}
        self._data[digest(data)] = None
        if len(self._data) > SEEN_DATA:
            del self._data[next(iter(self._data))]


class Output(ABC):
    """
    The half of a session that writes.  The other half is
    L{wsmsg.connect.session.session.Session}.

    @ivar welcomed: whether the client was welcomed and the session has not ended.
    @ivar closed: whether the session has ended; its connection may still exist.
    """

    __slots__ = (
        "_compared_s",
        "_early",
        "_reached",
        "_sample",
        "_seen",
        "_waits_s",
        "_witness",
        "closed",
        "codec",
        "context",
        "outbox",
        "peer",
        "welcomed",
    )

    def __init__(
        self, peer: ISessionPeer, codec: ICodec, context: SessionContext
    ) -> None:
        self.peer = peer
        self.codec = codec
        self.context = context
        self.outbox = Outbox(self, peer)
        self.welcomed = False
        self.closed = False
        self._early: PreWelcomeBuffer | None = None
        self._seen: DeliveredSeqs | None = None
        self._compared_s = -1.0
        self._reached = ""
        self._witness = ""
        self._sample: tuple[str, int, float, int] | None = None
        self._waits_s = 0.0

    @abstractmethod
    def close(self, code: Close, reason: str, fault: Fault = "other") -> None:
        """
        End the session and its connection.
        """

    @property
    def limits(self) -> LimitSettings:
        """
        The limits of the current settings.
        """
        return self.context.registry.settings.limits

    def encoded(self, frame: ServerFrame, extra: str = "") -> bytes:
        """
        Return a frame as it is written; sessions with the same codec share the bytes.

        @param extra: of the message in the frame; the client protocol has no place for
            it.
        """
        return framed(self.codec, self.codec.encode(frame))

    def reply(self, frame: ServerFrame) -> None:
        """
        Answer a request of the client.
        """
        if self.closed:
            return
        data = self.encoded(frame)
        self.context.registry.counters.sent_bytes[self.codec.name] += len(data)
        if not self.outbox.reply(data):
            self.close(Close.SLOW_CLIENT, "the client reads its replies too slowly")

    def push(self, conversation: str, seq: int, data: bytes, time_ms: int) -> bool:
        """
        Push a message to the client, unless the session was pushed it before.

        @param seq: 0: the message has none, and is recognized by its bytes.
        @param data: framed bytes.
        @param time_ms: the unix time at which it was accepted.
        @return: whether the client has the message or will get it.
        """
        counters = self.context.registry.counters
        if self._seen is None:
            self._seen = DeliveredSeqs()
        had = self._seen.has(conversation, seq) if seq else self._seen.has_data(data)
        if had:
            counters.repeats += 1
            return True
        if not self.notify(data, shed=False):
            return False
        counters.pushed += 1
        if seq:
            self._seen.note(conversation, seq)
            if self._sample is None:
                now_s = self.context.clock.seconds()
                self._sample = (conversation, seq, now_s, time_ms)
        else:
            self._seen.note_data(data)
        return True

    def queued(self, n_bytes: int) -> None:
        """
        Count bytes that wait in the outbox, or wait no more, and how long it takes from
        the first that has to wait until none does.
        """
        registry, size = self.context.registry, self.outbox.size
        registry.counters.outbox_bytes += n_bytes
        if n_bytes > 0:
            registry.note_waiting()
            if size == n_bytes:
                self._waits_s = self.context.clock.seconds()
        elif n_bytes and not size:
            waited_s = self.context.clock.seconds() - self._waits_s
            registry.counters.waited.observe(waited_s)

    def notify(self, data: bytes, shed: bool) -> bool:
        """
        Send the client a frame that it did not request.

        @param data: framed bytes.
        @param shed: whether the frame may be dropped while the client is slow.
        @return: whether the frame was accepted; if not, the client will be told to
            sync.
        """
        if self.welcomed:
            self.context.registry.counters.sent_bytes[self.codec.name] += len(data)
            return self.outbox.push(data, shed)
        if self.closed:
            return False
        if self._early is None:
            self._early = PreWelcomeBuffer()
        return shed or self._early.put(data, self.limits.outbox_soft_bytes)

    def resync(self, reason: str) -> None:
        """
        Tell the client that pushes may be missing.
        """
        if self.closed:
            return
        if not self.welcomed:
            if self._early is None:
                self._early = PreWelcomeBuffer()
            self._early.mark_incomplete()
            return
        if self.outbox.is_demoted:
            return  # The client is told when its outbox has drained.
        self.context.registry.counters.resyncs += 1
        self.reply(Resync(reason))
        if self._seen is not None:
            self._seen = self._seen.after_resync()

    # ------------------------------------------------- the comparison with the heads

    def note_heads(self) -> Callable[[Iterable[Head]], None]:
        """
        Prepare to note the heads that the client is told.

        @return: takes the heads; it has no effect once the client was told to sync
            meanwhile.
        """
        if self._seen is None:
            self._seen = DeliveredSeqs()
        seen = self._seen
        return lambda heads: seen.tell((h.conversation, h.head) for h in heads)

    def pushed_up_to(self, most: int) -> list[tuple[str, int]] | None:
        """
        Return the numbers to compare with the heads, those of at most C{most}
        conversations; L{None} while the client is not pushed messages.
        """
        if not self.welcomed or self.outbox.is_demoted:
            return None
        return self._seen.known(most) if self._seen is not None else []

    def lacks(self, conversation: str, head: int) -> bool:
        """
        Return whether the client was neither pushed the message with this number, nor
        told of it, nor told to sync.
        """
        if self._seen is None or not self.welcomed or self.outbox.is_demoted:
            return False
        return 0 < self._seen.up_to(conversation) < head

    def compared(self, at_s: float, position: str = "") -> None:
        """
        Note that what was pushed until then, and up to this position if it is known, is
        complete, or that the client is told.
        """
        self._compared_s = at_s
        self._reached = position or self._reached

    @property
    def checked_ms(self) -> int:
        """
        The milliseconds since the session was compared with the heads, at least 1; 0:
        it was not yet.
        """
        if self._compared_s < 0:
            return 0
        since_s = self.context.clock.seconds() - self._compared_s
        return max(1, int(since_s * 1000))

    def newer_witness(self) -> str:
        """
        Return how far the store is, for the client to keep; empty: the client was
        given that before.
        """
        newest = self.context.registry.witness
        if newest == self._witness:
            return ""
        self._witness = newest
        return newest

    # ------------------------------------------------------------- start and stop

    def start_output(self, welcome: Welcome) -> None:
        """
        Send the welcome, then the pushes that were held back for it.
        """
        self.reply(welcome)
        if welcome.heads:
            self.note_heads()(welcome.heads)
        self.welcomed = not self.closed
        early, self._early = self._early, None
        if early is None:
            return
        for data in early.frames:
            self.notify(data, shed=False)
        if early.is_incomplete:
            self.resync("too much was pushed before the welcome")

    def stop_output(self) -> None:
        """
        Accept no more frames; what is in the outbox may still be written.
        """
        self.closed, self.welcomed = True, False
        self._early = self._seen = None

    @abstractmethod
    def demoted(self) -> None:
        """
        React to a client that became too slow: nothing is pushed to it for now.
        """

    @abstractmethod
    def drained(self) -> None:
        """
        React to a slow client that has read everything that waited for it.
        """

    def abandoned(self) -> None:
        """
        Do nothing: the loss of the connection follows.
        """


def framed(codec: ICodec, payload: bytes) -> bytes:
    """
    Return the payload as one complete, unfragmented WebSocket message.

    A server does not mask, so the bytes are the same for every connection: Connect
    encodes a message once and shares it among all recipients with the same codec.
    """
    # The opcode of a final frame (RFC 6455 section 5.2).
    first, size = 0x82 if codec.binary else 0x81, len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126, size >> 8, size & 255)) + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
