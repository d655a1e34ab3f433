"""
A TCP proxy that can fail like a network.
"""

from __future__ import annotations

import asyncio

#: The pieces of a connection that may be on the way, in each direction.
_ON_THE_WAY = 256


class Proxy:
    """
    Forwards connections to a port of this machine, until it swallows the traffic.

    @ivar late_s: how long everything is on the way, in each direction; may change.
    """

    def __init__(self, target: int, late_s: float = 0.0) -> None:
        self.port = 0
        self.late_s = late_s
        self._target = target
        self._forwarding = asyncio.Event()
        self._forwarding.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._accepted: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    @classmethod
    async def open(cls, target: int, late_s: float = 0.0) -> Proxy:
        proxy = cls(target, late_s)
        await proxy._listen()
        return proxy

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def delay(self, late_s: float) -> None:
        """
        Have everything be on the way for so long, from now on.
        """
        self.late_s = late_s

    def swallow(self) -> None:
        """
        Stop forwarding, and close nothing.
        """
        self._forwarding.clear()

    def forward(self) -> None:
        """
        Forward again, what was read meanwhile first.
        """
        self._forwarding.set()

    def reset_clients(self) -> None:
        """
        Reset the connections of the clients; to the target, they stay open.
        """
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        for writer in self._accepted:
            writer.transport.abort()
        self._accepted.clear()

    def reset(self) -> None:
        """
        Reset the connections at both sides.
        """
        self.reset_clients()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        await asyncio.gather(
            *(w.wait_closed() for w in self._writers), return_exceptions=True
        )

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        self._writers += [writer, outer]
        self._accepted.append(writer)
        for source, sink in ((reader, outer), (inner, writer)):
            task = asyncio.ensure_future(self._forward(source, sink))
            self._tasks.add(task)

    async def _forward(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        # Each piece with its time of arrival; a shorter delay overtakes nothing.
        way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_ON_THE_WAY)
        task = asyncio.ensure_future(self._arrive(way, sink))
        self._tasks.add(task)
        clock = asyncio.get_running_loop().time
        while data := await source.read(65536):
            await self._forwarding.wait()
            await way.put((clock() + self.late_s, data))
        await way.put((clock() + self.late_s, b""))

    async def _arrive(
        self, way: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter
    ) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due_s, data = await way.get()
            if due_s > clock():
                await asyncio.sleep(due_s - clock())
            await self._forwarding.wait()
            if not data:
                sink.close()
                return
            sink.write(data)
            await sink.drain()
