"""
A gRPC bidirectional stream, presented to Twisted as a connection.

L{StreamEndpoint} is what C{ClientService} dials: an attempt has succeeded when the
peer's welcome is in, and whatever a failed attempt opened is closed again.
L{StreamTransport} is the connection: it asks its protocol for the next frame when
the last one was taken, so that everything which queues meanwhile leaves together.
L{BatchWriter} is that rule alone, for both ends.

C{grpc.aio} runs on the asyncio loop, so all of this needs the asyncio reactor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import attrs
import grpc
import grpc.aio
from google.protobuf.message import Message
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wsmsg.errors import Unavailable
from wsmsg.stream.batch_writer import BatchWriter
from wsmsg.stream.errors import StreamFailed, StreamLost, explain, to_error
from wsmsg.stream.options import channel_options
from wsmsg.stream.probe import HEALTH, echo


class IStreamProtocol(Protocol):
    """
    What speaks over a L{StreamTransport}.
    """

    def makeConnection(self, transport: Any) -> None: ...

    def messageReceived(self, message: Any) -> None:
        """
        A message came; the first of all is the peer's welcome, if it gives one.
        """

    def drain(self) -> Message | None:
        """
        What should be written now, or L{None}; asked again after each write.
        """

    def connectionLost(self, reason: Failure) -> None: ...


class StreamTransport:
    """
    One open call: the transport of the protocol that speaks over it.

    @param reading: the read that is under way already.
    @param echo: what L{echo} calls.
    @cvar finish_s: how long L{loseConnection} lets the peer take what is left.
    """

    finish_s = 1.0
    _log = Logger()

    def __init__(
        self,
        channel: grpc.aio.Channel,
        call: Any,
        protocol: IStreamProtocol,
        *,
        spacing_s: float = 0.0,
        reading: asyncio.Future[Any] | None = None,
        echo: str = HEALTH,
    ) -> None:
        self._channel = channel
        self._echo = echo
        self._call = call
        self._reading = reading
        self._protocol = protocol
        self._writer = BatchWriter(protocol.drain, call.write, spacing_s=spacing_s)
        self._why = ""
        self._running: asyncio.Future[None] | None = None
        self._finishing: asyncio.TimerHandle | None = None
        self.wake = self._writer.wake
        self.nudge = self._writer.nudge

    def start(self) -> None:
        """
        Carry messages both ways from now on.
        """
        self._running = asyncio.ensure_future(self._run())

    def loseConnection(self) -> None:
        """
        Write what the protocol still has, say that it was all, and close when the
        peer has taken it or after L{finish_s}.
        """
        if self._finishing is None:
            loop = asyncio.get_running_loop()
            self._why = self._why or "closed by us"
            self._finishing = loop.call_later(self.finish_s, self._call.cancel)
            self._writer.end()

    def abortConnection(self, reason: str = "aborted by us") -> None:
        """
        Close now; the protocol's C{connectionLost} gets the reason.
        """
        self._why = reason
        self._call.cancel()

    def query(
        self, method: str, request: Message, answer: type[Message], timeout_s: float
    ) -> Deferred[Any]:
        """
        Make a unary call beside the stream.

        @return: a Deferred that fires with the answer or fails with L{WsmsgError}.
        """
        call = self._channel.unary_unary(
            method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return Deferred.fromFuture(
            asyncio.ensure_future(_answered(call, request, timeout_s))
        )

    def echo(self, timeout_s: float) -> Deferred[None]:
        """
        See whether the peer is there: whatever it answers to a call beside the
        stream, it has received all that was written on the stream before.

        @return: a Deferred that fires when it answered, or fails with
            L{StreamFailed}.
        """
        return Deferred.fromFuture(
            asyncio.ensure_future(echo(self._channel, self._echo, timeout_s))
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
        with self._log.failuresHandled("telling a protocol of its loss"):
            self._protocol.connectionLost(Failure(StreamLost(self._why or why)))

    async def _read(self) -> str:
        """
        @return: why there is nothing more to read.
        """
        call, eof = self._call, grpc.aio.EOF
        received = self._protocol.messageReceived
        try:
            while (message := await self._next()) is not eof:
                try:
                    received(message)
                except Exception:  # noqa: BLE001 - a guard
                    self._log.failure("a stream's message could not be taken")
                    self._why = "a message could not be taken (a bug of ours)"
                    return self._why
            return await _ended(call)
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
            return  # the reader learns why
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("a frame could not be made or written")
            self.abortConnection("a frame could not be written (a bug of ours)")


@attrs.frozen
class _Open:
    """
    What a successful attempt has opened.

    @ivar first: what the peer said first; L{None}: it said nothing.
    @ivar reading: the read that is under way, where it said nothing.
    """

    channel: grpc.aio.Channel
    call: Any
    first: Any
    reading: asyncio.Future[Any] | None = None


@implementer(IAddress)
@attrs.frozen
class StreamAddress:
    """
    Where a stream goes.

    @ivar welcomed: whether the peer gave a welcome.
    """

    target: str
    welcomed: bool = True


@implementer(IStreamClientEndpoint)
class StreamEndpoint:
    """
    A peer's stream, as something that C{ClientService} can connect to.

    @param target: C{host:port}.
    @param method: the full name of the stream's method.
    @param request: the type of the messages that go to the peer.
    @param response: the type of those that come.
    @param hello: makes the first message.
    @param welcomed: whether this, the first message that came, is a welcome.
    @param quiet_s: a peer may give no welcome: one that keeps the stream open for so
        long, and is there (L{StreamTransport.echo}), has taken it; 0: it may not.
    @param speaks: whether a peer that gives no welcome may begin with this.
    @param echo: the method whose answer, whatever it is, shows that the peer is there.
    """

    def __init__(
        self,
        target: str,
        method: str,
        *,
        request: type[Message],
        response: type[Message],
        hello: Callable[[], Message],
        welcomed: Callable[[Any], bool],
        welcome_timeout_s: float,
        keepalive_s: float = 1.5,
        spacing_s: float = 0.0,
        quiet_s: float = 0.0,
        speaks: Callable[[Any], bool] | None = None,
        echo: str = HEALTH,
    ) -> None:
        self._echo = echo
        self._target = target
        self._quiet_s = quiet_s
        self._speaks = speaks
        self._method = method
        self._request = request
        self._response = response
        self._hello = hello
        self._welcomed = welcomed
        self._welcome_timeout_s = welcome_timeout_s
        self._keepalive_s = keepalive_s
        self._spacing_s = spacing_s

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Make one attempt.

        @return: a Deferred that fires with the protocol once the peer's welcome was
            given to it, or fails with L{StreamFailed} when all is closed again.
        """
        attempt = asyncio.ensure_future(self._attempt())
        opened: Deferred[_Open] = Deferred.fromFuture(attempt)
        return opened.addCallback(self._connected, protocolFactory)

    async def _attempt(self) -> _Open:
        channel = grpc.aio.insecure_channel(
            self._target, options=channel_options(self._keepalive_s)
        )
        try:
            return await self._greet(channel)
        except (grpc.RpcError, asyncio.InvalidStateError) as e:
            await channel.close()
            raise StreamFailed(explain(e)) from None
        except BaseException:  # also a cancelled attempt
            await channel.close()
            raise

    async def _greet(self, channel: grpc.aio.Channel) -> _Open:
        call = channel.stream_stream(
            self._method,
            request_serializer=self._request.SerializeToString,
            response_deserializer=self._response.FromString,
        )()
        try:
            async with asyncio.timeout(self._welcome_timeout_s):
                await call.write(self._hello())
                if self._quiet_s:
                    return await self._listen(channel, call)
                first = await call.read()
        except TimeoutError:
            raise StreamFailed(f"no welcome in {self._welcome_timeout_s} s") from None
        return await self._begun(channel, call, first)

    async def _listen(self, channel: grpc.aio.Channel, call: Any) -> _Open:
        # Not cancelled by a timeout: that would end the call.
        reading = asyncio.ensure_future(call.read())
        try:
            done, _ = await asyncio.wait((reading,), timeout=self._quiet_s)
            if not done:
                await echo(channel, self._echo, self._welcome_timeout_s)
            if not reading.done():
                return _Open(channel, call, None, reading)
            return await self._begun(channel, call, await reading)
        except BaseException:
            reading.cancel()
            raise

    async def _begun(self, channel: grpc.aio.Channel, call: Any, first: Any) -> _Open:
        if first is grpc.aio.EOF:
            raise StreamFailed(f"no welcome: {await _ended(call)}")
        if not self._welcomed(first) and not (self._speaks and self._speaks(first)):
            raise StreamFailed("the peer's first message is not a welcome")
        return _Open(channel, call, first)

    def _connected(self, opened: _Open, factory: IProtocolFactory) -> Any:
        first = opened.first
        welcomed = opened.reading is None and self._welcomed(first)
        protocol: Any = factory.buildProtocol(StreamAddress(self._target, welcomed))
        if protocol is None:  # nobody wants it any more
            closed = Deferred.fromFuture(asyncio.ensure_future(_close(opened)))
            return closed.addCallback(_not_wanted)
        transport = StreamTransport(
            opened.channel,
            opened.call,
            protocol,
            spacing_s=self._spacing_s,
            reading=opened.reading,
            echo=self._echo,
        )
        protocol.makeConnection(transport)
        if opened.reading is None:
            protocol.messageReceived(first)
        # Its first step is in a later turn of the loop: by then ClientService has
        # the protocol, and a loss finds it ready.
        transport.start()
        return protocol


async def _close(opened: _Open) -> None:
    opened.call.cancel()
    if opened.reading is not None:
        await asyncio.gather(opened.reading, return_exceptions=True)
    await opened.channel.close()


def _not_wanted(_: object) -> None:
    raise StreamFailed("not wanted any more")


async def _ended(call: Any) -> str:
    details = await call.details()
    code = await call.code()
    return "the peer ended it" + (f": {details}" if details else f" ({code.name})")


async def _answered(call: Any, request: Message, timeout_s: float) -> Any:
    try:
        return await call(request, timeout=timeout_s)
    except grpc.aio.AioRpcError as e:
        raise to_error(e) from None
    except (asyncio.CancelledError, grpc.aio.UsageError):  # the channel is closed
        raise Unavailable("the stream was closed meanwhile", 500) from None
