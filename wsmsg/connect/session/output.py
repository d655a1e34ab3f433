"""
Output of a session: replies, and pushes: none twice, and none before the welcome.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import blake2b

from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.session.outbox import Outbox
from wsmsg.errors import Close
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import Resync, ServerFrame, Welcome
from wsmsg.settings.values import LimitSettings

#: Conversations for which a session remembers the highest delivered seq.
SEEN = 1000

#: Messages without a seq that a session remembers.
SEEN_DATA = 1000


class DeliveredSeqs:
    """
    The highest seq delivered to a session, per conversation (bounded, LRU).

    A message without a seq is recognized by a digest of its bytes, because a Message
    that assigns no seqs does not assign unique ids either.
    """

    __slots__ = ("_data", "_last")

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._data: dict[bytes, None] | None = None

    def __len__(self) -> int:
        return len(self._last)

    def has(self, conversation: str, seq: int) -> bool:
        """
        Return whether this seq or a higher one was delivered.
        """
        return seq <= self._last.get(conversation, 0)

    def note(self, conversation: str, seq: int) -> None:
        """
        Note that the session has all messages up to this seq.
        """
        # Popping first moves the key to the end: the order of the dict is that of use.
        self._last.pop(conversation, None)
        self._last[conversation] = seq
        if len(self._last) > SEEN:
            del self._last[next(iter(self._last))]

    def has_data(self, data: bytes) -> bool:
        """
        Return whether a message with these bytes was delivered recently.
        """
        return self._data is not None and _digest(data) in self._data

    def note_data(self, data: bytes) -> None:
        """
        Note that the session has the message with these bytes.
        """
        if self._data is None:
            self._data = {}
        self._data[_digest(data)] = None
        if len(self._data) > SEEN_DATA:
            del self._data[next(iter(self._data))]


class PreWelcomeBuffer:
    """
    Frames that were pushed between hello and welcome.

    @ivar is_incomplete: whether a frame did not fit or was lost before.
    """

    __slots__ = ("_size", "frames", "is_incomplete")

    def __init__(self) -> None:
        self._size = 0
        self.frames: list[bytes] = []
        self.is_incomplete = False

    def put(self, data: bytes, limit: int) -> bool:
        """
        Keep a frame for the time after the welcome.

        @param limit: the maximum size of the buffer in bytes.
        @return: whether the frame was kept.
        """
        if self._size + len(data) > limit:
            self.is_incomplete = True
            return False
        self._size += len(data)
        self.frames.append(data)
        return True

    def mark_incomplete(self) -> None:
        """
        Note that pushes were lost.
        """
        self.is_incomplete = True


class Output(ABC):
    """
    The half of a session that writes.  The other half is
    L{wsmsg.connect.session.session.Session}.

    @ivar welcomed: whether the client was welcomed and the session has not ended.
    @ivar closed: whether the session has ended; its connection may still exist.
    """

    __slots__ = (
        "_early",
        "_seen",
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

    @abstractmethod
    def close(self, code: Close, reason: str) -> None:
        """
        End the session and its connection.
        """

    @property
    def limits(self) -> LimitSettings:
        """
        The limits of the current settings.
        """
        return self.context.registry.settings.limits

    def encoded(self, frame: ServerFrame) -> bytes:
        """
        Return a frame as it is written; sessions with the same codec share the bytes.
        """
        return framed(self.codec, self.codec.encode(frame))

    def reply(self, frame: ServerFrame) -> None:
        """
        Answer a request of the client.
        """
        if self.closed:
            return
        if not self.outbox.reply(self.encoded(frame)):
            self.close(Close.SLOW_CLIENT, "the client reads its replies too slowly")

    def push(self, conversation: str, seq: int, data: bytes) -> bool:
        """
        Push a message to the client, unless the session was pushed it before.

        @param seq: 0: the message has none, and is recognized by its bytes.
        @param data: framed bytes.
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
        else:
            self._seen.note_data(data)
        return True

    def notify(self, data: bytes, shed: bool) -> bool:
        """
        Send the client a frame that it did not request.

        @param data: framed bytes.
        @param shed: whether the frame may be dropped while the client is slow.
        @return: whether the frame was accepted; if not, the client will be told to
            sync.
        """
        if self.welcomed:
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

    def start_output(self, welcome: Welcome) -> None:
        """
        Send the welcome, then the pushes that were held back for it.
        """
        self.reply(welcome)
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


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


# The opcodes of a final frame (RFC 6455 section 5.2).
_TEXT = 0x81
_BINARY = 0x82


def framed(codec: ICodec, payload: bytes) -> bytes:
    """
    Return the payload as one complete, unfragmented WebSocket message.

    A server does not mask, so the bytes are the same for every connection: Connect
    encodes a message once and shares it among all recipients with the same codec.
    """
    first = _BINARY if codec.binary else _TEXT
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126, size >> 8, size & 255)) + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
