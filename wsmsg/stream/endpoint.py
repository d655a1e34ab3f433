"""
The endpoint of a gRPC bidirectional stream, for C{ClientService} to dial.

An attempt succeeds when the peer's welcome has arrived.  A failed attempt closes
whatever it opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
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

from wsmsg.peers.channel import NotProven, OpenChannel, PeerChannel
from wsmsg.stream.errors import StreamFailed, to_failure
from wsmsg.stream.options import channel_options
from wsmsg.stream.probe import HEALTH, echo
from wsmsg.stream.transport import StreamTransport, ended


@attrs.frozen
class _Open:
    """
    The open call of a successful attempt.

    @ivar first: the first message of the peer; L{None} if it has sent none.
    @ivar reading: the pending read, if the peer has sent no message.
    """

    channel: PeerChannel
    call: Any
    first: Any
    reading: asyncio.Future[Any] | None = None


@implementer(IAddress)
@attrs.frozen
class StreamAddress:
    """
    The address of a stream's peer.

    @ivar welcomed: whether the peer sent a welcome.
    """

    target: str
    welcomed: bool = True


@implementer(IStreamClientEndpoint)
class StreamEndpoint:
    """
    The stream of a peer.

    @param open_channel: opens the channel.
    @param target: C{host:port}.
    @param method: the full name of the stream's method.
    @param request: the type of the messages to the peer.
    @param response: the type of the messages from the peer.
    @param hello: makes the first message.
    @param welcomed: returns whether the first message of the peer is a welcome.
    @param quiet_s: accepts a peer without a welcome, if it keeps the stream open for so
        long and answers a call (L{StreamTransport.echo}); 0: a welcome is required.
    @param speaks: returns whether the first message of a peer without a welcome is one
        that such a peer may send.
    @param metadata: of the call.
    @param echo: the method that is called to see whether the peer answers at all.
    """

    def __init__(
        self,
        open_channel: OpenChannel,
        target: str,
        method: str,
        *,
        request: type[Message],
        response: type[Message],
        hello: Callable[[], Message],
        welcomed: Callable[[Any], bool],
        welcome_timeout_s: float,
        keepalive_s: float = 1.5,
        quiet_s: float = 0.0,
        speaks: Callable[[Any], bool] | None = None,
        metadata: Sequence[tuple[str, str]] = (),
        echo: str = HEALTH,
    ) -> None:
        self._open_channel = open_channel
        self._echo = echo
        self._metadata = tuple(metadata)
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

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Make one attempt.

        @return: a Deferred that fires with the protocol once the protocol has the
            peer's welcome, or fails with L{StreamFailed} when everything that the
            attempt opened is closed again.
        """
        attempt = asyncio.ensure_future(self._attempt())
        opened: Deferred[_Open] = Deferred.fromFuture(attempt)
        return opened.addCallback(self._connected, protocolFactory)

    async def _attempt(self) -> _Open:
        try:
            async with asyncio.timeout(self._welcome_timeout_s):
                return await self._dial()
        except TimeoutError:
            raise StreamFailed(f"no welcome in {self._welcome_timeout_s} s") from None
        except (grpc.RpcError, asyncio.InvalidStateError, NotProven) as e:
            raise to_failure(e) from None

    async def _dial(self) -> _Open:
        options = channel_options(self._keepalive_s)
        # The limit of the attempt ends it; this one must not come first.
        limit_s = 2 * self._welcome_timeout_s
        channel = await self._open_channel(self._target, options, limit_s)
        try:
            return await self._greet(channel)
        except BaseException:
            await channel.close()
            raise

    async def _greet(self, channel: PeerChannel) -> _Open:
        call = channel.stream(
            self._method,
            request=self._request.SerializeToString,
            response=self._response.FromString,
            metadata=self._metadata,
        )
        await channel.begun(call)
        await call.write(self._hello())
        if self._quiet_s:
            return await self._listen(channel, call)
        return await self._begun(channel, call, await call.read())

    async def _listen(self, channel: PeerChannel, call: Any) -> _Open:
        # A timeout must not cancel the read, as that would end the call.
        reading = asyncio.ensure_future(call.read())
        try:
            done, _ = await asyncio.wait((reading,), timeout=self._quiet_s)
            if not done:
                await echo(channel.raw, self._echo, self._welcome_timeout_s)
            if not reading.done():
                return _Open(channel, call, None, reading)
            return await self._begun(channel, call, await reading)
        except (Exception, asyncio.CancelledError):
            reading.cancel()
            raise

    async def _begun(self, channel: PeerChannel, call: Any, first: Any) -> _Open:
        if first is grpc.aio.EOF:
            raise StreamFailed(f"no welcome: {await ended(call)}")
        if not self._welcomed(first) and not (self._speaks and self._speaks(first)):
            raise StreamFailed("the peer's first message is not a welcome")
        return _Open(channel, call, first)

    def _connected(self, opened: _Open, factory: IProtocolFactory) -> Any:
        first = opened.first
        welcomed = opened.reading is None and self._welcomed(first)
        protocol: Any = factory.buildProtocol(StreamAddress(self._target, welcomed))
        if protocol is None:  # the stream is not wanted any more
            closed = Deferred.fromFuture(asyncio.ensure_future(_close(opened)))
            return closed.addCallback(_not_wanted)
        transport = StreamTransport(
            opened.channel,
            opened.call,
            protocol,
            reading=opened.reading,
            echo=self._echo,
        )
        protocol.makeConnection(transport)
        if opened.reading is None:
            protocol.messageReceived(first)
        # The transport takes its first step in a later turn of the loop.  By then
        # ClientService has the protocol and can handle its loss.
        transport.start()
        return protocol


async def _close(opened: _Open) -> None:
    opened.call.cancel()
    if opened.reading is not None:
        await asyncio.gather(opened.reading, return_exceptions=True)
    await opened.channel.close()


def _not_wanted(_: object) -> None:
    raise StreamFailed("the stream is not wanted any more")
