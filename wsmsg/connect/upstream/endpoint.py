"""
The way to a Message: ours, which gives a welcome, or a deployed one, which says
nothing.

Only ours serves queries.  So in C{auto} the first thing that a Message is asked is
nothing but that, at every attempt; ours is then dialled as ever, without any wait::

    Query? --answered--> subscribe --welcome--> ours
       `-----unknown---> subscribe, no pings
                             |--welcome-------> ours all the same
                             `--quiet, or its events, and it answers calls--> deployed

Pings are for ours only: a server of Go that was not set up for them takes them for an
attack, and closes the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings
from wsmsg.stream.contract import HISTORY, KEEPALIVE_S, MESSAGE_STREAM, QUERY, SPACING_S
from wsmsg.stream.endpoint import StreamEndpoint
from wsmsg.stream.probe import serves

#: Makes the subscribe of one attempt.
Hello = Callable[[], rest_pb2.MessageStreamRequest]

#: Whatever it is asked for, with an empty request it is the page before the first,
#: and so the answer an error, which costs a deployed Message nothing.
_ECHO = HISTORY

_EVENTS = frozenset({"push_event", "failure", "ack_confirm"})


def grpc_endpoint(
    address: str, hello: Hello, settings: ConnectSettings
) -> IStreamClientEndpoint:
    """
    The way to a Message.
    """
    welcoming = StreamEndpoint(
        address,
        MESSAGE_STREAM,
        request=rest_pb2.MessageStreamRequest,
        response=rest_pb2.MessageStreamResponse,
        hello=hello,
        welcomed=_is_welcome,
        welcome_timeout_s=settings.welcome_timeout_s,
        keepalive_s=KEEPALIVE_S,
        spacing_s=SPACING_S,
    )
    quiet = StreamEndpoint(
        address,
        MESSAGE_STREAM,
        request=rest_pb2.MessageStreamRequest,
        response=rest_pb2.MessageStreamResponse,
        hello=hello,
        welcomed=_is_welcome,
        welcome_timeout_s=settings.welcome_timeout_s + settings.upstream.quiet_s,
        keepalive_s=0,
        quiet_s=settings.upstream.quiet_s,
        speaks=_is_event,
        echo=_ECHO,
    )
    match settings.upstream.peer:
        case "wsmsg":
            return welcoming
        case "legacy":
            return quiet
        case _:
            limit_s = settings.welcome_timeout_s
            return _EitherEndpoint(address, welcoming, quiet, limit_s)


@implementer(IStreamClientEndpoint)
class _EitherEndpoint:
    """
    Dials in the way that fits who is there.
    """

    def __init__(
        self,
        address: str,
        welcoming: IStreamClientEndpoint,
        quiet: IStreamClientEndpoint,
        limit_s: float,
    ) -> None:
        self._address = address
        self._welcoming = welcoming
        self._quiet = quiet
        self._limit_s = limit_s

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        asked = asyncio.ensure_future(serves(self._address, QUERY, self._limit_s))

        def known(ours: bool) -> Any:
            endpoint = self._welcoming if ours else self._quiet
            return endpoint.connect(protocolFactory)

        answered: Deferred[Any] = Deferred.fromFuture(asked)
        return answered.addCallback(known)


def _is_welcome(message: rest_pb2.MessageStreamResponse | None) -> bool:
    # None: what came could not be decoded.
    return message is not None and message.HasField("welcome")


def _is_event(message: rest_pb2.MessageStreamResponse | None) -> bool:
    return message is not None and message.WhichOneof("response_type") in _EVENTS
