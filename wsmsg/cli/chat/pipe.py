"""
The chat from a pipe: each line is a message.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from wsmsg.cli.chat.target import ChatTarget
from wsmsg.client import Client, Closed, Reconnecting
from wsmsg.errors import WsmsgError
from wsmsg.text.counted import counted

_AHEAD = 256


class NotAccepted(Exception):
    """
    Some lines were not accepted; the text has their number and the first reason.
    """


async def send_lines(
    client: Client,
    talk: ChatTarget,
    source: BinaryIO,
    *,
    timeout_s: float,
    as_json: bool,
    say: Callable[[str], object],
    warn: Callable[[str], object],
) -> int:
    """
    Send every line that is not empty, in order, and report accepted lines.

    @param timeout_s: time limit without progress while lines are in flight.
    @param warn: is told why there is no connection, once for each reason, and when
        there is one again.
    @return: the number of accepted lines.
    @raise NotAccepted: some lines were not accepted.
    """
    lines = _Lines(client, talk, as_json=as_json, say=say)
    client.start()
    watching = asyncio.create_task(_watch(client, warn))
    try:
        async with asyncio.timeout(None) as patience:
            lines.patience, lines.timeout_s = patience, timeout_s
            async for number, raw in read_lines(source):
                await lines.send(number, raw)
            await lines.settled()
    except TimeoutError:
        state = client.state
        why = getattr(state, "reason", "") or "the server does not answer"
        many = counted(len(lines.open), "line")
        many += f" not accepted within {timeout_s:g} s: {why}"
        lines.problems.append((0, many))
    finally:
        lines.cancel()
        watching.cancel()
    if lines.problems:
        more = (
            f" (and {len(lines.problems) - 1} more)" if len(lines.problems) > 1 else ""
        )
        first = min(lines.problems)[1]
        raise NotAccepted(f"{first}{more}; {lines.accepted} accepted")
    return lines.accepted


async def _watch(client: Client, warn: Callable[[str], object]) -> None:
    told = ""
    while not isinstance(state := await client.state_changed(), Closed):
        reason = state.reason if isinstance(state, Reconnecting) else ""
        if reason != told:
            warn(f"not connected: {reason}" if reason else "connected")
        told = reason


class _Lines:
    """
    The lines in flight.
    """

    patience: asyncio.Timeout
    timeout_s: float

    def __init__(
        self,
        client: Client,
        talk: ChatTarget,
        *,
        as_json: bool,
        say: Callable[[str], object],
    ) -> None:
        self._client = client
        self._talk = talk
        self._as_json = as_json
        self._say = say
        self._room = asyncio.Semaphore(_AHEAD)
        self.open: set[asyncio.Task[None]] = set()
        self.accepted = 0
        self.problems: list[tuple[int, str]] = []

    async def send(self, number: int, raw: bytes) -> None:
        """
        Start to send a line; wait first if many lines are in flight.
        """
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            self._problem(number, "bad_request", "the line is not UTF-8")
            return
        if not text:
            return
        await self._room.acquire()
        task = asyncio.create_task(self._one(number, text))
        self.open.add(task)
        task.add_done_callback(self._done)
        self._hurry()
        await asyncio.sleep(0)  # the sends begin in the order of the lines

    async def settled(self) -> None:
        """
        Wait until no line is in flight.
        """
        while self.open:
            await asyncio.wait(self.open)

    def cancel(self) -> None:
        """
        Stop all waits.
        """
        for task in self.open:
            task.cancel()

    async def _one(self, number: int, text: str) -> None:
        try:
            accepted = await self._talk.say(self._client, text)
        except WsmsgError as error:
            self._problem(number, error.code, error.reason)
            return
        self.accepted += 1
        if self._as_json:
            document = {
                "line": number,
                "accepted": True,
                "client_id": accepted.client_id,
                "time_ms": accepted.time_ms,
            }
            self._say(json.dumps(document))
        else:
            self._say(f"accepted {number} {accepted.client_id} {accepted.time_ms}")

    def _problem(self, number: int, code: str, reason: str) -> None:
        self.problems.append((number, f"line {number}: {code}: {reason}"))
        if self._as_json:
            document = {
                "line": number,
                "accepted": False,
                "code": code,
                "reason": reason,
            }
            self._say(json.dumps(document))

    def _done(self, task: asyncio.Task[None]) -> None:
        self.open.discard(task)
        self._room.release()
        self._hurry()

    def _hurry(self) -> None:
        """
        Restart the time limit after progress, if there is a wait.
        """
        if self.patience.expired():
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + self.timeout_s if self.open else None
        self.patience.reschedule(due)


async def read_lines(source: BinaryIO) -> AsyncIterator[tuple[int, bytes]]:
    """
    Yield the lines of a file or a pipe with their numbers, without line ends.

    A thread reads, because an event loop cannot wait for a regular file; the thread is
    a daemon thread, so that a pipe that stays open does not keep the process alive.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)

    def read() -> None:
        try:
            for line in source:
                put(line)
            put(None)
        except RuntimeError:
            pass  # the loop is closed: no task reads the lines

    def put(line: bytes | None) -> None:
        asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()

    threading.Thread(target=read, name="stdin", daemon=True).start()
    number = 0
    while (line := await lines.get()) is not None:
        number += 1
        yield number, line.rstrip(b"\r\n")
