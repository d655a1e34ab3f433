"""
One other Message, whose pushes are written to the deployed streams of this one.
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
#: Takes messages with the users that they are for, and what to call when all of them
#: are settled.
PushTo = Callable[[Sequence[Push], Settled], object]


@attrs.define(eq=False)
class ResumePoint:
    """
    One life of the other Message: what came of it, and what of that is settled.

    @ivar number: the last batch that came.
    @ivar settled: all up to this one are.
    @ivar told: up to which one it was told so.
    """

    incarnation: str = ""
    number: int = 0
    settled: int = 0
    told: int = 0
    open: deque[int] = attrs.field(factory=deque)
    done: set[int] = attrs.field(factory=set)

    def settle(self, number: int) -> None:
        """
        A batch is settled.
        """
        self.done.add(number)
        while self.open and self.open[0] in self.done:
            self.settled = self.open.popleft()
            self.done.discard(self.settled)


class RelayStream:
    """
    One stream to it, while it lasts.
    """

    def __init__(self, peer: RelayPeer, push: PushTo) -> None:
        self.life = ResumePoint()
        self.transport: Any = None
        self._peer = peer
        self._push = push

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def messageReceived(self, message: rest_pb2.MessageStreamResponse | None) -> None:
        """
        A welcome, or a batch; anything else is for Connects.
        """
        if message is None:
            self._peer.broken(self, "a frame that cannot be decoded")
        elif message.HasField("welcome"):
            self._peer.welcomed(self, message.welcome)
        elif message.HasField("batch") and message.batch.number:
            self._batch(message.batch)

    def _batch(self, batch: rest_pb2.PushBatch) -> None:
        life, number = self.life, batch.number
        if number != life.number + 1:
            self._peer.broken(self, f"batch {number} came after {life.number}")
            return
        life.number = number
        life.open.append(number)

        def settled() -> None:
            life.settle(number)
            self._peer.settled(life)

        pushes = [(message_of(p.message), tuple(p.targets)) for p in batch.pushes]
        self._peer.received += len(pushes)
        self._push(pushes, settled)

    def drain(self) -> rest_pb2.MessageStreamRequest | None:
        """
        What is settled and was not told.
        """
        life = self.life
        if life.settled <= life.told:
            return None
        life.told = life.settled
        return rest_pb2.MessageStreamRequest(
            batch=rest_pb2.ConnectBatch(pushed=life.settled)
        )

    def connectionLost(self, reason: Failure) -> None:
        self._peer.lost(self, reason.getErrorMessage())


class RelayPeer:
    """
    One other Message, dialled, and dialled again.

    @ivar received: how many messages came.
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
        name = f"message {address}, for deployed Connects here"
        self.dependency = Dependency(name, clock, required=False)
        self._endpoint = endpoint
        self._subscribe = subscribe
        self._push = push
        self._backoff = backoff
        self._life = ResumePoint()
        self._stream: RelayStream | None = None
        self._dialler = StreamDialler(self, self.dependency, clock)

    def start(self) -> None:
        """
        Dial.
        """
        self._dialler.start()

    def stop(self) -> Deferred[Any]:
        """
        Close, dial no more.
        """
        return self._dialler.stop()

    def status(self) -> dict[str, object]:
        """
        What C{/status} tells of it.
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
        hello = self._subscribe()
        hello.resume_incarnation = self._life.incarnation
        hello.resume_from = self._life.number
        return rest_pb2.MessageStreamRequest(subscribe=hello)

    # -- called by the stream

    def welcomed(self, stream: RelayStream, welcome: rest_pb2.LinkWelcome) -> None:
        if welcome.incarnation == self._subscribe().incarnation:
            # It is this Message, by another address: nothing comes of that.
            self._dialler.leave()
            stream.transport.loseConnection()
            return
        if not welcome.resumed or welcome.incarnation != self._life.incarnation:
            # What was pushed meanwhile stays unread.
            self._life = ResumePoint(welcome.incarnation)
        stream.life = self._life
        # What it resumes from counts as acknowledged.
        stream.life.told = stream.life.number
        self._stream = stream
        self._dialler.stream_up()
        stream.transport.flush_soon()

    def settled(self, life: ResumePoint) -> None:
        if self._stream is not None and self._stream.life is life:
            self._stream.transport.flush_later()

    def broken(self, stream: RelayStream, reason: str) -> None:
        self._life = ResumePoint()  # nothing of it can be resumed
        stream.transport.abortConnection(f"protocol error: {reason}")

    def lost(self, stream: RelayStream, reason: str) -> None:
        was_up = self._stream is stream
        if was_up:
            self._stream = None
        self._dialler.stream_lost(reason, was_up=was_up)
