"""
The gRPC endpoints of Messages.

A Message of wsmsg answers the subscribe with a welcome.  A Message that numbers no
messages sends no welcome, and a plug-in dials it (L{UnnumberedMode}).  With
C{upstream.peer = "auto"} each attempt begins with a probe::

    a proof? Query? --yes--------------> subscribe, with keepalive pings --> welcome
                 `----unimplemented----> the endpoint of the plug-in
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from wsmsg.peers.channel import OpenChannel
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings
from wsmsg.stream.contract import (
    KEEPALIVE_S,
    MESSAGE_STREAM,
    QUERY,
    RELAY_STREAM,
    RELAY_TO,
)
from wsmsg.stream.endpoint import StreamEndpoint
from wsmsg.stream.probe import serves

#: Makes the subscribe of one attempt.
Hello = Callable[[], rest_pb2.MessageStreamRequest]

#: Makes the endpoint of a Message that sends no welcome.
UnnumberedEndpoint = Callable[[], IStreamClientEndpoint]

#: (address, hello, settings, the way to dial a Message that sends no welcome).
#: The last is L{None} where the Message must send a welcome.
EndpointOf = Callable[
    [str, Hello, ConnectSettings, "UnnumberedEndpoint | None"], IStreamClientEndpoint
]


#: (the address of the Message that passes the stream on, that of the Message, hello,
#: settings).
RelayedEndpointOf = Callable[[str, str, Hello, ConnectSettings], IStreamClientEndpoint]

#: Asks the Message at an address, within a time; never fails.
Answers = Callable[[str, float], "Deferred[bool]"]


@attrs.frozen
class MessageEndpoints:
    """
    The ways to reach a Message.

    @ivar endpoint: directly.
    @ivar relayed: through another Message.
    @ivar answers: to find out whether it answers.
    """

    endpoint: EndpointOf
    relayed: RelayedEndpointOf
    answers: Answers


def grpc_endpoints(open_channel: OpenChannel) -> MessageEndpoints:
    """
    Return the ways to reach a Message by gRPC.
    """
    return MessageEndpoints(
        partial(_endpoint, open_channel),
        partial(_relayed_endpoint, open_channel),
        partial(_answers, open_channel),
    )


def _endpoint(
    open_channel: OpenChannel,
    address: str,
    hello: Hello,
    settings: ConnectSettings,
    unnumbered: UnnumberedEndpoint | None,
) -> IStreamClientEndpoint:
    """
    Return the endpoint of the Message at an address (L{EndpointOf}).
    """
    numbered = _stream_endpoint(open_channel, address, MESSAGE_STREAM, hello, settings)
    if unnumbered is None or settings.upstream.peer == "wsmsg":
        return numbered
    if settings.upstream.peer == "auto":
        limit_s = settings.welcome_timeout_s
        probe = partial(serves, open_channel, address, QUERY, limit_s)
        return _ProbingEndpoint(probe, numbered, unnumbered)
    return unnumbered()


def _relayed_endpoint(
    open_channel: OpenChannel,
    through: str,
    address: str,
    hello: Hello,
    settings: ConnectSettings,
) -> IStreamClientEndpoint:
    """
    Return the endpoint of a Message that another one passes the stream on to
    (L{RelayedEndpointOf}).
    """
    metadata = ((RELAY_TO, address),)
    return _stream_endpoint(
        open_channel, through, RELAY_STREAM, hello, settings, metadata
    )


def _stream_endpoint(
    open_channel: OpenChannel,
    address: str,
    method: str,
    hello: Hello,
    settings: ConnectSettings,
    metadata: Sequence[tuple[str, str]] = (),
) -> StreamEndpoint:
    return StreamEndpoint(
        open_channel,
        address,
        method,
        request=rest_pb2.MessageStreamRequest,
        response=rest_pb2.MessageStreamResponse,
        hello=hello,
        welcomed=is_welcome,
        welcome_timeout_s=settings.welcome_timeout_s,
        keepalive_s=KEEPALIVE_S,
        metadata=metadata,
    )


def _answers(open_channel: OpenChannel, address: str, limit_s: float) -> Deferred[bool]:
    """
    Return whether the Message at an address answers; never fails.
    """
    probe = asyncio.ensure_future(serves(open_channel, address, QUERY, limit_s))
    answered: Deferred[bool] = Deferred.fromFuture(probe)
    return answered.addErrback(lambda _: False)


def is_welcome(message: rest_pb2.MessageStreamResponse | None) -> bool:
    """
    Return whether a message of Message is the welcome.

    @param message: L{None} for bytes that could not be decoded.
    """
    return message is not None and message.HasField("welcome")


@implementer(IStreamClientEndpoint)
class _ProbingEndpoint:
    """
    Dials a Message that serves queries as one that numbers messages, and any other by
    the endpoint of the plug-in.
    """

    def __init__(
        self,
        probe: Callable[[], Coroutine[Any, Any, bool]],
        numbered: IStreamClientEndpoint,
        unnumbered: UnnumberedEndpoint,
    ) -> None:
        self._probe = probe
        self._numbered = numbered
        self._unnumbered = unnumbered

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        probe = asyncio.ensure_future(self._probe())

        def connect(serves_queries: bool) -> Any:
            endpoint = self._numbered if serves_queries else self._unnumbered()
            return endpoint.connect(protocolFactory)

        answered: Deferred[Any] = Deferred.fromFuture(probe)
        return answered.addCallback(connect)
