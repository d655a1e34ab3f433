"""
One send that has no answer, and the route of its conversation to a stream.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Protocol

from wsmsg.connect.upstream.interface import NewSend, OnAnswer
from wsmsg.rpc import rest_pb2

_FRAME_SENDS = 512
_FRAME_BYTES = 512 * 1024


class SendStream(Protocol):
    """
    The part of a stream that its sends use.

    @ivar unanswered: the number of its unanswered sends.
    """

    unanswered: int

    def unwritten(self) -> Collection[PendingSend]:
        """
        Return the sends that were enqueued and not written.
        """

    def enqueue(self, send: PendingSend) -> None:
        """
        Write a send, behind those that were enqueued before, and count it as
        unanswered.
        """

    def send_finished(self) -> None:
        """
        Count one send less: it has its answer.
        """


class StickyRoute:
    """
    The route of one conversation.

    @ivar stream: L{None} while no stream is up.
    @ivar unanswered: the unanswered sends of the conversation, oldest first, by number.
    """

    __slots__ = ("stream", "unanswered")

    def __init__(self, stream: SendStream | None) -> None:
        self.stream = stream
        self.unanswered: dict[int, PendingSend] = {}

    def use(self, stream: SendStream | None) -> None:
        """
        Give the sends from now on to another stream; to none while none is up.
        """
        self.stream = stream

    def add(self, send: PendingSend) -> None:
        """
        Count a new send, and enqueue it if a stream is up.
        """
        self.unanswered[send.number] = send
        if self.stream is not None:
            self.stream.enqueue(send)

    def remove(self, number: int) -> None:
        """
        Count one send less, which no stream has.
        """
        del self.unanswered[number]

    def finish(self, number: int) -> None:
        """
        Count one send less here and on its stream.
        """
        del self.unanswered[number]
        if self.stream is not None:
            self.stream.send_finished()


class PendingSend:
    """
    A send that has no answer yet.

    @ivar number: unique in this life of Connect, so that an answer on an earlier
        stream cannot be taken for the answer to another send.
    @ivar since_s: the clock time at which the session made it.
    @ivar answered: whether C{on_answer} was called.
    @ivar tried: whether it was written to a stream that was lost, or that has not
        answered in time, so that it may have been accepted.
    """

    __slots__ = ("answered", "new", "number", "on_answer", "route", "since_s", "tried")

    def __init__(
        self,
        number: int,
        new: NewSend,
        on_answer: OnAnswer,
        route: StickyRoute,
        since_s: float,
    ) -> None:
        self.number = number
        self.new = new
        self.on_answer = on_answer
        self.route = route
        self.since_s = since_s
        self.answered = self.tried = False

    def mark_tried(self) -> None:
        """
        Note that it may have been accepted.
        """
        self.tried = True

    @property
    def is_uncertain(self) -> bool:
        """
        True if a rejection does not mean that the message was not accepted.
        """
        return self.tried or self.new.repeat

    def finish(self) -> None:
        """
        Note that the send has its answer.
        """
        self.answered = True
        self.route.finish(self.number)

    def finish_unsent(self) -> None:
        """
        Note that the send was answered while no stream had it.
        """
        self.answered = True
        self.route.remove(self.number)


def mark_written(sends: Iterable[PendingSend]) -> None:
    """
    Mark the sends that their streams have written.
    """
    unwritten: dict[int, set[int]] = {}
    for send in sends:
        stream = send.route.stream
        if stream is None:
            continue
        if id(stream) not in unwritten:
            unwritten[id(stream)] = {s.number for s in stream.unwritten()}
        if send.number not in unwritten[id(stream)]:
            send.mark_tried()


def move_sends(unsent: deque[PendingSend], batch: rest_pb2.ConnectBatch) -> None:
    """
    Move as many sends as fit into a batch, but those that were answered while they
    waited, as they were too old.
    """
    add, n_bytes = batch.sends.add, 0
    for _ in range(min(len(unsent), _FRAME_SENDS)):
        send = unsent.popleft()
        if send.answered:
            continue
        sender, client_id, conversation, content, kind, _, extra, repeat, traced = (
            send.new
        )
        add(
            id=send.number,
            sender=sender,
            client_id=client_id,
            conversation=conversation,
            content=content,
            kind=kind,
            extra=extra,
            repeat=repeat or send.tried,
            traceparent=traced,
        )
        n_bytes += len(content)
        if n_bytes > _FRAME_BYTES:
            return
