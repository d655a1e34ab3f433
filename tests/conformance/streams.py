"""
The peers' gRPC layer, which passes raw bytes, so that a peer controls and records every
byte.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from tests.conformance.contract import METHODS, PACKAGE, method

#: Like grpc-go in the legacy system: no keepalive, and a channel for each peer.
CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1)]
SERVER_OPTIONS = [("grpc.so_reuseport", 0)]


def as_bytes(payload: Any) -> bytes:
    """
    Return the bytes of a message of the contract, or bytes as they are.
    """
    if isinstance(payload, bytes):
        return payload
    encoded: bytes = payload.SerializeToString(deterministic=True)
    return encoded


def free_port() -> int:
    """
    Return a port of loopback that no process uses.
    """
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def channel_to(port: int) -> Any:
    """
    Open an insecure channel to a daemon of this machine.
    """
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)


def service(name: str, served: Mapping[str, Callable[..., Any]]) -> Any:
    """
    Return a service of the contract.

    @param served: handlers by method; other methods are answered as unimplemented.
    """
    kinds = {}
    for method_name, function in served.items():
        many = METHODS[name, method_name][0].startswith("stream ")
        make = (
            grpc.stream_stream_rpc_method_handler
            if many
            else grpc.unary_unary_rpc_method_handler
        )
        kinds[method_name] = make(function, response_serializer=as_bytes)
    return grpc.method_handlers_generic_handler(f"{PACKAGE}.{name}", kinds)


class UnknownMethods(grpc.GenericRpcHandler):  # type: ignore[misc]
    """
    Answers the methods that a server does not know, while it runs.

    @param running: has C{passed()}, which waits while the server is suspended.
    """

    def __init__(self, running: Any) -> None:
        self._running = running

    def service(self, handler_call_details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._refuse)

    async def _refuse(self, data: bytes, context: Any) -> bytes:
        await self._running.passed()
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        raise AssertionError


async def serve(services: list[Any], port: int) -> Any:
    """
    Return a server of services on a port of loopback.
    """
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers(tuple(services))
    if server.add_insecure_port(f"127.0.0.1:{port}") != port:
        raise OSError(f"port {port} is taken")
    await server.start()
    return server


async def call(channel: Any, service_name: str, name: str, request: Any) -> bytes:
    """
    Call a unary method.

    @return: the bytes of the response.
    """
    unary = channel.unary_unary(method(service_name, name), request_serializer=as_bytes)
    answer: bytes = await unary(request, timeout=30)
    return answer
