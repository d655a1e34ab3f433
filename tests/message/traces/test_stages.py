"""
The spans of a message on its way through Message.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.errors import BadRequest, Unavailable
from wsmsg.flow.life_ring import LifeRing, message_key
from wsmsg.message.log.interface import Appended
from wsmsg.message.traces.stages import MOST_LINKS, MessageTraces
from wsmsg.model import Message
from wsmsg.tracing.context import new_trace, trace_id_in, trace_id_of
from wsmsg.tracing.spans import TraceSpan


def sent(n: int, traceparent: str = "", seq: int = 0) -> Message:
    """
    Return a message.
    """
    return Message(
        "u:1:2", 1, f"c{n}", n, "text", 1, 1000, seq, traceparent=traceparent
    )


class StageTests(SynchronousTestCase):
    """
    Messages of which some are traced.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.spans: list[TraceSpan] = []
        self.life = LifeRing(100)
        self.traces = MessageTraces(
            self.spans.append,
            self.life,
            journal={"system": "kafka", "destination_name": "topic"},
            now_ns=lambda: int(self.clock.seconds() * 1e9),
        )
        self.added: list[Sequence[Message]] = []
        self.adding: Deferred[Appended] = Deferred()
        self.add = self.traces.appends(self._add)

    def _add(self, messages: Sequence[Message]) -> Deferred[Appended]:
        self.added.append(messages)
        return self.adding

    def test_append(self) -> None:
        """
        The span of an append ends when the message is durable; the message goes on with
        that span, and one that is not traced goes on as it is.
        """
        parent = new_trace()
        messages = [sent(1), sent(2, parent)]
        done = self.add(messages)
        self.clock.advance(1)
        self.adding.callback(result := Appended({}, None))
        self.assertIs(self.successResultOf(done), result)
        (span,) = self.spans
        self.assertEqual((span.start_ns, span.end_ns), (0, 1_000_000_000))
        self.assertEqual((span.name, span.parent), ("append u:{user}:{user}", parent))
        first, second = self.added[0]
        self.assertIs(first, messages[0])
        self.assertEqual(second.traceparent, span.traceparent)
        self.assertEqual(trace_id_of(span.traceparent), trace_id_of(parent))
        self.assertEqual(span.attributes["messaging.message.id"], "2")
        self.assertEqual(span.attributes["wsmsg.client_id"], "c2")

    def test_append_fails(self) -> None:
        """
        A span has the error of its message: that of all, or that of this one; none if
        the store has the message all the same.
        """
        traced = [sent(n, new_trace()) for n in (1, 2, 3)]
        self.add(traced)
        refused = {traced[0].identity: BadRequest("no")}
        stored = {traced[2].identity: traced[2]}
        self.adding.callback(Appended(stored, Unavailable("down"), refused))
        self.assertEqual(
            [span.error for span in self.spans], ["bad_request", "unavailable", ""]
        )

    def test_stored(self) -> None:
        """
        Each message has a span, and the batch has one of its own trace with links to
        the spans before; this Message remembers the traces.
        """
        parents = [new_trace(), new_trace()]
        messages = [sent(1, parents[0], 7), sent(2), sent(3, parents[1], 8)]
        self.clock.advance(2)
        stored = self.traces.stored(messages, 1_000_000_000)
        one, two, batch = self.spans
        self.assertEqual([one.parent, two.parent], parents)
        self.assertEqual((one.start_ns, one.end_ns), (1_000_000_000, 2_000_000_000))
        self.assertEqual(
            [one.attributes["wsmsg.seq"], two.attributes["wsmsg.seq"]], [7, 8]
        )
        self.assertEqual((batch.name, batch.parent), ("store batch", ""))
        self.assertEqual(batch.links, parents)
        self.assertEqual(batch.attributes["messaging.batch.message_count"], 3)
        self.assertNotIn(trace_id_of(batch.traceparent), map(trace_id_of, parents))
        self.assertEqual(
            [m.traceparent for m in stored], [one.traceparent, "", two.traceparent]
        )
        self.assertEqual([m.seq for m in stored], [7, 0, 8])
        facts, _ = self.life.facts(message_key(1))
        noted = [trace_id_in(f.user, f.number) for f in facts]
        self.assertEqual(noted, [trace_id_of(parents[0])])

    def test_batch_of_the_journal(self) -> None:
        """
        A batch of the journal has the attributes of the journal, and no more links than
        OpenTelemetry takes; a batch without traced messages has no span.
        """
        many = [sent(n, new_trace()) for n in range(200)]
        self.traces.appended([[sent(1)], [sent(2)]], 0)
        self.traces.appended([many, [sent(1)]], 0)
        (span,) = self.spans
        self.assertEqual(len(span.links), MOST_LINKS)
        self.assertEqual(
            span.attributes,
            {
                "messaging.system": "kafka",
                "messaging.operation.name": "append",
                "messaging.operation.type": "send",
                "messaging.batch.message_count": 201,
                "messaging.destination.name": "topic",
            },
        )

    def test_pushed(self) -> None:
        """
        The span of a push ends when all Connects have acknowledged the batch.
        """
        settled: list[int] = []
        messages = [sent(1, new_trace(), 1), sent(2)]
        pushed, ended = self.traces.pushed(messages, lambda: settled.append(1))
        self.assertEqual(self.spans, [])
        self.clock.advance(3)
        ended()
        (span,) = self.spans
        self.assertEqual(settled, [1])
        self.assertEqual(span.name, "push u:{user}:{user}")
        self.assertEqual((span.start_ns, span.end_ns), (0, 3_000_000_000))
        self.assertEqual(pushed[0].traceparent, span.traceparent)

    def test_not_traced(self) -> None:
        """
        Messages that are not traced are passed on as they are.
        """
        messages = [sent(1), sent(2)]
        self.add(messages)
        self.assertIs(self.added[0], messages)
        self.assertEqual(self.traces.stored(messages, 0), messages)
        pushed, settled = self.traces.pushed(messages, self.setUp)
        self.assertIs(pushed, messages)
        self.assertEqual(settled, self.setUp)
        self.assertEqual(self.spans, [])
