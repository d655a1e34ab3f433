"""
Output of a session: replies, pushes, and the pushes held back until the welcome.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.dedup import DeliveredSeqs, PreWelcomeBuffer
from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.session.outbox import Outbox, framed
from wsmsg.errors import Close
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import Resync, ServerFrame, Welcome
from wsmsg.settings.values import LimitSettings


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

    def reply(self, frame: ServerFrame) -> None:
        """
        Answer a request of the client.
        """
        if self.closed:
            return
        if not self.outbox.reply(framed(self.codec, self.codec.encode(frame))):
            self.close(Close.SLOW_CLIENT, "the client reads its replies too slowly")

    def push(self, conversation: str, seq: int, data: bytes) -> bool:
        """
        Push a message to the client, unless the session was pushed it before.

        @param seq: 0: the message has none, and is recognized by its bytes.
        @param data: framed bytes.
        @return: whether the client has the message or will get it.
        """
        counts = self.context.registry.counts
        if self._seen is None:
            self._seen = DeliveredSeqs()
        had = self._seen.has(conversation, seq) if seq else self._seen.has_data(data)
        if had:
            counts.repeats += 1
            return True
        if not self.notify(data, shed=False):
            return False
        counts.pushed += 1
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
        self.context.registry.counts.resyncs += 1
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
