"""
The floor: a relay on the library C{websockets}, which passes messages from one
connection to another and confirms them, and does nothing else that a messaging server
does.  C{python -m wsmsg.bench.against.relay} listens on a free port of 127.0.0.1 and
writes C{port N} to standard output.

L{plain<wsmsg.bench.against.plain>} has its messages.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from importlib.metadata import version

from websockets.asyncio.server import ServerConnection, serve


class Relay:
    """
    The connections by name.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, ServerConnection] = {}
        self._version = version("websockets")

    async def serve(self, connection: ServerConnection) -> None:
        """
        Serve one connection until it closes.
        """
        name = ""
        async for message in connection:
            assert isinstance(message, str)
            kind, _, rest = message.partition(" ")
            if kind == "send":
                await self._send(connection, rest)
            elif kind == "hello":
                name = rest
                self._by_name[name] = connection
                await connection.send(f"welcome {name} {self._version}")
            elif kind == "meet":
                await connection.send("met")
        if self._by_name.get(name) is connection:
            del self._by_name[name]

    async def _send(self, connection: ServerConnection, rest: str) -> None:
        to, number, content = rest.split(" ", 2)
        other = self._by_name.get(to)
        if other is None:
            await connection.send(f"rejected {number} nobody")
            return
        await other.send("message " + content)
        await connection.send("accepted " + number)


async def _run() -> None:
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    relay = Relay()
    async with serve(
        relay.serve, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=1024
    ) as server:
        (listening,) = server.sockets
        print(f"port {listening.getsockname()[1]}", flush=True)
        await stop.wait()


def main() -> int:
    """
    Serve until SIGTERM or SIGINT.
    """
    asyncio.run(_run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
