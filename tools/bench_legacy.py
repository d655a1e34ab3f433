"""
What a message costs Message in CPU over a deployed Connect's stream of single events,
beside our own stream, and what a deployed Connect beside ours costs ours.

One Message takes the same open loop of sends over three arrangements, in turns: C{ours}
(a link with batches both ways), C{deployed} (a stream of single events both ways) and
C{beside} (the load of C{ours}, while a deployed Connect is subscribed and gets all of
it as well).  Run C{python -m tools.bench_legacy [--rate N] [--seconds N] [--rounds N]}.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import grpc.aio

from wsmsg.bench.load.proc import cpu_s
from wsmsg.rpc import rest_pb2
from wsmsg.stream.options import channel_options

Request = rest_pb2.MessageStreamRequest
Response = rest_pb2.MessageStreamResponse

_METHOD = "/rest.MessageService/MessageStream"
_TWISTD = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
_PAIRS = 200
_BATCH_S = 0.005
_WARM_S = 1.0


class Load:
    """
    One way of talking to Message.

    @ivar late: seconds from when each message was due to when it was pushed back.
    """

    def __init__(self, first_user: int) -> None:
        self.first_user = first_user
        self.due: dict[str, float] = {}
        self.late: list[float] = []
        self.sent = 0
        self.writing = asyncio.Lock()  # a stream bears one write at a time

    def content(self) -> tuple[int, str]:
        """
        A sender, and what it says next.
        """
        self.sent += 1
        content = f"{self.first_user}-{self.sent}".ljust(200, ".")
        self.due[content] = time.perf_counter()
        return self.first_user + 2 * (self.sent % _PAIRS), content

    def came(self, content: str) -> None:
        """
        It was pushed.
        """
        due = self.due.pop(content, None)
        if due is not None:
            self.late.append(time.perf_counter() - due)

    async def open(self, call: Any) -> None:
        """
        Subscribe.
        """

    async def send(self, call: Any, n: int) -> None:
        """
        Give so many messages.
        """

    async def read(self, call: Any) -> None:
        """
        Take what is pushed, until cancelled.
        """


class Ours(Load):
    """
    Our own stream: batches, acknowledged cumulatively.
    """

    async def open(self, call: Any) -> None:
        name = f"ours-{self.first_user}"
        await call.write(
            Request(
                subscribe=rest_pb2.SubscribeRequest(
                    connect_service_id=name, link_version=1, incarnation=name
                )
            )
        )
        await call.read()
        users = range(self.first_user, self.first_user + 2 * _PAIRS)
        delta = rest_pb2.PresenceDelta(
            number=1, online=users, snapshot=rest_pb2.PresenceDelta.WHOLE
        )
        await call.write(Request(batch=rest_pb2.ConnectBatch(presence=delta)))
        await call.read()

    async def send(self, call: Any, n: int) -> None:
        request = Request()
        for _ in range(n):
            sender, content = self.content()
            request.batch.sends.add(
                id=self.sent,
                sender=sender,
                client_id=f"{self.sent}",
                conversation=f"u:{sender}:{sender + 1}",
                content=content,
                kind=1,
            )
        async with self.writing:
            await call.write(request)

    async def read(self, call: Any) -> None:
        while (response := await call.read()) is not grpc.aio.EOF:
            batch = response.batch
            for push in batch.pushes:
                self.came(push.message.content)
            if batch.number:
                done = rest_pb2.ConnectBatch(pushed=batch.number)
                async with self.writing:
                    await call.write(Request(batch=done))


class Deployed(Load):
    """
    A deployed Connect's stream: an event a message, each way.
    """

    async def open(self, call: Any) -> None:
        name = f"connect-{self.first_user}"
        hello = rest_pb2.SubscribeRequest(connect_service_id=name)
        await call.write(Request(subscribe=hello))

    async def send(self, call: Any, n: int) -> None:
        for _ in range(n):
            sender, content = self.content()
            fields: dict[str, Any] = {"from": sender, "to": sender + 1}
            message = rest_pb2.WSMessage(content=content, message_type=1, **fields)
            await call.write(
                Request(send_message=rest_pb2.SendWSMessageRequest(msg=message))
            )

    async def read(self, call: Any) -> None:
        while (response := await call.read()) is not grpc.aio.EOF:
            event = response.push_event
            self.came(event.message.content)


@asynccontextmanager
async def stream(address: str, load: Load) -> AsyncIterator[Any]:
    """
    A stream on which the load is subscribed and read.
    """
    options = channel_options(5.0)
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        call = channel.stream_stream(
            _METHOD,
            request_serializer=Request.SerializeToString,
            response_deserializer=Response.FromString,
        )()
        await load.open(call)
        reading = asyncio.ensure_future(load.read(call))
        try:
            yield call
        finally:
            reading.cancel()
            call.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def run(load: Load, call: Any, rate: int, seconds: float) -> int:
    """
    Give messages at this rate for so long, then wait until all came back.

    @return: how many were given.
    """
    begun, given = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begun) < seconds:
        due = int(elapsed * rate) - given
        if due:
            await load.send(call, due)
            given += due
        await asyncio.sleep(_BATCH_S)
    async with asyncio.timeout(60):
        while load.due:
            await asyncio.sleep(0.01)
    return given


async def measure(
    address: str, pid: int, load: Load, beside: Load | None, options: Any
) -> tuple[float, float, float]:
    """
    @return: CPU microseconds a message, p50 and p99 of the time until it was pushed.
    """
    async with AsyncExitStack() as stack:
        call = await stack.enter_async_context(stream(address, load))
        if beside is not None:
            await stack.enter_async_context(stream(address, beside))
        await run(load, call, options.rate, _WARM_S)
        load.late.clear()
        before = cpu_s(pid)
        given = await run(load, call, options.rate, options.seconds)
        used = cpu_s(pid) - before
    late = sorted(load.late)
    return (
        used / given * 1e6,
        late[len(late) // 2] * 1e3,
        late[int(len(late) * 0.99)] * 1e3,
    )


def message(folder: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    """
    A Message with a folder of its own.
    """
    names = ("LISTEN", "RPC_LISTEN", "ADMIN_LISTEN")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WSMSG_")}
    environment["WSMSG_MESSAGE__DATA_DIR"] = str(folder)
    for name, port in zip(names, ports, strict=True):
        environment[f"WSMSG_MESSAGE__{name}"] = f"127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _TWISTD, "--nodaemon", "--pidfile=", "message"],
            env=environment,
            stdout=log,
            stderr=log,
        )


async def bench(options: Any) -> None:
    """
    Measure all arrangements in turns, and print what came of it.
    """
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    address = f"127.0.0.1:{ports[1]}"
    found: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory("-wsmsg-bench") as folder:
        process = message(Path(folder), ports)
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                async with asyncio.timeout(30):
                    await channel.channel_ready()
            users = 1_000_000
            for _ in range(options.rounds):
                for name in ("ours", "deployed", "beside"):
                    users += 10_000
                    load = Deployed(users) if name == "deployed" else Ours(users)
                    other = Deployed(users + 5000) if name == "beside" else None
                    figures = await measure(address, process.pid, load, other, options)
                    found.setdefault(name, []).append(figures)
                    print(f"{name:9} CPU {figures[0]:6.0f} us a message,", end=" ")
                    print(f"p50 {figures[1]:6.1f} ms, p99 {figures[2]:6.1f} ms")
        finally:
            process.terminate()
            process.wait(20)
    report(found)


def report(found: dict[str, list[tuple[float, float, float]]]) -> None:
    """
    Medians and ratios.
    """
    cpu = {name: median(f[0] for f in figures) for name, figures in found.items()}
    p50 = {name: median(f[1] for f in figures) for name, figures in found.items()}
    print(f"single events cost {cpu['deployed'] / cpu['ours']:.2f} times our stream")
    extra = cpu["beside"] - cpu["ours"]
    print(f"a deployed Connect beside ours: {extra:+.0f} us of CPU a message for it;")
    print(f"a message of ours takes {p50['beside'] / p50['ours']:.2f} times as long")


def main() -> None:
    """
    Read the options and measure.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    asyncio.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
