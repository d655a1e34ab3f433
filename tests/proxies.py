"""
A TCP proxy that can fail like a network.
"""

from __future__ import annotations

import asyncio


class Proxy:
    """
    Forwards connections to a port of this machine, until it swallows the traffic.

    @param late_s: how long everything is on the way, in each direction.
    """

    def __init__(self, target: int, late_s: float = 0.0) -> None:
        self.port = 0
        self._late_s = late_s
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
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        proxy.port = proxy._server.sockets[0].getsockname()[1]
        return proxy

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
        loop = asyncio.get_running_loop()
        while data := await source.read(65536):
            await self._forwarding.wait()
            if self._late_s:
                loop.call_later(self._late_s, sink.write, data)
                continue
            sink.write(data)
            await sink.drain()
        if self._late_s:
            loop.call_later(self._late_s, sink.close)
        else:
            sink.close()
