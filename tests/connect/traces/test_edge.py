"""
The decision which messages are traced, and the spans of Connect.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import FakeNode
from wsmsg.connect.traces.edge import EdgeTraces
from wsmsg.connect.upstream.interface import SendAnswer
from wsmsg.flow.life_ring import Stage, send_key
from wsmsg.model import Message
from wsmsg.protocol.frames import Send
from wsmsg.settings.upstream import ConnectTraceSettings
from wsmsg.settings.values import ConnectSettings
from wsmsg.tracing.context import child_of, new_trace, trace_id_in, trace_id_of
from wsmsg.tracing.spans import SpanKind, TraceSpan


class EdgeCase(SynchronousTestCase):
    """
    Traces whose chance the test decides.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.spans: list[TraceSpan] = []
        self.chance = 0.5

    def traces(self, **settings: Any) -> EdgeTraces:
        return EdgeTraces(
            self.spans.append,
            ConnectTraceSettings(**settings),
            self.clock.seconds,
            now_ns=lambda: int(self.clock.seconds() * 1e9),
            chance=lambda: self.chance,
        )


class SampleTests(EdgeCase):
    """
    The decision.
    """

    def test_ratio(self) -> None:
        """
        A message is traced if chance is below the ratio: never with 0, always with 1.
        """
        for ratio, chance, traced in (
            *((0.0, 0.0, False), (0.01, 0.009, True), (0.01, 0.01, False)),
            (1.0, 0.999, True),
        ):
            with self.subTest(ratio=ratio, chance=chance):
                self.chance = chance
                self.assertIs(self.traces(ratio=ratio).samples(""), traced)

    def test_client_asks(self) -> None:
        """
        Clients that ask have their way as often as the setting says, however many they
        are; after that, chance decides about them as about others.
        """
        traces = self.traces(ratio=0.1, clients_per_s=2)
        found = [traces.samples(new_trace()) for _ in range(1000)]
        self.assertEqual(found, [True] * 2 + [False] * 998)
        self.assertEqual((traces.heeded, traces.unheeded), (2, 998))
        self.clock.advance(0.5)
        self.assertEqual([traces.samples(new_trace()) for _ in range(2)], [True, False])
        self.chance = 0.05
        self.assertTrue(traces.samples(new_trace()))
        self.assertEqual(traces.sampled, 1)

    def test_nobody_asks(self) -> None:
        """
        With 0 no client has its way, and neither has one without the flag, whose ids do
        not matter to chance.
        """
        traces = self.traces(ratio=0.1, clients_per_s=0)
        self.assertFalse(traces.samples(new_trace()))
        traces = self.traces(ratio=0.1, clients_per_s=10)
        for asked in (
            new_trace()[:-2] + "00",
            "nonsense",
            f"00-{'1' * 32}",
            "x" * 5000,
        ):
            self.assertFalse(traces.samples(asked))
        self.assertEqual(traces.unheeded, 0)

    def test_reload(self) -> None:
        """
        A reload changes how many messages are traced.
        """
        traces = self.traces(ratio=0)
        self.assertFalse(traces.samples(""))
        traces.apply_settings(ConnectSettings(traces=ConnectTraceSettings(ratio=1)))
        self.assertTrue(traces.samples(""))


class SessionTests(EdgeCase):
    """
    Messages of a session.
    """

    def _node(self, **settings: Any) -> FakeNode:
        node = FakeNode()
        node.registry.traces = self.traces(**settings)
        return node

    def test_received(self) -> None:
        """
        The span begins with the frame and ends with the answer; the client's span is
        its parent; the message goes on with it, and this node remembers the trace.
        """
        node = self._node(ratio=1)
        client = node.log_in(1001)
        asked = new_trace()[:-2] + "00"
        client.say(Send("c1", to=1002, content="héllo", traceparent=asked))
        ((new, on_answer),) = node.upstream.sends
        self.assertEqual(trace_id_of(new.traceparent), trace_id_of(asked))
        self.assertEqual(self.spans, [])
        self.clock.advance(0.25)
        on_answer(SendAnswer(time_ms=5))
        (span,) = self.spans
        self.assertEqual(span.name, "receive u:{user}:{user}")
        self.assertIs(span.kind, SpanKind.SERVER)
        self.assertEqual(span.traceparent, new.traceparent)
        self.assertEqual(span.parent, asked[:-2] + "01")
        self.assertEqual((span.start_ns, span.end_ns), (0, 250_000_000))
        self.assertEqual(span.attributes["messaging.message.body.size"], 6)
        self.assertEqual(span.attributes["wsmsg.session"], client.session.name)
        self.assertEqual(span.attributes["wsmsg.client_id"], "c1")
        self.assertEqual(span.error, "")
        facts, _ = node.registry.life.facts(send_key(1001, "c1"))
        noted = [f for f in facts if f.stage == Stage.TRACED]
        traced = [trace_id_in(f.user, f.number) for f in noted]
        self.assertEqual(traced, [trace_id_of(asked)])
        self.assertNotIn("héllo", repr(span))

    def test_refused(self) -> None:
        """
        A message that is refused has the error in its span.
        """
        node = self._node(ratio=1)
        node.log_in(1001).say(Send("c1", group=7, content="hello"))
        ((_, on_answer),) = node.upstream.sends
        on_answer(SendAnswer(code="forbidden", reason="no"))
        (span,) = self.spans
        self.assertEqual((span.error, span.parent), ("forbidden", ""))
        self.assertEqual(span.name, "receive g:{group}")

    def test_not_traced(self) -> None:
        """
        A message that is not traced carries nothing of its client's, and has no span.
        """
        for node in (self._node(ratio=0, clients_per_s=0), FakeNode()):
            client = node.log_in(1001)
            client.say(Send("c1", to=1002, content="hi", traceparent=new_trace()))
            ((new, on_answer),) = node.upstream.sends
            self.assertEqual(new.traceparent, "")
            on_answer(SendAnswer(time_ms=5))
        self.assertEqual(self.spans, [])

    def test_written(self) -> None:
        """
        A push of a traced message has a span, after that of Message, with the number of
        sessions; neither another message nor a context that is none has one.
        """
        node = self._node(ratio=0)
        node.log_in(1001)
        node.log_in(1002)
        before = child_of(new_trace())
        for n, traceparent in enumerate((before, "", "nonsense"), 1):
            plain = Message("u:1001:1002", 1001, f"c{n}", 70 + n, "hi", 1, 5, n)
            message = msgspec.structs.replace(plain, traceparent=traceparent)
            node.registry.push(message, [1001, 1002, 1003])
        (span,) = self.spans
        self.assertEqual(span.name, "write u:{user}:{user}")
        self.assertEqual(span.parent, before)
        self.assertEqual(span.attributes["wsmsg.sessions"], 2)
        self.assertEqual(span.attributes["messaging.message.id"], "71")
