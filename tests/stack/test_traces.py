"""
Traces of messages over Kafka.
"""

from __future__ import annotations

import asyncio
from typing import Any

from confluent_kafka import Consumer
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.integration.cases import eventually
from tests.integration.device import Device
from tests.integration.operations.test_traces import STAGES, check_trace
from tests.stack.cluster import Cluster
from tests.stack.servers import kafka_address, needs, unique
from tests.tracing.receiver import OtlpReceiver, ReceivedSpan
from wsmsg.message.journal.record import decode
from wsmsg.protocol import client_pb2 as pb
from wsmsg.tracing.context import new_trace, trace_id_of

_READ_S = 30


def first_record(topic: str) -> Any:
    """
    Return the first record of a topic, as any consumer sees it.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": kafka_address(),
            "group.id": unique("reader"),
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.subscribe([topic])
        return consumer.poll(_READ_S)
    finally:
        consumer.close()


@needs("kafka", "mongo", "redis")
class TraceTests(TestCase):
    """
    Two Messages and two Connects, with a receiver of OTLP.
    """

    timeout = 240

    def test_kafka(self) -> Deferred[None]:
        """
        The trace of a client goes through the journal: its record has the span of the
        append, in itself and in its header; the spans of the batches of the journal and
        of the store are linked to it.
        """
        receiver = OtlpReceiver()
        self.addCleanup(receiver.stop)
        settings = {"traces.endpoint": receiver.url}
        cluster = Cluster(message=settings, connect={**settings, "traces.ratio": "0"})

        async def check() -> None:
            try:
                await cluster.start()
                await self.traced(cluster, receiver)
            finally:
                await cluster.stop()

        return Deferred.fromFuture(asyncio.ensure_future(check()))

    async def traced(self, cluster: Cluster, receiver: OtlpReceiver) -> None:
        devices = []
        for user, url in zip((1001, 1002), cluster.urls, strict=True):
            device = await Device.dial(url, cluster.token(user), user)
            await device.greet("phone")
            devices.append(device)
        sender, recipient = devices
        asked = new_trace()
        await sender.send_frame(
            send=pb.Send(client_id="c1", to=1002, content="text", traceparent=asked)
        )
        await sender.answer("c1")
        deliver = await recipient.expect("deliver")

        def spans() -> list[ReceivedSpan]:
            return receiver.of_trace(trace_id_of(asked))

        # Each Connect writes it to a session.
        await eventually("all spans came", lambda: len(spans()) == len(STAGES) + 1)
        *chain, second = spans()
        check_trace(self, chain, asked[36:52])
        self.assertEqual(second.operation, "write")
        self.assertEqual({chain[-1].node, second.node}, {"connect-1", "connect-2"})
        append = chain[1]
        links = [(append.trace_id, append.span_id)]
        for name in ("append batch", "store batch"):
            (batch,) = [s for s in receiver.spans if s.name == name]
            self.assertEqual(batch.links, links)
            if name == "append batch":
                self.assertEqual(batch.attributes["messaging.system"], "kafka")
        topic = cluster.journal.rpartition("/")[2]
        reading = deferToThread(first_record, topic)
        record = await reading.asFuture(asyncio.get_running_loop())
        traceparent = f"00-{append.trace_id}-{append.span_id}-01"
        self.assertEqual(record.headers(), [("traceparent", traceparent.encode())])
        entry = decode(record.partition(), record.offset(), record.value())
        assert entry.message is not None
        self.assertEqual(entry.message.traceparent, traceparent)
        self.assertEqual(entry.message.message_id, deliver.message_id)
        for device in devices:
            await device.close()
