"""
The peers' gRPC layer: it passes bytes in and out, so that a peer chooses and sees every
byte.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import grpc.aio

from tests.conformance.contract import METHODS, PACKAGE, method

#: grpc-go as it is legacy has no keepalive; a channel of its own for each peer.
CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1)]
SERVER_OPTIONS = [("grpc.so_reuseport", 0)]


def as_bytes(payload: Any) -> bytes:
    """
    A message of the contract, or bytes that need not be one.
    """
    if isinstance(payload, bytes):
        return payload
    encoded: bytes = payload.SerializeToString(deterministic=True)
    return encoded


def free_port() -> int:
    """
    A port of loopback that nobody has now.
    """
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def channel_to(port: int) -> Any:
    """
    A plain channel to a daemon of this machine.
    """
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)


def service(name: str, served: Mapping[str, Callable[..., Any]]) -> Any:
    """
    A service of the contract.

    @param served: by method; what is not in it is answered as unimplemented.
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


async def serve(services: list[Any], port: int) -> Any:
    """
    A server of services on a port of loopback.
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

    @return: the answer's bytes.
    """
    unary = channel.unary_unary(method(service_name, name), request_serializer=as_bytes)
    answer: bytes = await unary(request, timeout=30)
    return answer
