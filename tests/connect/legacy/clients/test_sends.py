"""
Sends of legacy clients are held until they are accepted, in order.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.legacy.clients.legacy_node import ACCEPTED, UNAVAILABLE, LegacyNode
from wsmsg.connect.upstream.interface import NewSend, OnAnswer, SendAnswer

_FORBIDDEN = SendAnswer(code="forbidden", reason="not a member")


class HeldSendsTests(SynchronousTestCase):
    """
    A client that sends, while Message accepts or refuses.
    """

    def test_accepted(self) -> None:
        """
        An accepted message is released.
        """
        node = LegacyNode()
        client = node.connect(7)
        client.say(8, "a", "b")
        self.assertEqual(node.sent, ["a", "b"])
        self.assertEqual(node.legacy.held.count, 2)
        node.answer(ACCEPTED, ACCEPTED)
        held = node.legacy.held
        self.assertEqual(set(held.status().values()), {0})
        self.assertEqual(node.registry.counters.accepted, 2)

    def test_one_identity(self) -> None:
        """
        A message that is sent again keeps its id; another message has another.
        """
        node = LegacyNode()
        node.connect(7).say(8, "a", "a")
        first, second = (new for new, _ in node.upstream.sends)
        node.answer(UNAVAILABLE, UNAVAILABLE)
        node.pass_time(1)
        again = [new for new, _ in node.upstream.sends]
        self.assertEqual(again, [first, second])
        self.assertNotEqual(first.client_id, second.client_id)

    def test_refused_for_now(self) -> None:
        """
        A message that is refused for now is sent again when the hint allows, no sooner,
        and before later ones.
        """
        node = LegacyNode()
        client = node.connect(7)
        client.say(8, "a", "b")
        node.answer(UNAVAILABLE, UNAVAILABLE)
        client.say(8, "c")
        node.pass_time(0.9)
        self.assertEqual(node.sent, [])
        node.pass_time(0.1)
        self.assertEqual(node.sent, ["a", "b", "c"])
        node.answer(ACCEPTED, ACCEPTED, ACCEPTED)
        self.assertEqual(node.legacy.held.count, 0)

    def test_refused_at_once(self) -> None:
        """
        If a message is refused while it is being sent, nothing behind it is sent until
        the hint allows.
        """
        node = LegacyNode(window=2)
        tried: list[str] = []
        answers = [ACCEPTED, UNAVAILABLE, *[ACCEPTED] * 3]

        def send(new: NewSend, on_answer: OnAnswer) -> None:
            tried.append(new.content)
            on_answer(answers.pop(0))

        up: Any = node.upstream
        up.up = False
        up.send = send
        node.connect(7).say(8, *"abcd")
        up.up = True
        node.pass_time(0.1)
        self.assertEqual(tried, ["a", "b"])
        node.pass_time(1)
        self.assertEqual(tried, ["a", "b", "b", "c", "d"])
        self.assertEqual(node.legacy.held.count, 0)

    def test_waits_for_all(self) -> None:
        """
        Nothing is sent again while a later message is in flight.
        """
        node = LegacyNode()
        node.connect(7).say(8, "a", "b")
        node.answer(UNAVAILABLE)
        node.pass_time(5)
        self.assertEqual(node.sent, ["b"])
        node.answer(UNAVAILABLE)
        node.pass_time(1)
        self.assertEqual(node.sent, ["a", "b"])

    def test_other_conversations(self) -> None:
        """
        A refusal in one conversation does not delay another.
        """
        node = LegacyNode()
        client = node.connect(7)
        client.say(8, "a")
        node.answer(UNAVAILABLE)
        client.say(9, "b")
        self.assertEqual(node.sent, ["b"])

    def test_refused_for_good(self) -> None:
        """
        A message that is refused for good is dropped with a warning, and the next is
        sent.
        """
        node = LegacyNode()
        node.connect(7).say(8, "a", "b")
        with capturedLogs() as logs:
            node.answer(_FORBIDDEN, ACCEPTED)
        (warning,) = [e for e in logs if e["log_level"] is LogLevel.warn]
        self.assertEqual(warning["user"], 7)
        self.assertIn("u:7:8: not a member", warning["reason"])
        self.assertEqual(node.legacy.counters.skipped, 1)
        self.assertEqual(node.registry.counters.rejected["forbidden"], 1)
        self.assertEqual(node.legacy.held.count, 0)

    def test_no_message(self) -> None:
        """
        While no Message is up nothing is sent; then everything is.
        """
        node = LegacyNode()
        node.upstream.up = False
        client = node.connect(7)
        client.say(8, "a", "b")
        node.pass_time(60)
        self.assertEqual(node.sent, [])
        node.upstream.up = True
        node.pass_time(0.1)
        self.assertEqual(node.sent, ["a", "b"])

    def test_survives_connection(self) -> None:
        """
        Messages are accepted although their connection is gone; those sent after a
        reconnect come after them.
        """
        node = LegacyNode()
        client = node.connect(7)
        client.say(8, "a")
        node.answer(UNAVAILABLE)
        client.drop()
        node.connect(7).say(8, "b")
        node.pass_time(1)
        self.assertEqual(node.sent, ["a", "b"])

    def test_given_up(self) -> None:
        """
        A message that is refused for longer than the setting is given up, with a
        warning and a count; younger ones stay.
        """
        node = LegacyNode(legacy={"send_keep_s": 10})
        client = node.connect(7)
        client.say(8, "a")
        node.answer(UNAVAILABLE)
        node.upstream.up = False
        node.pass_time(9)
        client.say(8, "b")
        self.assertEqual(node.legacy.held.count, 2)
        with capturedLogs() as logs:
            node.pass_time(1)
        self.assertEqual(node.legacy.held.count, 1)
        self.assertEqual(node.legacy.counters.given_up, 1)
        self.assertEqual([e["n"] for e in logs if "n" in e], [1])
        node.upstream.up = True
        node.pass_time(0.1)
        self.assertEqual(node.sent, ["b"])

    def test_window(self) -> None:
        """
        At most a window of a conversation is in flight.
        """
        node = LegacyNode(window=2)
        node.connect(7).say(8, "a", "b", "c")
        self.assertEqual(node.sent, ["a", "b"])
        node.answer(ACCEPTED)
        self.assertEqual(node.sent, ["b", "c"])

    def test_full(self) -> None:
        """
        A user with too many held messages is not read until a quarter of them is gone;
        others are.
        """
        node = LegacyNode(legacy={"user_sends": 4})
        client, other = node.connect(7), node.connect(9)
        client.say(8, "a", "b", "c")
        self.assertTrue(client.peer.reading)
        client.say(8, "d")
        self.assertFalse(client.peer.reading)
        client.say(8, "e")
        self.assertTrue(other.peer.reading)
        node.pass_time(0.1)
        self.assertFalse(client.peer.reading)
        node.answer(ACCEPTED, ACCEPTED)
        node.pass_time(0.1)
        self.assertTrue(client.peer.reading)
        self.assertEqual(node.sent, ["c", "d", "e"])

    def test_full_of_bytes(self) -> None:
        """
        While all held messages take too much memory, no client that sends is read.
        """
        node = LegacyNode(legacy={"held_bytes": 5000})
        one, two = node.connect(7), node.connect(9)
        one.say(8, "x" * 4500)
        self.assertTrue(one.peer.reading)
        two.say(8, "x" * 500)
        self.assertFalse(two.peer.reading)
        node.answer(ACCEPTED)
        node.pass_time(0.1)
        self.assertTrue(two.peer.reading)

    def test_drained(self) -> None:
        """
        Stopping waits until everything is accepted.
        """
        node = LegacyNode()
        node.connect(7).say(8, "a")
        drained = node.legacy.drain(5)
        self.assertNoResult(drained)
        node.answer(ACCEPTED)
        self.successResultOf(drained)
        node.context.lines.stop()
        self.assertEqual(node.clock.getDelayedCalls(), [])

    def test_drained_late(self) -> None:
        """
        Stopping waits no longer than its limit; what is left is given up and counted.
        """
        node = LegacyNode()
        node.connect(7).say(8, "a", "b")
        drained = node.legacy.drain(5)
        node.clock.advance(4.9)
        self.assertNoResult(drained)
        with capturedLogs() as logs:
            node.clock.advance(0.2)
        self.successResultOf(drained)
        self.assertEqual([e["n"] for e in logs if "n" in e], [2])
        node.answer(ACCEPTED, ACCEPTED)
        self.assertEqual(node.legacy.counters.given_up, 2)

    @given(
        st.lists(st.tuples(st.integers(8, 9), st.booleans()), max_size=12),
        st.lists(st.sampled_from(["yes", "no", "time"]), max_size=60),
    )
    def test_order(self, says: list[tuple[int, bool]], fates: list[str]) -> None:
        """
        Whatever is refused and when, each conversation keeps its order, and nothing is
        accepted twice or lost.
        """
        node = LegacyNode(window=3)
        fence = Fenced(node)
        client = node.connect(7)
        for n, (to, _) in enumerate(says):
            client.say(to, str(n))
        for fate in fates:
            if fate == "time":
                node.pass_time(1)
            elif node.upstream.sends:
                fence.answer(fate == "yes")
        while node.legacy.held.count:
            while node.upstream.sends:
                fence.answer(True)
            node.pass_time(1)
        for to in (8, 9):
            said = [str(n) for n, (whom, _) in enumerate(says) if whom == to]
            self.assertEqual(fence.accepted.get(f"u:7:{to}", []), said)


class Fenced:
    """
    A Message that, like ours, also refuses what is in flight behind a refused message,
    and what arrives shortly after it.
    """

    def __init__(self, node: LegacyNode) -> None:
        self._node = node
        self._until: dict[str, float] = {}
        self._behind: set[int] = set()
        self.accepted: dict[str, list[str]] = {}

    def answer(self, accept: bool) -> None:
        """
        Answer the oldest send.
        """
        new: NewSend
        on_answer: OnAnswer
        new, on_answer = self._node.upstream.sends.pop(0)
        now, name = self._node.clock.seconds(), new.conversation
        if id(on_answer) in self._behind or now < self._until.get(name, 0):
            self._behind.discard(id(on_answer))
            on_answer(UNAVAILABLE)
        elif accept:
            self.accepted.setdefault(name, []).append(new.content)
            on_answer(ACCEPTED)
        else:
            self._until[name] = now + 0.8
            sends = self._node.upstream.sends
            self._behind |= {id(on) for new, on in sends if new.conversation == name}
            on_answer(UNAVAILABLE)
