"""
Measures the memory of an idle connection, and the CPU of a message, at Connect alone.

Two servers take the same load one after the other: the floor (a bare Autobahn echo
server) and Connect's port, WebSockets and sessions with nothing behind them.  Run
C{python -m tools.bench_idle [--connections N] [--messages N]}.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USERS_FROM = 1000
KEY = "wsmsg-bench-idle-not-a-secret-key"
_TICKS = os.sysconf("SC_CLK_TCK")
_MASK = bytes(4)


def serve() -> None:
    """
    Connect without Message, on a free port.
    """
    from wsmsg.daemon.reactor import install_asyncio

    install_asyncio()
    from twisted.internet import reactor as installed

    reactor: Any = installed
    port = reactor.listenTCP(0, _port(reactor), backlog=1024, interface="127.0.0.1")
    print(f"port {port.getHost().port}", flush=True)
    reactor.run()


def _port(reactor: Any) -> Any:
    from twisted.internet.defer import succeed
    from twisted.internet.task import LoopingCall

    from wsmsg.auth.identity import Identity
    from wsmsg.connect.edge.admission import Admission
    from wsmsg.connect.edge.heartbeat import HeartbeatSweep
    from wsmsg.connect.edge.http import EdgeAccess, edge_site
    from wsmsg.connect.edge.online_status import OnlineStatus
    from wsmsg.connect.edge.port import Port
    from wsmsg.connect.session.context import SessionContext
    from wsmsg.connect.session.input import FrameDecoder
    from wsmsg.connect.session.registry import Registry
    from wsmsg.connect.session.session import subprotocol
    from wsmsg.connect.upstream.interface import HeadsView, SendAnswer
    from wsmsg.connect.websocket.factory import WebSocketConnections
    from wsmsg.monitoring.health import Health, any_up
    from wsmsg.protocol import json as codec_json
    from wsmsg.protocol import protobuf as codec_protobuf
    from wsmsg.settings.values import ConnectSettings, LimitSettings

    class Nothing:
        """
        An upstream that accepts everything at once.
        """

        up = True
        unnumbered = False

        @property
        def reads(self) -> Any:
            return self

        def send(self, new: Any, on_answer: Any) -> None:
            on_answer(SendAnswer(time_ms=1))

        def user_joined(self, user: int) -> Any:
            return succeed(True)

        def heads(self, user: int, position: str, limit: int, **_: Any) -> Any:
            return succeed(HeadsView([], False, "", ""))

        def user_left(self, user: int) -> None:
            pass

    often = 10**9
    limits = LimitSettings(
        handshakes_per_s=often,
        frames_per_s=often,
        frames_burst=often,
        requests_per_s=often,
        requests_burst=often,
        sends_per_s=often,
        sends_burst=often,
    )
    settings = ConnectSettings(limits=limits)
    registry = Registry(settings, reactor)
    upstream: Any = Nothing()

    def authenticate(token: str, claimed_user: int | None) -> Identity:
        return Identity(int(token))

    node = SessionContext(
        name="bench",
        incarnation="bench",
        registry=registry,
        upstream=upstream,
        authenticate=authenticate,
        clock=reactor,
        decoder=FrameDecoder(),
    )
    admission = Admission(limits, reactor)
    sweep = HeartbeatSweep(settings.heartbeat_s, reactor)
    sweep.start()
    due = LoopingCall(registry.timers.sweep)
    due.start(0.1, now=False)
    codecs = (codec_protobuf.CODEC, codec_json.CODEC)
    connections = WebSocketConnections(
        settings,
        reactor,
        admission=admission,
        sweep=sweep,
        subprotocols=[subprotocol(codec, node) for codec in codecs],
        authenticate=authenticate,
        soon=asyncio.get_event_loop().call_soon,
    )
    online = OnlineStatus(registry, upstream)
    return Port(
        admission,
        sweep,
        build_websocket=connections.build,
        build_http=edge_site(
            online,
            Health(reactor, any_up),
            admission,
            reactor,
            access=EdgeAccess(settings, authenticate, asks_token=False),
        ).build,
    )


# ------------------------------------------------------------------ the client


@contextmanager
def running(*command: str) -> Iterator[tuple[int, int]]:
    """
    A server process: its pid and its port.
    """
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline().split()[1])
    finally:
        process.kill()
        process.wait()


def resident_kib(pid: int) -> int:
    """
    Resident memory of a process.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [x for x in status.splitlines() if x.startswith("VmRSS:")]
    return int(line.split()[1])


def cpu_s(pid: int) -> float:
    """
    CPU time that a process has used.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def frame(payload: bytes, opcode: int = 2) -> bytes:
    """
    A frame masked with zeros: the server's work is the same, ours is less.
    """
    size = len(payload)
    head = bytes([0x80 | opcode])
    if size < 126:
        return head + bytes([0x80 | size]) + _MASK + payload
    return head + bytes([0xFE]) + size.to_bytes(2, "big") + _MASK + payload


class Client(asyncio.Protocol):
    """
    Opens a WebSocket, answers pings, counts the messages that come.
    """

    def __init__(self, hello: bytes, subprotocol: str) -> None:
        self._hello, self._subprotocol = hello, subprotocol
        self._data = b""
        self._open = False
        self.count = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_count: Any = lambda n: None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        offer = (
            f"Sec-WebSocket-Protocol: {self._subprotocol}\r\n"
            if self._subprotocol
            else ""
        )
        transport.write(
            (
                "GET /api/v1/connect/ws HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
                f"Sec-WebSocket-Version: 13\r\n{offer}\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            if b"\r\n\r\n" not in self._data:
                return
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            assert b" 101 " in head, head
            self._open = True
            if self._hello:
                self.transport.write(self._hello)
            else:
                self.ready.set_result(None)
        before = self.count
        self._take_frames()
        if not self.ready.done() and self.count:
            self.ready.set_result(None)
        if self.count > before:
            self.on_count(self.count - before)

    def _take_frames(self) -> None:
        data, at = self._data, 0
        while len(data) - at >= 2:
            opcode, size, body = data[at] & 15, data[at + 1], at + 2
            if size == 126:
                size, body = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            if len(data) < body + size:
                break
            if opcode == 9:
                self.transport.write(frame(data[body : body + size], 10))
            else:
                self.count += 1
            at = body + size
        self._data = data[at:]


async def connect(port: int, user: int, ours: bool) -> Client:
    """
    A connection, welcomed where there is somebody to welcome it.
    """
    hello = b""
    if ours:
        from wsmsg.protocol import protobuf as codec_protobuf
        from wsmsg.protocol.frames import Hello

        hello = frame(codec_protobuf.CODEC.encode_client(Hello(token=str(user))))
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: Client(hello, "wsmsg.v1.protobuf" if ours else ""), "127.0.0.1", port
    )
    await client.ready
    return client


async def idle(pid: int, port: int, ours: bool, connections: int) -> float:
    """
    KiB a connection.
    """
    warm = [await connect(port, 1, ours) for _ in range(20)]
    for client in warm:
        client.transport.close()
    await asyncio.sleep(1)
    clients = []
    before, counted = resident_kib(pid), connections
    for at in range(0, connections, 50):
        if at == connections // 4 // 50 * 50:
            # The first ones fill what importing left free; count without them.
            before, counted = resident_kib(pid), connections - at
        users = range(at, min(at + 50, connections))
        opening = (connect(port, USERS_FROM + user, ours) for user in users)
        clients += await asyncio.gather(*opening)
    await asyncio.sleep(6)  # heartbeats have come and gone
    used = resident_kib(pid) - before
    assert not any(client.transport.is_closing() for client in clients)
    started, at_s = cpu_s(pid), time.monotonic()
    await asyncio.sleep(5)
    spent = (cpu_s(pid) - started) / (time.monotonic() - at_s)
    print(f"  idle CPU with {connections} connections: {spent * 100:.1f} % of a core")
    for client in clients:
        client.transport.close()
    await asyncio.sleep(1)
    return used / counted


async def busy(
    pid: int, port: int, ours: bool, messages: int, payload: bytes, in_flight: int
) -> float:
    """
    CPU seconds of the server a message that is answered.
    """
    client = await connect(port, 1, ours)
    one = frame(payload)
    left = messages
    done = asyncio.get_running_loop().create_future()
    answered = 0

    def more(n: int) -> None:
        nonlocal left, answered
        answered += n
        send = min(n, left)
        left -= send
        if send:
            client.transport.write(one * send)
        elif answered >= messages and not done.done():
            done.set_result(None)

    client.on_count = more
    before = cpu_s(pid)
    left -= in_flight
    client.transport.write(one * in_flight)
    await done
    spent = cpu_s(pid) - before
    client.transport.close()
    return spent / messages


async def compare_servers(arguments: Any) -> None:
    """
    Measure both servers, one after the other.
    """
    from wsmsg.protocol import protobuf as codec_protobuf
    from wsmsg.protocol.frames import Ping, Send

    encode = codec_protobuf.CODEC.encode_client
    send = encode(Send("client-id-0001", to=7, content="x" * 200))
    loads = {
        "floor": [("echo of 200 bytes", b"x" * 200)],
        "ours": [("ping", encode(Ping("x" * 60))), ("send and accepted", send)],
    }
    commands = {
        "floor": ("-m", "wsmsg.bench.floor"),
        "ours": (__file__, "--serve"),
    }
    memory = {}
    for name, command in commands.items():
        ours = name == "ours"
        print(name)
        with running(*command) as (pid, port):
            memory[name] = await idle(pid, port, ours, arguments.connections)
            print(f"  memory: {memory[name]:.1f} KiB a connection")
            for what, payload in loads[name]:
                for in_flight in (1, 50):
                    n = arguments.messages // (1 if in_flight > 1 else 5)
                    us = 1e6 * await busy(pid, port, ours, n, payload, in_flight)
                    print(f"  {what}, {in_flight} in flight: {us:.1f} us")
    print(f"memory, ours to floor: {memory['ours'] / memory['floor']:.2f}")


def main() -> None:
    """
    Measure, or run the server that is measured.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--messages", type=int, default=50000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    else:
        asyncio.run(compare_servers(arguments))


if __name__ == "__main__":
    main()
