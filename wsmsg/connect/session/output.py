"""
What a session says: answers, pushes, and what it keeps back until its welcome.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from wsmsg.connect.session.context import SessionContext
from wsmsg.connect.session.dedup import DeliveredSeqs, PreWelcomeBuffer
from wsmsg.connect.session.framing import framed
from wsmsg.connect.session.interface import ISessionPeer
from wsmsg.connect.session.outbox import Outbox
from wsmsg.errors import Close
from wsmsg.protocol.codec import ICodec
from wsmsg.protocol.frames import Resync, ServerFrame, Welcome
from wsmsg.settings.values import LimitSettings


class Output(ABC):
    """
    The half of a session that speaks; the rest is
    L{wsmsg.connect.session.session.Session}.

    @ivar known: whether it was welcomed, and is not closed.
    @ivar closed: whether it has ended; the connection may be there still.
    @ivar told: users whose presence changed since it was asked; L{None}: nobody
        keeps count.
    """

    __slots__ = (
        "_early",
        "_seen",
        "closed",
        "codec",
        "known",
        "node",
        "outbox",
        "peer",
        "told",
    )

    def __init__(self, peer: ISessionPeer, codec: ICodec, node: SessionContext) -> None:
        self.peer = peer
        self.codec = codec
        self.node = node
        self.outbox = Outbox(self, peer)
        self.known = False
        self.closed = False
        self.told: set[int] | None = None
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
        The limits as they are now.
        """
        return self.node.registry.settings.limits

    def reply(self, frame: ServerFrame) -> None:
        """
        Answer something that the client asked for.
        """
        if self.closed:
            return
        if not self.outbox.reply(framed(self.codec, self.codec.encode(frame))):
            self.close(Close.SLOW_CLIENT, "too slow for the answers to its requests")

    def push(self, conversation: str, seq: int, data: bytes) -> bool:
        """
        Give the client a message, unless it has had it.

        @param seq: 0: it has no number, and is known by its bytes.
        @param data: framed bytes.
        @return: whether the client has it or will be given it.
        """
        counts = self.node.registry.counts
        if self._seen is None:
            self._seen = DeliveredSeqs()
        had = self._seen.has(conversation, seq) if seq else self._seen.has_data(data)
        if had:
            counts.repeats += 1
            return True
        if not self.tell(data, shed=False):
            return False
        counts.pushed += 1
        if seq:
            self._seen.note(conversation, seq)
        else:
            self._seen.note_data(data)
        return True

    def tell(self, data: bytes, shed: bool) -> bool:
        """
        Give the client something that it did not ask for just now.

        @param data: framed bytes.
        @return: whether it gets it; if not, it will be told to sync.
        """
        if self.known:
            return self.outbox.put(data, shed)
        if self.closed:
            return False
        if self._early is None:
            self._early = PreWelcomeBuffer()
        return shed or self._early.put(data, self.limits.outbox_soft_bytes)

    def resync(self, reason: str) -> None:
        """
        Tell the client that what it was pushed may be incomplete.
        """
        if self.closed:
            return
        if not self.known:
            self._early = self._early or PreWelcomeBuffer()
            self._early.missed = True
            return
        if self.outbox.is_demoted:
            return  # it is told when it drains
        self.node.registry.counts.resyncs += 1
        self.reply(Resync(reason))

    def say_welcome(self, welcome: Welcome) -> None:
        """
        Say welcome, then what was pushed meanwhile, and speak freely from now on.
        """
        self.reply(welcome)
        self.known = not self.closed
        early, self._early = self._early, None
        if early is None:
            return
        for data in early.frames:
            self.tell(data, shed=False)
        if early.missed:
            self.resync("more was pushed than could wait for the welcome")

    def fall_silent(self) -> None:
        """
        Say nothing any more but what the connection's end needs.
        """
        self.closed, self.known = True, False
        self._early = self._seen = None

    @abstractmethod
    def demoted(self) -> None:
        """
        The client is too slow: nothing is pushed to it for now.
        """

    @abstractmethod
    def drained(self) -> None:
        """
        It has read all that waited for it.
        """

    def abandoned(self) -> None:
        """
        The transport is going away; that the connection is lost follows.
        """
