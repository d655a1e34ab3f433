"""
A program of another account of this machine, which tries everything at a gRPC port::

    python stranger.py UID PORT FILE ...

It prints one JSON object: for each attempt the status, and what it was told.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from wsmsg.rpc import rest_pb2 as pb
from wsmsg.rpc import rest_pb2_grpc as rpc

_LIMIT_S = 10


def attempts(port: int) -> dict[str, Callable[[], object]]:
    """
    Return what a stranger tries.
    """
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    queries, message = rpc.QueryServiceStub(channel), rpc.MessageServiceStub(channel)
    health = health_pb2_grpc.HealthStub(channel)

    def subscribe(**more: Any) -> list[Any]:
        hello = pb.SubscribeRequest(connect_service_id="connect-1", **more)
        frames = iter([pb.MessageStreamRequest(subscribe=hello)])
        return list(message.MessageStream(frames, timeout=_LIMIT_S))

    def relay(method: str, *metadata: tuple[str, str]) -> list[Any]:
        call = channel.stream_stream(f"/rest.RelayService/{method}")
        return list(call(iter([b""]), timeout=_LIMIT_S, metadata=metadata))

    def ask(**item: Any) -> object:
        request = pb.QueryRequest(items=[pb.QueryItem(**item)])
        return queries.Query(request, timeout=_LIMIT_S)

    def send() -> object:
        said = pb.WSMessage(to=1001, content="forged", message_type=1)
        return message.SendWSMessage(
            pb.SendWSMessageRequest(msg=said), timeout=_LIMIT_S
        )

    return {
        "heads": lambda: ask(heads=pb.HeadsQuery(user=1001, limit=5)),
        "presence": lambda: ask(presence=pb.PresenceQuery(users=[1001])),
        "send": send,
        "history": lambda: message.GetHistoryMessages(
            pb.GetHistoryRequest(user_id=1001, page=1, size=9), timeout=_LIMIT_S
        ),
        "subscribe": lambda: subscribe(link_version=1, incarnation="i"),
        "everything": lambda: subscribe(
            link_version=1, incarnation="i", everything=True
        ),
        "legacy stream": subscribe,
        "relay": lambda: relay("MessageStream", ("wsmsg-to", f"127.0.0.1:{port}")),
        "reaches": lambda: relay("Reaches"),
        "online": lambda: rpc.ConnectServiceStub(channel).OnlineStatus(
            pb.OnlineStatusRequest(user_ids=[1001]), timeout=_LIMIT_S
        ),
        "reflection": lambda: list(
            reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
                iter([reflection_pb2.ServerReflectionRequest(list_services="")]),
                timeout=_LIMIT_S,
            )
        ),
        "health watch": lambda: next(
            health.Watch(health_pb2.HealthCheckRequest(), timeout=_LIMIT_S)
        ),
        "health": lambda: health.Check(
            health_pb2.HealthCheckRequest(), timeout=_LIMIT_S
        ),
    }


def outcome(attempt: Callable[[], object]) -> tuple[str, str]:
    """
    Return the status of an attempt, and what the stranger was told.
    """
    try:
        return "OK", str(attempt())
    except grpc.RpcError as e:
        return e.code().name, e.details() or ""
    except OSError as e:
        return type(e).__name__, ""


def main(uid: int, port: int, *files: str) -> None:
    """
    Try everything as another user, if this process may become one.
    """
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    found = {name: outcome(attempt) for name, attempt in attempts(port).items()}
    for file in files:
        found[file] = outcome(Path(file).read_text)
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
