"""
Traces of messages: two real daemons, and a real receiver of OTLP.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

from twisted.internet.defer import maybeDeferred

from tests.integration.cases import (
    IntegrationTestCase,
    eventually,
    metric,
    with_daemons,
)
from tests.integration.installation import DaemonProcess, Installation
from tests.tracing.receiver import HangingReceiver, OtlpReceiver, ReceivedSpan
from wsmsg.model import conversation_of
from wsmsg.protocol import client_pb2 as pb
from wsmsg.tracing.context import child_of, new_trace, trace_id_of

#: The stages of a message to one other user, in the order in which they begin.
STAGES = ["receive", "append", "store", "push", "write"]


def check_trace(test: Any, spans: list[ReceivedSpan], first_parent: str = "") -> None:
    """
    Check that each span of a trace is the parent of the next one, and in the right
    daemon.
    """
    test.assertEqual([span.operation for span in spans], STAGES, spans)
    parents = [first_parent, *(span.span_id for span in spans)]
    test.assertEqual([span.parent for span in spans], parents[:-1])
    services = ["wsmsg-connect", *["wsmsg-message"] * 3, "wsmsg-connect"]
    test.assertEqual([span.service for span in spans], services)
    for span in spans:
        test.assertLessEqual(span.start_ns, span.end_ns)
        test.assertEqual(span.attributes["messaging.system"], "wsmsg")


class _TracedCase(IntegrationTestCase):
    """
    Daemons that export to a receiver.
    """

    alone = True
    ratio = "1"
    more: ClassVar[dict[str, str]] = {}
    asks: ClassVar[dict[str, str]] = {}

    def make_receiver(self) -> Any:
        return OtlpReceiver()

    def _installed(self) -> Installation:
        self.receiver = self.make_receiver()

        async def stop() -> None:
            stopped = maybeDeferred(self.receiver.stop)
            await stopped.asFuture(asyncio.get_running_loop())

        self.at_end(stop)
        settings = {"traces.endpoint": self.receiver.url, **self.more}
        connect = {**settings, "traces.ratio": self.ratio, **self.asks}
        return Installation(message=settings, connect=connect)


class TraceTests(_TracedCase):
    """
    All messages are traced.
    """

    more: ClassVar = {"log.level": "debug", "log.format": "json"}

    @with_daemons
    async def test_whole(self) -> None:
        """
        A message has one trace, of all stages in both daemons, each the parent of the
        next; batches are linked to it; the logs, and C{wsmsg where}, name the trace.
        """
        await self._running()
        sender = await self.device(self.user())
        recipient = await self.device(self.user())
        await sender.send(recipient.user, "c1", "secret text")
        deliver = await recipient.expect("deliver")

        def traced() -> list[ReceivedSpan]:
            firsts = [s for s in self.receiver.spans if s.operation == "receive"]
            return self.receiver.of_trace(firsts[0].trace_id) if firsts else []

        await eventually("all spans came", lambda: len(traced()) == len(STAGES))
        spans = traced()
        check_trace(self, spans)
        conversation = conversation_of(sender.user, recipient.user)
        for span in spans:
            self.assertEqual(
                span.attributes["messaging.destination.name"], conversation
            )
            self.assertNotIn("secret", str(span.attributes))
        for span in spans[1:]:
            self.assertEqual(
                span.attributes["messaging.message.id"], str(deliver.message_id)
            )
        batches = [s for s in self.receiver.spans if s.name == "store batch"]
        self.assertEqual(batches[0].links, [(spans[1].trace_id, spans[1].span_id)])
        self.assertEqual(batches[0].attributes["messaging.batch.message_count"], 1)
        status, life = await self.installation.message.get(
            f"/life?message_id={deliver.message_id}"
        )
        self.assertEqual(status, 200)
        note = f"It is traced: {spans[0].trace_id} is the id of the trace."
        self.assertIn(note, life["notes"])
        logged = self.installation.logged(spans[0].trace_id)
        lines = sorted(map(json.loads, logged), key=lambda line: line["source"])
        of_connect, of_message = lines
        self.assertEqual(of_connect["trace_id"], spans[0].trace_id)
        self.assertEqual(of_connect["session"], spans[0].attributes["wsmsg.session"])
        self.assertEqual(of_connect["client_id"], "c1")
        self.assertEqual(of_message["message_id"], deliver.message_id)
        self.assertEqual(of_message["seq"], 1)


class ClientTraceTests(_TracedCase):
    """
    No message is traced but those for which a client asks.
    """

    ratio = "0"
    asks: ClassVar = {"traces.clients_per_s": "0.001"}

    @with_daemons
    async def test_asked(self) -> None:
        """
        A message continues the trace of its client; how often clients may ask for that
        is bounded, and what they send in place of a context is ignored.
        """
        await self._running()
        sender = await self.device(self.user())
        recipient = await self.device(self.user())

        async def send(client_id: str, traceparent: str) -> None:
            await sender.send_frame(
                send=pb.Send(
                    client_id=client_id,
                    to=recipient.user,
                    content=client_id,
                    traceparent=traceparent,
                )
            )
            await sender.answer(client_id)
            await recipient.expect("deliver")

        asked = new_trace()
        unsampled = child_of(asked)[:-2] + "00"
        for n, text in enumerate(("", "x" * 5000, asked.upper(), unsampled, "00-\n")):
            await send(f"n{n}", text)
        await send("asked", asked)
        await send("too-often", new_trace())

        def traced() -> list[ReceivedSpan]:
            spans: list[ReceivedSpan] = self.receiver.of_trace(trace_id_of(asked))
            return spans

        await eventually("all spans came", lambda: len(traced()) == len(STAGES))
        check_trace(self, traced(), asked[36:52])
        receives = [s for s in self.receiver.spans if s.operation == "receive"]
        self.assertEqual(len(receives), 1, receives)
        connect = self.installation.connect
        self.assertEqual(
            await metric(connect, 'wsmsg_connect_traced_total{by="client"}'), 1
        )
        self.assertEqual(await metric(connect, "wsmsg_connect_traces_refused_total"), 1)


class HangingTests(_TracedCase):
    """
    The endpoint accepts connections, and never answers.
    """

    more: ClassVar = {"traces.queue": "20", "traces.timeout_s": "1"}

    def make_receiver(self) -> Any:
        return HangingReceiver()

    @with_daemons
    async def test_hangs(self) -> None:
        """
        Messages go on; spans are dropped, counted, and told of in one line; and the
        stop of the daemons waits a moment only.
        """
        await self._running()
        sender = await self.device(self.user())
        recipient = await self.device(self.user())
        for n in range(40):
            await sender.send(recipient.user, f"c{n}", "text")
            await recipient.expect("deliver")
        for daemon in (self.installation.connect, self.installation.message):

            async def lost(daemon: DaemonProcess = daemon) -> bool:
                name = "wsmsg_trace_spans_dropped_total"
                counts = [
                    await metric(daemon, f'{name}{{reason="{reason}"}}')
                    for reason in ("queue", "endpoint")
                ]
                return all(counts)

            await eventually("spans are dropped in both ways", lost)
            lines = [line for line in daemon.lines() if "of traces lost" in line]
            self.assertEqual(len(lines), 1, lines)
            self.assertEqual(await daemon.terminate(), 0)
