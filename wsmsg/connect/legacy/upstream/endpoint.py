"""
The gRPC endpoint of a legacy Message, which sends no welcome.

An attempt succeeds when the Message keeps the stream open for C{upstream.quiet_s} and
answers a unary call, or when its first message is an event of the legacy protocol::

    subscribe, no pings --welcome---------------------------> wsmsg, only slow
                        `-quiet or an event, answers a call-> legacy

The call is a health check.  A legacy Message does not serve it, and its gRPC library
says so without a look at the database, in the order in which it reads the connection.

It is sent no keepalive pings: a Go server that is not set up for them takes them for
an attack and closes the connection.
"""

from __future__ import annotations

from wsmsg.connect.upstream.endpoint import Hello, is_welcome
from wsmsg.peers.channel import open_unproven
from wsmsg.rpc import rest_pb2
from wsmsg.settings.values import ConnectSettings
from wsmsg.stream.contract import MESSAGE_STREAM
from wsmsg.stream.endpoint import StreamEndpoint

_EVENTS = frozenset({"push_event", "failure", "ack_confirm"})


def legacy_endpoint(
    address: str, hello: Hello, settings: ConnectSettings
) -> StreamEndpoint:
    """
    Return the endpoint of the Message at an address.

    Unless the settings say that it is legacy the subscribe has the fields of wsmsg as
    well, because the Message may turn out to be one of wsmsg that is only slow.
    """

    def legacy_hello() -> rest_pb2.MessageStreamRequest:
        node = hello().subscribe.connect_service_id
        return rest_pb2.MessageStreamRequest(
            subscribe=rest_pb2.SubscribeRequest(connect_service_id=node)
        )

    return StreamEndpoint(
        open_unproven,
        address,
        MESSAGE_STREAM,
        request=rest_pb2.MessageStreamRequest,
        response=rest_pb2.MessageStreamResponse,
        hello=hello if settings.upstream.peer == "auto" else legacy_hello,
        welcomed=is_welcome,
        welcome_timeout_s=settings.welcome_timeout_s + settings.upstream.quiet_s,
        keepalive_s=0,
        quiet_s=settings.upstream.quiet_s,
        speaks=_is_event,
    )


def _is_event(message: rest_pb2.MessageStreamResponse | None) -> bool:
    return message is not None and message.WhichOneof("response_type") in _EVENTS
