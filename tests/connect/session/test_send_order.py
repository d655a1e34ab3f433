"""
The order of the sends of a client that is far away.
"""

from __future__ import annotations

from collections import deque

from twisted.trial.unittest import SynchronousTestCase

from tests.connect.session.doubles import FakeNode
from wsmsg.connect.upstream.interface import SendAnswer
from wsmsg.connect.upstream.pending_sends import PendingSends
from wsmsg.connect.upstream.send_route import PendingSend
from wsmsg.flow.send_fence import PATIENCE_S
from wsmsg.protocol.frames import Accepted, Rejected, Send

_STEP_S = 0.05


class FarClient:
    """
    A client that keeps the protocol, at the end of a slow line.

    @ivar accepted: the client ids that the upstream accepted, in their order.
    @ivar rejected: the codes of all rejections.
    """

    def __init__(self, node: FakeNode, latency_s: float) -> None:
        self.node = node
        self.accepted: list[str] = []
        self.rejected: list[str] = []
        self._client = node.log_in(1001)
        self._latency_s = latency_s
        self._there: deque[tuple[float, Send]] = deque()
        self._back: deque[tuple[float, Accepted | Rejected]] = deque()
        self._again: dict[str, float] = {}

    def send(self, n: int) -> None:
        """
        Write a send to the line.
        """
        due_s = self.node.clock.seconds() + self._latency_s
        self._there.append((due_s, Send(f"{n:03}", to=7, content="hi")))

    def step(self) -> None:
        """
        Let a moment pass.
        """
        self.node.pass_time(_STEP_S)
        now_s = self.node.clock.seconds()
        while self._there and self._there[0][0] <= now_s:
            self._client.say(self._there.popleft()[1])
        self.answer()
        for frame in self._client.heard():
            assert isinstance(frame, Accepted | Rejected), frame
            self._back.append((now_s + self._latency_s, frame))
        while self._back and self._back[0][0] <= now_s:
            _, answer = self._back.popleft()
            if isinstance(answer, Rejected):
                self.rejected.append(answer.code)
                due_s = now_s + answer.retry_after_ms / 1000
                self._again[answer.client_id] = due_s
        if self._again and self._again[min(self._again)] <= now_s:
            for client_id in sorted(self._again):
                self.send(int(client_id))
            self._again.clear()

    def answer(self) -> None:
        """
        Accept what came to the upstream.
        """
        for new, on_answer in self.node.upstream.sends:
            self.accepted.append(new.client_id)
            on_answer(SendAnswer(time_ms=5))
        self.node.upstream.sends.clear()


class Stream:
    """
    A stream to a Message that answers after a moment, and is overloaded at first.

    @param sends: the sends of the node.
    @param refuse: how many sends are refused.
    """

    def __init__(self, sends: PendingSends, refuse: int) -> None:
        self.unanswered = 0
        self.queue: list[tuple[int, str]] = []
        self._sends = sends
        self._refuse = refuse

    def enqueue(self, send: object) -> None:
        self.unanswered += 1
        self.queue.append((send.number, send.new.client_id))  # type: ignore[attr-defined]

    def unwritten(self) -> list[PendingSend]:
        return []

    def send_finished(self) -> None:
        self.unanswered -= 1

    def answer(self, now_s: float) -> list[str]:
        """
        Answer everything that is written.

        @return: the client ids that are accepted.
        """
        queue, self.queue = self.queue, []
        refused, accepted = False, []
        for number, client_id in queue:
            if self._refuse or refused:
                # Message's own fence refuses what is behind it.
                self._refuse, refused = max(self._refuse - 1, 0), True
                answer = SendAnswer(code="overloaded", retry_after_ms=500)
            else:
                accepted.append(client_id)
                answer = SendAnswer(time_ms=5)
            self._sends.answer(self, number, answer, now_s)
        return accepted


class FarClientTests(SynchronousTestCase):
    """
    Nothing overtakes, however long frames take.
    """

    ids = [f"{n:03}" for n in range(60)]

    def run_client(self, client: FarClient) -> None:
        for n in range(60):
            client.send(n)
            client.step()
        for _ in range(8000):
            if len(client.accepted) == 60:
                break
            client.step()
        self.assertEqual(client.accepted, self.ids)
        self.assertTrue(client.rejected)

    def test_rate(self) -> None:
        """
        The messages of a client over its rate keep their order, with two seconds on the
        way each way.
        """
        for latency_s in (0.0, 0.45, 2.0):
            node = FakeNode(sends_per_s=5, sends_burst=5)
            client = FarClient(node, latency_s)
            self.run_client(client)
            self.assertEqual(set(client.rejected), {"rate_limited"})

    def test_overloaded(self) -> None:
        """
        The messages that Message refuses for now keep their order, with two seconds on
        the way each way.
        """
        for latency_s in (0.0, 0.45, 2.0):
            node = FakeNode(sends_per_s=1000, sends_burst=1000)
            sends = PendingSends(1000, node.clock)
            stream = Stream(sends, refuse=7)
            sends.stream_up(stream, node.clock.seconds())
            node.upstream.send = sends.send  # type: ignore[method-assign]

            class Overloaded(FarClient):
                def answer(self, stream: Stream = stream) -> None:
                    self.accepted += stream.answer(self.node.clock.seconds())

            self.run_client(Overloaded(node, latency_s))

    def test_given_up(self) -> None:
        """
        A client that gives up a rejected message sends to the conversation again after
        the bound, and to others at once.
        """
        node = FakeNode(sends_per_s=10, sends_burst=1)
        client = node.log_in(1001)
        client.say(Send("1", to=7), Send("2", to=7))
        node.clock.advance(5)
        client.say(Send("3", to=7), Send("1", to=8))
        self.assertEqual([new.client_id for new, _ in node.upstream.sends], ["1", "1"])
        node.clock.advance(0.5 + PATIENCE_S - 5)
        client.say(Send("3", to=7))
        self.assertEqual(node.upstream.sends[-1][0].client_id, "3")
