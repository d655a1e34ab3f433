"""
Tests of the writer at both ends of a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from wsmsg.rpc import rest_pb2
from wsmsg.stream.spacing import BURST, MOST_S, Spacing
from wsmsg.stream.transport import BatchWriter


def soon(awaitable: Awaitable[Any]) -> Deferred[Any]:
    return Deferred.fromFuture(asyncio.ensure_future(awaitable))


class Writes:
    """
    A queue of numbers, and the batches in which they were written.
    """

    def __init__(self) -> None:
        self.queue: list[int] = []
        self.batches: list[list[int]] = []
        self.drains = self.in_flight = self.most_in_flight = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def drain(self) -> Any:
        self.drains += 1
        batch, self.queue = self.queue, []
        return batch or None

    async def write(self, batch: Any) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.batches.append(batch)
        await self.gate.wait()
        self.in_flight -= 1


async def turns(n: int = 5) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


class BatchWriterTests(TestCase):
    """
    One write at a time; the next takes all that was queued meanwhile.
    """

    def test_batches(self) -> Deferred[None]:
        """
        Numbers queued during a write leave together after it, and the queue is not
        asked again when it was empty.
        """

        async def scenario() -> None:
            writes = Writes()
            writer = BatchWriter(writes.drain, writes.write)
            running = asyncio.ensure_future(writer.run())
            writes.gate.clear()
            writes.queue.append(1)
            writer.flush_soon()
            await turns()
            before = writes.drains
            for n in (2, 3, 4):
                writes.queue.append(n)
                writer.flush_soon()
                await turns()
            self.assertEqual(writes.batches, [[1]])
            writes.gate.set()
            await turns()
            self.assertEqual(writes.batches, [[1], [2, 3, 4]])
            self.assertEqual(writes.most_in_flight, 1)
            self.assertEqual(writes.drains - before, 2)
            writer.finish()
            await running

        return soon(scenario())

    def test_woken_before_it_runs(self) -> Deferred[None]:
        """
        Numbers queued before the writer runs are written once it does.
        """

        async def scenario() -> None:
            writes = Writes()
            writer = BatchWriter(writes.drain, writes.write)
            writes.queue.append(1)
            writer.flush_soon()
            writer.finish()
            await writer.run()
            self.assertEqual(writes.batches, [[1]])

        return soon(scenario())

    def test_end_writes_the_rest(self) -> Deferred[None]:
        """
        C{finish} writes what waits behind the pending write, then stops.
        """

        async def scenario() -> None:
            writes = Writes()
            writer = BatchWriter(writes.drain, writes.write)
            running = asyncio.ensure_future(writer.run())
            writes.gate.clear()
            writes.queue.append(1)
            writer.flush_soon()
            await turns()
            writes.queue.append(2)
            writer.finish()
            writes.gate.set()
            await running
            self.assertEqual(writes.batches, [[1], [2]])
            writes.queue.append(3)
            writer.flush_soon()
            await turns()
            self.assertEqual(writes.batches, [[1], [2]])

        return soon(scenario())

    def test_flush_timer(self) -> Deferred[None]:
        """
        Output that may wait leaves with the next write, or alone after a delay.
        """

        async def scenario() -> None:
            writes = Writes()
            writer = BatchWriter(writes.drain, writes.write, patience_s=0.005)
            running = asyncio.ensure_future(writer.run())
            await turns()
            writes.queue.append(1)
            writer.flush_later()
            await turns()
            self.assertEqual(writes.batches, [])
            writes.queue.append(2)
            writer.flush_soon()
            await turns()
            self.assertEqual(writes.batches, [[1, 2]])
            writes.queue.append(3)
            writer.flush_later()
            while len(writes.batches) < 2:
                await asyncio.sleep(0.001)
            self.assertEqual(writes.batches, [[1, 2], [3]])
            writer.finish()
            await running

        return soon(scenario())

    def test_spaced(self) -> Deferred[None]:
        """
        In a busy process, what is queued during the pause after a write leaves
        together.
        """

        async def scenario() -> None:
            writes = Writes()
            loop = asyncio.get_running_loop()
            started_s = loop.time()
            # Two cores are in use all the time.
            spacing = Spacing(loop.time, lambda: 2 * (loop.time() - started_s))
            await asyncio.sleep(0.06)  # longer than the window of the share
            writer = BatchWriter(writes.drain, writes.write, spacing)
            running = asyncio.ensure_future(writer.run())
            times = []
            for n in range(BURST + 2):
                writes.queue.append(n)
                writer.flush_soon()
                while writes.queue:
                    await asyncio.sleep(0)
                times.append(loop.time())
            self.assertGreaterEqual(times[-1] - times[-2], 0.9 * MOST_S)
            writer.finish()
            await running

        return soon(scenario())

    def test_not_spaced(self) -> Deferred[None]:
        """
        In an idle process, no write waits for a timer.
        """

        async def scenario() -> None:
            writes = Writes()
            loop = asyncio.get_running_loop()
            spacing = Spacing(loop.time, lambda: 0.0)
            writer = BatchWriter(writes.drain, writes.write, spacing)
            running = asyncio.ensure_future(writer.run())
            await turns()
            for n in range(20):
                writes.queue.append(n)
                writer.flush_soon()
                await turns()
                self.assertEqual(writes.batches[-1], [n])
            writer.finish()
            await running

        return soon(scenario())

    def test_write_fails(self) -> Deferred[None]:
        """
        A failed write ends the writer with its reason.
        """

        async def scenario() -> None:
            async def write(batch: Any) -> None:
                raise ConnectionError("gone")

            writer = BatchWriter(rest_pb2.Typing, write)
            with self.assertRaises(ConnectionError):
                await writer.run()

        return soon(scenario())
