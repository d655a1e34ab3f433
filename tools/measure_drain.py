"""
Measures a rolling restart of two Connects under load::

    python tools/measure_drain.py --clients 18000

Message and two Connects run on loopback; half of the clients are at each.  Some pairs
of users send messages all the time.  Each Connect in turn is drained (C{POST /drain}),
stopped, and started again.  The clients do as the protocol says: they go to the first
address of the C{goaway}, and show its position.

Printed are, for each Connect, the most logins at the other one in any second, the
C{resync} frames of all clients, the heads that welcomes named, and the latency from a
send to its C{accepted} while clients moved.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from wsmsg.auth.local_key import ADMIN_KEY, local_key
from wsmsg.bench.load.accounts import percentile
from wsmsg.bench.load.framing import Mask, new_key, split, upgrade
from wsmsg.bench.processes import free_ports
from wsmsg.protocol import client_pb2 as pb

_PATH = "/api/v1/connect/ws"
_FIRST_USER = 1_000_000
_PAIRS = 50
_EACH_S = 0.25
_OPENING = 50
_RETRY_S = 0.5


class Figures:
    """
    Counts of all clients.

    @ivar logins: by second of the clock and port.
    @ivar accepted_s: latencies of sends.
    """

    def __init__(self) -> None:
        self.logins: Counter[tuple[int, int]] = Counter()
        self.frames: Counter[str] = Counter()
        self.heads = 0
        self.accepted_s: list[float] = []

    def begin(self) -> None:
        """
        Forget all counts.
        """
        self.logins.clear()
        self.frames.clear()
        self.heads = 0
        self.accepted_s.clear()


class MovingClient(asyncio.Protocol):
    """
    One client, across its connections.
    """

    def __init__(self, run: Run, user: int, token: str) -> None:
        self._run = run
        self.user = user
        self._token = token
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._upgraded = False
        self._port = 0
        self._next = 0
        self._position = ""
        self._sent: dict[str, float] = {}
        self._made = 0
        self._stopped = False
        self._dialling: asyncio.Future[None] | None = None
        self.welcomed = asyncio.Event()

    def dial(self, port: int) -> None:
        """
        Connect to a Connect.
        """
        self._port = self._next = port
        self._data, self._upgraded = b"", False
        self._dialling = asyncio.ensure_future(self._dial())

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        except OSError:
            loop.call_later(_RETRY_S, self.dial, self._run.other(self._port))

    def leave(self) -> None:
        """
        Connect no more.
        """
        self._stopped = True
        if self._transport is not None:
            self._transport.abort()

    def send(self, to: int) -> None:
        """
        Send a message, if the client is connected.
        """
        if self._transport is not None and self.welcomed.is_set():
            self._made += 1
            client_id = f"{self.user}-{self._made}"
            self._sent[client_id] = time.monotonic()
            self._write(send=pb.Send(client_id=client_id, to=to, content="x" * 100))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        headers = {"Sec-WebSocket-Protocol": "wsmsg.v1.protobuf"}
        transport.write(upgrade(f"127.0.0.1:{self._port}", _PATH, headers, new_key()))
        hello = pb.Hello(token=self._token, device="moving", position=self._position)
        self._write(hello=hello)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._upgraded:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head[:16]:
                self._run.figures.frames[head[9:12].decode()] += 1
                assert self._transport is not None
                self._transport.abort()
                return
            self._upgraded, self._data = True, rest
        at = 0
        for first, start, end_at in split(self._data):
            at = end_at
            self._frame(first & 15, self._data[start:end_at])
        self._data = self._data[at:]

    def _frame(self, opcode: int, payload: bytes) -> None:
        assert self._transport is not None
        if opcode == 9:
            self._transport.write(self._run.mask.frame(payload, 10))
        elif opcode == 8:
            self._transport.close()
        elif opcode == 2:
            frame = pb.ServerFrame.FromString(payload)
            self._received(frame.WhichOneof("frame") or "", frame)

    def _received(self, name: str, frame: pb.ServerFrame) -> None:
        figures = self._run.figures
        figures.frames[name] += 1
        if name == "welcome":
            figures.logins[int(time.monotonic()), self._port] += 1
            figures.heads += len(frame.welcome.heads)
            self._position = frame.welcome.position
            self.welcomed.set()
        elif name == "goaway":
            self._position = frame.goaway.position or self._position
            if frame.goaway.alternatives:
                self._next = urlsplit(frame.goaway.alternatives[0]).port or 0
        elif name == "accepted":
            began = self._sent.pop(frame.accepted.client_id, None)
            if began is not None:
                figures.accepted_s.append(time.monotonic() - began)

    def _write(self, **frame: Any) -> None:
        assert self._transport is not None
        payload = pb.ClientFrame(**frame).SerializeToString()
        self._transport.write(self._run.mask.frame(payload))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.welcomed.clear()
        self._sent.clear()
        if not self._stopped:
            wait_s = 0.0 if self._upgraded else _RETRY_S
            asyncio.get_running_loop().call_later(wait_s, self.dial, self._next)


class Run:
    """
    One measurement.

    @param folder: an empty directory.
    """

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder = folder
        self._options = options
        self.mask = Mask(os.urandom(4))
        self.figures = Figures()
        names = ["rpc", *(f"{n}-{kind}" for n in "ab" for kind in ("ws", "admin"))]
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._running: dict[str, asyncio.subprocess.Process] = {}

    def port_of(self, name: str) -> int:
        """
        Return the port of a listener.
        """
        return self._ports[name]

    def other(self, port: int) -> int:
        """
        Return the port of the other Connect.
        """
        a, b = self._ports["a-ws"], self._ports["b-ws"]
        return b if port == a else a

    async def start(self, name: str) -> None:
        """
        Start a daemon, and wait until it is ready.
        """
        settings = {"admin_listen": "", "listen": "", "data_dir": str(self._folder)}
        kind = "message"
        if name == "message":
            settings["rpc_listen"] = f"127.0.0.1:{self._ports['rpc']}"
        else:
            kind = "connect"
            port = self._ports[f"{name}-ws"]
            settings |= {
                "node": name,
                "rpc_listen": "",
                "listen": f"127.0.0.1:{port}",
                "public_url": f"ws://127.0.0.1:{port}{_PATH}",
                "admin_listen": f"127.0.0.1:{self._ports[f'{name}-admin']}",
                "discovery": f"static:127.0.0.1:{self._ports['rpc']}",
                "heartbeat_s": "30",
                "limits.connections": "19500",
                "limits.connections_per_address": "19500",
                "limits.handshakes_per_s": "5000",
                "limits.address_handshakes_per_s": "5000",
            }
        code = "from twisted.scripts.twistd import run; run()"
        command = [sys.executable, "-c", code, "-n", "--pidfile=", kind]
        command += [f"--set={key}={value}" for key, value in settings.items()]
        log = (self._folder / f"{name}.log").open("ab")
        self._running[name] = await asyncio.create_subprocess_exec(
            *command, stdout=log, stderr=log, preexec_fn=all_files
        )
        if kind == "connect":
            while not await self._is_ready(name):
                await asyncio.sleep(0.1)

    async def stop(self, name: str) -> None:
        """
        Stop a daemon.
        """
        process = self._running.pop(name)
        if process.returncode is None:
            process.terminate()
        await process.wait()

    async def stop_all(self) -> None:
        """
        Stop all daemons.
        """
        for name in reversed(list(self._running)):
            await self.stop(name)

    async def ask(self, name: str, method: str, path: str) -> dict[str, Any]:
        """
        Call a Connect's admin listener.
        """
        url = f"http://127.0.0.1:{self._ports[f'{name}-admin']}{path}"
        body = b"{}" if method == "POST" else None
        key = (self._folder / ADMIN_KEY).read_text().strip()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers, method=method)

        def answer() -> dict[str, Any]:
            with urllib.request.urlopen(request, timeout=30) as found:
                return dict(json.load(found))

        return await asyncio.to_thread(answer)

    async def _is_ready(self, name: str) -> bool:
        try:
            return bool((await self.ask(name, "GET", "/readyz"))["ready"])
        except OSError:
            return False

    def clients(self) -> Iterator[MovingClient]:
        """
        Make the clients, not connected yet.
        """
        key = local_key(self._folder)
        for n in range(self._options.clients):
            user = _FIRST_USER + n
            claims = {"sub": str(user), "exp": int(time.time()) + 86400}
            yield MovingClient(self, user, jwt.encode(claims, key, "HS256"))

    async def roll_both(self) -> None:
        """
        Run the measurement, and print its figures.
        """
        for name in ("message", "a", "b"):
            await self.start(name)
        clients = list(self.clients())
        ports = [self._ports["a-ws"], self._ports["b-ws"]]
        opening: deque[MovingClient] = deque()
        for n, client in enumerate(clients):
            client.dial(ports[n % 2])
            opening.append(client)
            if len(opening) > _OPENING:
                await opening.popleft().welcomed.wait()
        for client in opening:
            await client.welcomed.wait()
        print(f"{len(clients)} clients are connected, half of them at each Connect")
        senders = asyncio.ensure_future(self._talk(clients))
        await asyncio.sleep(self._options.settle_s)
        for name, other in (("a", "b"), ("b", "a")):
            await self._roll(name, self._ports[f"{other}-ws"], len(clients))
        senders.cancel()
        for client in clients:
            client.leave()

    async def _talk(self, clients: list[MovingClient]) -> None:
        talking = clients[: 2 * _PAIRS]
        while True:
            for one, two in zip(talking[::2], talking[1::2], strict=True):
                one.send(two.user)
                await asyncio.sleep(_EACH_S / _PAIRS)

    async def _roll(self, name: str, port: int, n_clients: int) -> None:
        self.figures.begin()
        began = time.monotonic()
        await self.ask(name, "POST", "/drain")
        while (await self.ask(name, "GET", "/drain?after_ms=200"))[
            "phase"
        ] != "drained":
            pass
        seconds = time.monotonic() - began
        figures = self.figures
        logins = [n for (_, at), n in figures.logins.items() if at == port]
        latencies = sorted(figures.accepted_s)
        print(
            f"{name}: {sum(logins)} clients moved in {seconds:.1f} s;"
            f" logins at the other in a second: at most {max(logins, default=0)};"
            f" resyncs {figures.frames['resync']}; heads {figures.heads};"
            f" accepted p50 {percentile(latencies, 0.5) * 1e3:.1f} ms,"
            f" p99 {percentile(latencies, 0.99) * 1e3:.1f} ms"
            f" ({len(latencies)} sends); frames {dict(figures.frames)}"
        )
        await self.stop(name)
        await self.start(name)


def all_files() -> None:
    """
    Raise the limit of open files as far as it goes.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), options)
        try:
            await run.roll_both()
        finally:
            await run.stop_all()


def main() -> int:
    """
    Run the measurement.
    """
    parser = argparse.ArgumentParser(description="Measure a rolling restart.")
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument(
        "--settle-s",
        type=float,
        default=70.0,
        help="time for each session to be compared with the heads once",
    )
    options = parser.parse_args()
    all_files()
    asyncio.run(_run(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
