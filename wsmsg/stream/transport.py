"""
The transport of a gRPC bidirectional stream, and the writer of both ends: one write at
a time, and everything that was queued meanwhile in the next (L{BatchWriter}).  A busy
stream so carries large frames, and an idle one adds no delay (L{Spacing}).

L{StreamTransport} asks its protocol for the next frame when gRPC has taken the last
one, so that everything which is queued meanwhile leaves in one frame
(L{BatchWriter}).

C{grpc.aio} runs on the asyncio loop, so this needs the asyncio reactor.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import grpc
import grpc.aio
from google.protobuf.message import Message
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wsmsg.errors import Unavailable
from wsmsg.peers.channel import NotProven, PeerChannel
from wsmsg.stream.errors import StreamLost, explain, to_error
from wsmsg.stream.probe import HEALTH, echo
from wsmsg.stream.spacing import Spacing


class IStreamProtocol(Protocol):
    """
    The protocol over a L{StreamTransport}.
    """

    def makeConnection(self, transport: Any) -> None: ...

    def messageReceived(self, message: Any) -> None:
        """
        Read a message; the first one is the peer's welcome, if it sends one.
        """

    def drain(self) -> Message | None:
        """
        Return the next message to write, or L{None}; called again after each write.
        """

    def connectionLost(self, reason: Failure) -> None: ...


class StreamTransport:
    """
    One open call, as the transport of a protocol.

    @param reading: the read that is pending already.
    @param echo: the method that L{echo} calls.
    @cvar finish_s: how long L{loseConnection} waits for the peer to take what is left.
    """

    finish_s = 1.0
    _log = Logger()

    def __init__(
        self,
        channel: PeerChannel,
        call: Any,
        protocol: IStreamProtocol,
        *,
        reading: asyncio.Future[Any] | None = None,
        echo: str = HEALTH,
    ) -> None:
        self._channel = channel
        self._echo = echo
        self._call = call
        self._reading = reading
        self._protocol = protocol
        self._writer = BatchWriter(protocol.drain, call.write, spacing_of_process())
        self._why = ""
        self._running: asyncio.Future[None] | None = None
        self._finishing: asyncio.TimerHandle | None = None
        self.flush_soon = self._writer.flush_soon
        self.flush_later = self._writer.flush_later

    def start(self) -> None:
        """
        Begin to read and to write.
        """
        self._running = asyncio.ensure_future(self._run())

    def loseConnection(self) -> None:
        """
        Write what the protocol still has, half-close, and close when the peer has
        taken it or after L{finish_s}.
        """
        if self._finishing is None:
            loop = asyncio.get_running_loop()
            self._why = self._why or "closed by this node"
            self._finishing = loop.call_later(self.finish_s, self._call.cancel)
            self._writer.finish()

    def abortConnection(self, reason: str = "aborted by this node") -> None:
        """
        Close now, and pass the reason to the protocol's C{connectionLost}.
        """
        self._why = reason
        self._call.cancel()

    def query(
        self, method: str, request: Message, answer: type[Message], timeout_s: float
    ) -> Deferred[Any]:
        """
        Make a unary call on the connection of the stream.

        @return: a Deferred that fires with the answer or fails with L{WsmsgError}.
        """
        asking = self._channel.ask(
            method, request.SerializeToString(), answer.FromString, timeout_s
        )
        return Deferred.fromFuture(asyncio.ensure_future(_answered(asking)))

    def echo(self, timeout_s: float) -> Deferred[None]:
        """
        Make a unary call on the connection of the stream, to which any answer will
        do: the peer is alive, and has received all that was written on the stream
        before.

        @return: a Deferred that fires when the peer answered, or fails with
            L{StreamFailed}.
        """
        return Deferred.fromFuture(
            asyncio.ensure_future(echo(self._channel.raw, self._echo, timeout_s))
        )

    async def _run(self) -> None:
        writing = asyncio.ensure_future(self._write())
        try:
            why = await self._read()
        finally:
            if self._finishing is not None:
                self._finishing.cancel()
            writing.cancel()
            self._call.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self._channel.close()
        with self._log.failuresHandled(
            "reporting the loss of a stream to its protocol"
        ):
            self._protocol.connectionLost(Failure(StreamLost(self._why or why)))

    async def _read(self) -> str:
        """
        Read until the end.

        @return: the reason of the end.
        """
        call, eof = self._call, grpc.aio.EOF
        received = self._protocol.messageReceived
        try:
            while (message := await self._next()) is not eof:
                try:
                    received(message)
                except Exception:  # noqa: BLE001 - a guard
                    self._log.failure("processing a message of a stream failed")
                    self._why = "processing a message failed (a bug of wsmsg)"
                    return self._why
            return await ended(call)
        except (grpc.RpcError, asyncio.CancelledError, asyncio.InvalidStateError) as e:
            return explain(e)

    async def _next(self) -> Any:
        reading, self._reading = self._reading, None
        return await (self._call.read() if reading is None else reading)

    async def _write(self) -> None:
        try:
            await self._writer.run()
            await self._call.done_writing()
        except (grpc.RpcError, asyncio.InvalidStateError):
            return  # the reader gets the reason
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("making or writing a frame failed")
            self.abortConnection("writing a frame failed (a bug of wsmsg)")


async def ended(call: Any) -> str:
    """
    Return why the peer ended a call, for the log.
    """
    details = await call.details()
    code = await call.code()
    return "the peer ended it" + (f": {details}" if details else f" ({code.name})")


async def _answered(asking: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await asking
    except grpc.aio.AioRpcError as e:
        raise to_error(e) from None
    except NotProven as e:
        raise Unavailable(str(e), 500) from None
    except (asyncio.CancelledError, grpc.aio.UsageError):  # the channel is closed
        raise Unavailable("the stream was closed meanwhile", 500) from None


def spacing_of_process() -> Spacing:
    """
    Return the spacing of a new stream, by how busy this process is.
    """
    return Spacing(time.monotonic, time.process_time)


class BatchWriter:
    """
    Writes one batch at a time; what queues meanwhile leaves together in the next.

    @param drain: returns the next batch, with all that waits; L{None} when nothing
        does.
    @param write: writes a batch; never called before the last call has finished.
    @param spacing: decides when the next write may begin; L{None}: when the last one
        has finished.
    @param patience_s: the delay of L{flush_later}, in which more may be queued.
    """

    __slots__ = (
        "_drain",
        "_finishing",
        "_flush_timer",
        "_patience_s",
        "_pending",
        "_spacing",
        "_waiter",
        "_write",
    )

    def __init__(
        self,
        drain: Callable[[], Message | None],
        write: Callable[[Any], Awaitable[object]],
        spacing: Spacing | None = None,
        *,
        patience_s: float = 0.02,
    ) -> None:
        self._drain = drain
        self._write = write
        self._spacing = spacing
        self._patience_s = patience_s
        self._pending = False
        self._finishing = False
        self._waiter: asyncio.Future[None] | None = None
        self._flush_timer: asyncio.TimerHandle | None = None

    def flush_soon(self) -> None:
        """
        Write what is queued now.
        """
        if self._pending:
            return
        self._pending = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def flush_later(self) -> None:
        """
        Write what is queued after C{patience_s}, or with the next write.
        """
        if self._pending or self._flush_timer is not None or self._waiter is None:
            return
        loop = self._waiter.get_loop()
        self._flush_timer = loop.call_later(self._patience_s, self._flush_is_due)

    def _flush_is_due(self) -> None:
        self._flush_timer = None
        self.flush_soon()

    def finish(self) -> None:
        """
        Write what is still queued, then let L{run} return.
        """
        self._finishing = True
        self._pending = False
        self.flush_soon()

    async def run(self) -> None:
        """
        Write until L{finish} is called or a write fails.
        """
        loop = asyncio.get_running_loop()
        self._pending = True  # what was queued before this ran
        try:
            while True:
                if not self._pending:
                    self._waiter = loop.create_future()
                    await self._waiter
                await self._write_all()
                # Whatever was queued up to now is written.
                self._pending = False
                if self._finishing:
                    return
        finally:
            if self._flush_timer is not None:
                self._flush_timer.cancel()
                self._flush_timer = None
            # Nothing runs any more: a late flush_later() must not set a timer.
            self._waiter = None

    async def _write_all(self) -> None:
        spacing = self._spacing
        while (batch := self._drain()) is not None:
            if spacing is None:
                await self._write(batch)
                continue
            # The time of uvloop's loop is that at which its turn began.
            next_s = time.monotonic() + spacing.wrote()
            await self._write(batch)
            if (wait_s := next_s - time.monotonic()) > 0 and not self._finishing:
                await asyncio.sleep(wait_s)
