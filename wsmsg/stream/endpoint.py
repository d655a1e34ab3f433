"""
The endpoint of a gRPC bidirectional stream, for C{ClientService} to dial.

An attempt succeeds when the peer's welcome has arrived.  A failed attempt closes
whatever it opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

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
from zope.interface import implementer

from wsmsg.stream.errors import StreamFailed, explain
from wsmsg.stream.options import channel_options
from wsmsg.stream.probe import HEALTH, echo
from wsmsg.stream.transport import StreamTransport, ended


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
            raise StreamFailed(f"no welcome: {await ended(call)}")
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
