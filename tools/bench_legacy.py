"""
Benchmark of Message with a legacy Connect, against the same load over our own stream.

One Message gets the same open loop of sends in three arrangements, in turns: C{ours}
(a link with batches both ways), C{legacy} (a stream of single events both ways) and
C{both} (the load of C{ours}, while a legacy Connect is subscribed and gets all pushes
as well).  Run C{python -m tools.bench_legacy [--rate N] [--seconds N] [--rounds N]}.
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
    The load over one kind of stream to Message.

    @ivar late: seconds from the time when each message was due to its push.
    """

    def __init__(self, first_user: int) -> None:
        self.first_user = first_user
        self.due: dict[str, float] = {}
        self.late: list[float] = []
        self.sent = 0
        self.writing = asyncio.Lock()  # gRPC allows one write at a time

    def content(self) -> tuple[int, str]:
        """
        Return a sender and the content of its next message.
        """
        self.sent += 1
        content = f"{self.first_user}-{self.sent}".ljust(200, ".")
        self.due[content] = time.perf_counter()
        return self.first_user + 2 * (self.sent % _PAIRS), content

    def came(self, content: str) -> None:
        """
        Record the push of a message.
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
        Send C{n} messages.
        """

    async def read(self, call: Any) -> None:
        """
        Receive pushes until cancelled.
        """


class Ours(Load):
    """
    A link: batches, acknowledged cumulatively.
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


class Legacy(Load):
    """
    The stream of a legacy Connect: one event a message, each way.
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
    Open a stream, subscribe the load and read its pushes.
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
    Send at this rate for this time, then wait until all messages were pushed.

    @return: how many were sent.
    """
    begun, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begun) < seconds:
        due = int(elapsed * rate) - count
        if due:
            await load.send(call, due)
            count += due
        await asyncio.sleep(_BATCH_S)
    async with asyncio.timeout(60):
        while load.due:
            await asyncio.sleep(0.01)
    return count


async def measure_arrangement(
    address: str, pid: int, load: Load, other: Load | None, options: Any
) -> tuple[float, float, float]:
    """
    Measure one arrangement.

    @return: CPU microseconds a message, p50 and p99 of the time to its push in ms.
    """
    async with AsyncExitStack() as stack:
        call = await stack.enter_async_context(stream(address, load))
        if other is not None:
            await stack.enter_async_context(stream(address, other))
        await run(load, call, options.rate, _WARM_S)
        load.late.clear()
        before = cpu_s(pid)
        count = await run(load, call, options.rate, options.seconds)
        used = cpu_s(pid) - before
    late = sorted(load.late)
    return (
        used / count * 1e6,
        late[len(late) // 2] * 1e3,
        late[int(len(late) * 0.99)] * 1e3,
    )


def message(folder: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    """
    Start a Message with a directory of its own.
    """
    names = ("LISTEN", "RPC_LISTEN", "ADMIN_LISTEN")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WSMSG_")}
    environment["WSMSG_MESSAGE__DATA_DIR"] = str(folder)
    # The load speaks raw gRPC, in both arrangements.
    environment["WSMSG_MESSAGE__PEER__PROOF"] = "none"
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
    Measure all arrangements in turns and print the figures.
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
                for name in ("ours", "legacy", "both"):
                    users += 10_000
                    load = Legacy(users) if name == "legacy" else Ours(users)
                    other = Legacy(users + 5000) if name == "both" else None
                    figures = await measure_arrangement(
                        address, process.pid, load, other, options
                    )
                    found.setdefault(name, []).append(figures)
                    print(f"{name:9} CPU {figures[0]:6.0f} us a message,", end=" ")
                    print(f"p50 {figures[1]:6.1f} ms, p99 {figures[2]:6.1f} ms")
        finally:
            process.terminate()
            process.wait(20)
    report(found)


def report(found: dict[str, list[tuple[float, float, float]]]) -> None:
    """
    Print medians and ratios.
    """
    cpu = {name: median(f[0] for f in figures) for name, figures in found.items()}
    p50 = {name: median(f[1] for f in figures) for name, figures in found.items()}
    print(f"single events cost {cpu['legacy'] / cpu['ours']:.2f} times our stream")
    extra = cpu["both"] - cpu["ours"]
    print(f"a legacy Connect as well: {extra:+.0f} us of CPU a message,")
    print(f"and a message takes {p50['both'] / p50['ours']:.2f} times as long")


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
