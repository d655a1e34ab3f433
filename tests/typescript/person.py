"""
A person whose client is the one in TypeScript, in a process of Node.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

from tools.typescript import PACKAGE

_LIMIT = 2**24


class Person:
    """
    The process, and what its client told.

    @ivar events: the events of the client, in order.
    @ivar results: the results of calls, by their name; an error has C{failed}.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[dict[str, Any]] = []
        self.results: dict[str, list[Any]] = {}
        self._process = process
        self._reading = asyncio.create_task(self._read())
        self._changed = asyncio.Event()

    @classmethod
    async def begin(cls, url: str, token: str, device: str, codec: str) -> Self:
        """
        Start the process, which connects at once.

        @param codec: C{json} or C{protobuf}.
        """
        process = await asyncio.create_subprocess_exec(
            *("node", "--experimental-websocket", "--no-warnings"),
            *("build/test/person.js", url, token, device, codec),
            cwd=PACKAGE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LIMIT,
        )
        return cls(process)

    def send(self, content: str, **to: str) -> None:
        """
        Send a message; its result has the name C{send CONTENT}.
        """
        self._write({"send": {"content": content, **to}})

    async def call(self, method: str, *arguments: Any) -> Any:
        """
        Return the result of a method.
        """
        before = len(self.results.get(method, ()))
        self._write({"call": method, "with": arguments})
        await self.until(lambda: len(self.results.get(method, ())) > before)
        return self.results[method][-1]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """
        The messages that the program was given, in order.
        """
        return [e for e in self.events if e["type"] == "messageReceived"]

    async def until(self, reached: Callable[[], object], limit_s: float = 60) -> None:
        """
        Wait for a condition on what the client told.
        """
        async with asyncio.timeout(limit_s):
            while not reached():
                self._changed.clear()
                await self._changed.wait()

    async def until_has(self, *, messages: int, results: int) -> None:
        """
        Wait for so many messages, and results of calls with different names.
        """
        await self.until(
            lambda: len(self.messages) >= messages and len(self.results) >= results
        )

    async def end(self) -> int:
        """
        Close the client, and return the exit status of the process.
        """
        if self._process.returncode is None:
            self._write({"call": "close"})
        status = await self._process.wait()
        await self._reading
        return status

    def _write(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "event" in told:
                self.events.append(told["event"])
            elif "done" in told:
                self.results.setdefault(told["done"], []).append(told.get("result"))
            else:
                self.results.setdefault(told["failed"], []).append(told)
            self._changed.set()
