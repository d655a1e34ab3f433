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
        Two writes begin at least the spacing apart, and the first is not delayed.
        """

        async def scenario() -> None:
            times: list[float] = []
            loop = asyncio.get_running_loop()
            left = [1, 2, 3]

            async def write(batch: Any) -> None:
                times.append(loop.time())

            writer = BatchWriter(
                lambda: left.pop() if left else None,  # type: ignore[arg-type,return-value]
                write,
                spacing_s=0.01,
            )
            running = asyncio.ensure_future(writer.run())
            while len(times) < 3:
                await asyncio.sleep(0.001)
            self.assertGreaterEqual(times[1] - times[0], 0.009)
            self.assertGreaterEqual(times[2] - times[1], 0.009)
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
