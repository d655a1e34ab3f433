"""
Tests of Message with broken legacy Connects, over loopback.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from tests.message.legacy.cases import (
    LegacyCase,
    Request,
    ack,
    said,
    send,
    subscribe,
)
from wsmsg.events.group_change import GroupChange
from wsmsg.model import INT64_MAX, Message
from wsmsg.rpc import rest_pb2
from wsmsg.settings.legacy import MessageLegacySettings
from wsmsg.settings.values import MessageSettings


class HostileTests(LegacyCase):
    """
    Broken peers, next to others that work.
    """

    settings = MessageSettings(
        legacy=MessageLegacySettings(records=2000, record_bytes=2**20, unsettled=100)
    )

    def test_never_reads(self) -> Deferred[Any]:
        """
        For a peer that never reads, Message holds a bounded number of events, then ends
        its stream and logs how many pushes it dropped. Meanwhile the sends of the peer
        are accepted, and another peer receives everything, in order.
        """

        async def check(stub: Any) -> None:
            other = await self.subscribed(stub, "connect-2")
            frozen = await self.subscribed(stub, "connect-1")
            settled: list[None] = []
            most = 0
            with capturedLogs() as logs:
                for first in range(1, 100_001, 500):
                    batch = [
                        said(n, content="x" * 100) for n in range(first, first + 500)
                    ]
                    settled += self.push_of(batch, settled)
                    if first == 501:
                        await frozen.write(send())
                        await self.until(lambda: self.journal.appends)
                    got = [
                        (await other.read()).push_event.message.message_id
                        for _ in batch
                    ]
                    self.assertEqual(got, [m.message_id for m in batch])
                    most = max(most, self.legacy.held())
            self.assertLessEqual(most, 2500)
            self.assertEqual(self.legacy.cut, 1)
            await self.until(lambda: len(settled) == 200)
            [warned] = [e for e in logs if "does not read" in e["log_format"]]
            self.assertGreater(warned["pushes"], 1000)
            self.assertEqual(warned["node"], "connect-1")
            code, reason = await self.ending(frozen)
            self.assertEqual(code, "RESOURCE_EXHAUSTED")
            self.assertIn("not read", reason)

        return self.check(check)

    test_never_reads.timeout = 300  # type: ignore[attr-defined]

    def push_of(self, batch: list[Message], settled: list[None]) -> list[None]:
        """
        Push a batch that is counted when it is settled.
        """
        self.links.push(batch, lambda: settled.append(None))
        return []

    def test_never_reads_answers(self) -> Deferred[Any]:
        """
        The stream of a peer that writes and never reads its answers ends as well.
        """

        async def check(stub: Any) -> None:
            call = await self.opened(stub, send(0))
            while not self.legacy.cut:
                await call.write(send(0, content="x" * 900))
            ended = await self.ending(call)
            self.assertEqual(ended[0], "RESOURCE_EXHAUSTED", str(ended))
            self.assertEqual(self.legacy.cut, 1)
            await self.until(lambda: not self.legacy.streams)

        return self.check(check)

    def test_bad_names(self) -> Deferred[Any]:
        """
        An invalid name, a subscribe with a link version in mid-stream and a batch end
        the stream with a reason.
        """

        async def check(stub: Any) -> None:
            late = rest_pb2.SubscribeRequest(connect_service_id="c", link_version=1)
            for bad in (
                subscribe(""),
                subscribe("x" * 129),
                subscribe("a\nb"),
                Request(subscribe=late),
                Request(batch=rest_pb2.ConnectBatch()),
            ):
                call = stub.MessageStream()
                await call.write(ack(1, 1))
                await call.write(bad)
                code, reason = await self.ending(call)
                self.assertEqual(code, "INVALID_ARGUMENT")
                self.assertTrue(reason)
            await self.until(lambda: not self.legacy.streams)

        return self.check(check)

    def test_no_event(self) -> Deferred[Any]:
        """
        Bytes that are no event end the stream; an event of a later version is ignored.
        """

        async def check(stub: Any) -> None:
            raw = self.raw_channel.stream_stream("/rest.MessageService/MessageStream")
            call = raw()
            await call.write(subscribe().SerializeToString())
            await call.write(b"\xaa\x06\x01x")  # field 101
            await call.write(ack(1, 1).SerializeToString())
            self.assertIn(b"\x10\x01", await call.read())
            await call.write(b"\xff\xff\xff")
            code, reason = await self.ending(call)
            self.assertNotEqual(code, "OK")
            self.assertTrue(reason)
            await self.until(lambda: not self.legacy.streams)

        return self.check(check)

    def test_fields(self) -> Deferred[Any]:
        """
        With each field absent, zero, negative or huge, and any type, a send is
        accepted, ignored or reported as failed, and the stream continues.
        """

        async def check(stub: Any) -> None:
            call = await self.subscribed(stub)
            numbers = (0, -1, INT64_MAX, -(2**63))
            group = (GroupChange(True, "crew", add=(9,)), 9, {9: 1})
            self.store.groups[f"g:{INT64_MAX}"] = group
            good = bad = 0
            for n in numbers:
                fields = ("message_id", "timestamp")
                for field in fields:
                    await call.write(send(**{field: n}))
                    good += 1
                await call.write(send(n))
                await call.write(send(1, n))
                await call.write(send(1, 2, group_id=n))
                good += 3 if n == INT64_MAX else 1 if not n else 0
                bad += 0 if n == INT64_MAX else 2 if not n else 3
            for kind in (0, -1, 5, 1001, 2**31 - 1, -(2**31)):
                await call.write(send(message_type=kind))
                bad += 1
            for kind in (2, 3, 4, 10):
                await call.write(send(message_type=kind))
            for content in ("\0", "x" * 1001):
                await call.write(send(content=content))
                bad += 1
            await call.write(send(ack_id="x" * 5000, content=""))
            good += 1
            await call.write(Request(send_message=rest_pb2.SendWSMessageRequest()))
            bad += 1
            await call.write(ack(1, 1))
            # The huge group has no members.
            good, bad = good - 1, bad + 1
            answers = [await call.read() for _ in range(bad + 1)]
            failures = [a.failure for a in answers if a.HasField("failure")]
            self.assertEqual(len(failures), bad)
            self.assertTrue(all(f.failure_reason for f in failures))
            await self.until(
                lambda: sum(len(batch) for batch, _ in self.journal.appends) == good
            )
            self.assertEqual(self.legacy.counts()["ignored"], 4)

        return self.check(check)
