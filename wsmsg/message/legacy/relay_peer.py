"""
The stream to one other Message, whose pushes the relay needs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure

from wsmsg.dependency.retry import Backoff, RetryPolicy
from wsmsg.dependency.state import Dependency
from wsmsg.message.links.interface import Push, Settled
from wsmsg.rpc import rest_pb2
from wsmsg.stream.convert import message_of
from wsmsg.stream.dialler import StreamDialler

Hello = Callable[[], rest_pb2.MessageStreamRequest]
#: Called with messages and their recipients, and a callable for when all of them are
#: settled.
PushTo = Callable[[Sequence[Push], Settled], object]


@attrs.define(eq=False)
class ResumePoint:
    """
    The position in the stream of one incarnation of the other Message.

    @ivar number: the last batch received.
    @ivar settled: the last batch such that it and all before it are settled.
    @ivar acknowledged: the last batch acknowledged.
    @ivar open: the batches that are received and not settled.
    @ivar done: the settled batches behind one that is not settled.
    """

    incarnation: str = ""
    number: int = 0
    settled: int = 0
    acknowledged: int = 0
    open: deque[int] = attrs.field(factory=deque)
    done: set[int] = attrs.field(factory=set)

    def resume(self) -> None:
        """
        Begin a stream after the last batch, which counts as acknowledged.
        """
        self.acknowledged = self.number

    def receive(self, number: int) -> None:
        """
        Note that a batch arrived.
        """
        self.number = number
        self.open.append(number)

    def take_due(self) -> int | None:
        """
        Return the batch to acknowledge, and note it as acknowledged; L{None}: there is
        none.
        """
        if self.settled <= self.acknowledged:
            return None
        self.acknowledged = self.settled
        return self.settled

    def settle(self, number: int) -> None:
        """
        Settle a batch.
        """
        self.done.add(number)
        while self.open and self.open[0] in self.done:
            self.settled = self.open.popleft()
            self.done.discard(self.settled)


class RelayStream:
    """
    One stream to the other Message.
    """

    def __init__(self, peer: RelayPeer, push: PushTo) -> None:
        self.position = ResumePoint()
        self.transport: Any = None
        self._peer = peer
        self._push = push

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def messageReceived(self, message: rest_pb2.MessageStreamResponse | None) -> None:
        """
        Handle a welcome or a batch; other frames are only for Connects.
        """
        if message is None:
            self._peer.broken(self, "a frame that cannot be decoded")
        elif message.HasField("welcome"):
            self._peer.welcomed(self, message.welcome)
        elif message.HasField("batch") and message.batch.number:
            self._batch(message.batch)

    def _batch(self, batch: rest_pb2.PushBatch) -> None:
        position, number = self.position, batch.number
        if number != position.number + 1:
            self._peer.broken(self, f"batch {number} came after {position.number}")
            return
        position.receive(number)

        def settled() -> None:
            position.settle(number)
            self._peer.settled(position)

        pushes = [(message_of(p.message), tuple(p.targets)) for p in batch.pushes]
        self._peer.pushed(len(pushes))
        self._push(pushes, settled)

    def drain(self) -> rest_pb2.MessageStreamRequest | None:
        """
        Return the acknowledgement to write; L{None}: there is none.
        """
        due = self.position.take_due()
        if due is None:
            return None
        return rest_pb2.MessageStreamRequest(batch=rest_pb2.ConnectBatch(pushed=due))

    def resume(self, position: ResumePoint) -> None:
        """
        Go on from a position, which the peer has welcomed.
        """
        self.position = position
        position.resume()

    def connectionLost(self, reason: Failure) -> None:
        self._peer.lost(self, reason.getErrorMessage())


class RelayPeer:
    """
    One other Message, dialled until the stream is up, and again when it is lost.

    @ivar received: the number of messages received.
    """

    def __init__(
        self,
        address: str,
        clock: IReactorTime,
        endpoint: Callable[[str, Hello], IStreamClientEndpoint],
        *,
        subscribe: Callable[[], rest_pb2.SubscribeRequest],
        push: PushTo,
        backoff: Backoff,
    ) -> None:
        self.address = address
        self.received = 0
        name = f"message {address}, for legacy Connects here"
        self.dependency = Dependency(name, clock, required=False)
        self._endpoint = endpoint
        self._subscribe = subscribe
        self._push = push
        self._backoff = backoff
        self._position = ResumePoint()
        self._stream: RelayStream | None = None
        self._dialler = StreamDialler(self, self.dependency, clock)

    def start(self) -> None:
        """
        Begin to dial.
        """
        self._dialler.start()

    def stop(self) -> Deferred[Any]:
        """
        Close the stream, and dial no more.
        """
        return self._dialler.stop()

    def status(self) -> dict[str, object]:
        """
        Return the entry of this peer in C{/status}.
        """
        state = str(self.dependency.state)
        return {"message": self.address, "state": state, "received": self.received}

    # -- called by the dialler

    def retry_policy(self) -> RetryPolicy:
        return self._backoff

    def endpoint(self) -> IStreamClientEndpoint:
        return self._endpoint(self.address, self._hello)

    def protocol(self, address: IAddress | None) -> RelayStream:
        return RelayStream(self, self._push)

    def beyond_limit(self, reason: str) -> float | None:
        return None  # never called: a backoff allows any number of attempts

    def _hello(self) -> rest_pb2.MessageStreamRequest:
        hello = rest_pb2.SubscribeRequest(
            resume_incarnation=self._position.incarnation,
            resume_from=self._position.number,
        )
        hello.MergeFrom(self._subscribe())
        return rest_pb2.MessageStreamRequest(subscribe=hello)

    # -- called by the stream

    def welcomed(self, stream: RelayStream, welcome: rest_pb2.LinkWelcome) -> None:
        if welcome.incarnation == self._subscribe().incarnation:
            # The address is one of this Message: there is nothing to relay.
            self._dialler.leave()
            stream.transport.loseConnection()
            return
        if not welcome.resumed or welcome.incarnation != self._position.incarnation:
            # The pushes in between are lost; their messages stay unread.
            self._position = ResumePoint(welcome.incarnation)
        stream.resume(self._position)
        self._stream = stream
        self._dialler.stream_up()
        stream.transport.flush_soon()

    def pushed(self, count: int) -> None:
        self.received += count

    def settled(self, position: ResumePoint) -> None:
        if self._stream is not None and self._stream.position is position:
            self._stream.transport.flush_later()

    def broken(self, stream: RelayStream, reason: str) -> None:
        self._position = ResumePoint()  # nothing of it can be resumed
        stream.transport.abortConnection(f"protocol error: {reason}")

    def lost(self, stream: RelayStream, reason: str) -> None:
        was_up = self._stream is stream
        if was_up:
            self._stream = None
        self._dialler.stream_lost(reason, was_up=was_up)
