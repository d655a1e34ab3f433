"""
Sends of legacy clients are held until they are accepted, in order.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.connect.legacy.clients.legacy_node import ACCEPTED, UNAVAILABLE, LegacyHouse
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
        house = LegacyHouse()
        client = house.connect(7)
        client.say(8, "a", "b")
        self.assertEqual(house.sent, ["a", "b"])
        self.assertEqual(house.legacy.held.count, 2)
        house.answer(ACCEPTED, ACCEPTED)
        held = house.legacy.held
        self.assertEqual(set(held.status().values()), {0})
        self.assertEqual(house.registry.counts.accepted, 2)

    def test_one_identity(self) -> None:
        """
        A message that is sent again keeps its id; another message has another.
        """
        house = LegacyHouse()
        house.connect(7).say(8, "a", "a")
        first, second = (new for new, _ in house.upstream.sends)
        house.answer(UNAVAILABLE, UNAVAILABLE)
        house.pass_time(1)
        again = [new for new, _ in house.upstream.sends]
        self.assertEqual(again, [first, second])
        self.assertNotEqual(first.client_id, second.client_id)

    def test_refused_for_now(self) -> None:
        """
        A message that is refused for now is sent again when the hint allows, no sooner,
        and before later ones.
        """
        house = LegacyHouse()
        client = house.connect(7)
        client.say(8, "a", "b")
        house.answer(UNAVAILABLE, UNAVAILABLE)
        client.say(8, "c")
        house.pass_time(0.9)
        self.assertEqual(house.sent, [])
        house.pass_time(0.1)
        self.assertEqual(house.sent, ["a", "b", "c"])
        house.answer(ACCEPTED, ACCEPTED, ACCEPTED)
        self.assertEqual(house.legacy.held.count, 0)

    def test_refused_at_once(self) -> None:
        """
        If a message is refused while it is being sent, nothing behind it is sent until
        the hint allows.
        """
        house = LegacyHouse(window=2)
        tried: list[str] = []
        answers = [ACCEPTED, UNAVAILABLE, *[ACCEPTED] * 3]

        def send(new: NewSend, on_answer: OnAnswer) -> None:
            tried.append(new.content)
            on_answer(answers.pop(0))

        up: Any = house.upstream
        up.up = False
        up.send = send
        house.connect(7).say(8, *"abcd")
        up.up = True
        house.pass_time(0.1)
        self.assertEqual(tried, ["a", "b"])
        house.pass_time(1)
        self.assertEqual(tried, ["a", "b", "b", "c", "d"])
        self.assertEqual(house.legacy.held.count, 0)

    def test_waits_for_all(self) -> None:
        """
        Nothing is sent again while a later message is in flight.
        """
        house = LegacyHouse()
        house.connect(7).say(8, "a", "b")
        house.answer(UNAVAILABLE)
        house.pass_time(5)
        self.assertEqual(house.sent, ["b"])
        house.answer(UNAVAILABLE)
        house.pass_time(1)
        self.assertEqual(house.sent, ["a", "b"])

    def test_other_conversations(self) -> None:
        """
        A refusal in one conversation does not delay another.
        """
        house = LegacyHouse()
        client = house.connect(7)
        client.say(8, "a")
        house.answer(UNAVAILABLE)
        client.say(9, "b")
        self.assertEqual(house.sent, ["b"])

    def test_refused_for_good(self) -> None:
        """
        A message that is refused for good is dropped with a warning, and the next is
        sent.
        """
        house = LegacyHouse()
        house.connect(7).say(8, "a", "b")
        with capturedLogs() as logs:
            house.answer(_FORBIDDEN, ACCEPTED)
        (warning,) = [e for e in logs if e["log_level"] is LogLevel.warn]
        self.assertEqual(warning["user"], 7)
        self.assertIn("u:7:8: not a member", warning["reason"])
        self.assertEqual(house.legacy.counters.skipped, 1)
        self.assertEqual(house.registry.counts.rejected["forbidden"], 1)
        self.assertEqual(house.legacy.held.count, 0)

    def test_no_message(self) -> None:
        """
        While no Message is up nothing is sent; then everything is.
        """
        house = LegacyHouse()
        house.upstream.up = False
        client = house.connect(7)
        client.say(8, "a", "b")
        house.pass_time(60)
        self.assertEqual(house.sent, [])
        house.upstream.up = True
        house.pass_time(0.1)
        self.assertEqual(house.sent, ["a", "b"])

    def test_survives_connection(self) -> None:
        """
        Messages are accepted although their connection is gone; those sent after a
        reconnect come after them.
        """
        house = LegacyHouse()
        client = house.connect(7)
        client.say(8, "a")
        house.answer(UNAVAILABLE)
        client.drop()
        house.connect(7).say(8, "b")
        house.pass_time(1)
        self.assertEqual(house.sent, ["a", "b"])

    def test_given_up(self) -> None:
        """
        A message that is refused for longer than the setting is given up, with a
        warning and a count; younger ones stay.
        """
        house = LegacyHouse(legacy={"send_keep_s": 10})
        client = house.connect(7)
        client.say(8, "a")
        house.answer(UNAVAILABLE)
        house.upstream.up = False
        house.pass_time(9)
        client.say(8, "b")
        self.assertEqual(house.legacy.held.count, 2)
        with capturedLogs() as logs:
            house.pass_time(1)
        self.assertEqual(house.legacy.held.count, 1)
        self.assertEqual(house.legacy.counters.given_up, 1)
        self.assertEqual([e["n"] for e in logs if "n" in e], [1])
        house.upstream.up = True
        house.pass_time(0.1)
        self.assertEqual(house.sent, ["b"])

    def test_window(self) -> None:
        """
        At most a window of a conversation is in flight.
        """
        house = LegacyHouse(window=2)
        house.connect(7).say(8, "a", "b", "c")
        self.assertEqual(house.sent, ["a", "b"])
        house.answer(ACCEPTED)
        self.assertEqual(house.sent, ["b", "c"])

    def test_full(self) -> None:
        """
        A user with too many held messages is not read until a quarter of them is gone;
        others are.
        """
        house = LegacyHouse(legacy={"user_sends": 4})
        client, other = house.connect(7), house.connect(9)
        client.say(8, "a", "b", "c")
        self.assertTrue(client.peer.reading)
        client.say(8, "d")
        self.assertFalse(client.peer.reading)
        client.say(8, "e")
        self.assertTrue(other.peer.reading)
        house.pass_time(0.1)
        self.assertFalse(client.peer.reading)
        house.answer(ACCEPTED, ACCEPTED)
        house.pass_time(0.1)
        self.assertTrue(client.peer.reading)
        self.assertEqual(house.sent, ["c", "d", "e"])

    def test_full_of_bytes(self) -> None:
        """
        While all held messages take too much memory, no client that sends is read.
        """
        house = LegacyHouse(legacy={"held_bytes": 5000})
        one, two = house.connect(7), house.connect(9)
        one.say(8, "x" * 4500)
        self.assertTrue(one.peer.reading)
        two.say(8, "x" * 500)
        self.assertFalse(two.peer.reading)
        house.answer(ACCEPTED)
        house.pass_time(0.1)
        self.assertTrue(two.peer.reading)

    def test_drained(self) -> None:
        """
        Stopping waits until everything is accepted.
        """
        house = LegacyHouse()
        house.connect(7).say(8, "a")
        drained = house.legacy.drain(5)
        self.assertNoResult(drained)
        house.answer(ACCEPTED)
        self.successResultOf(drained)
        self.assertEqual(house.clock.getDelayedCalls(), [])

    def test_drained_late(self) -> None:
        """
        Stopping waits no longer than its limit; what is left is given up and counted.
        """
        house = LegacyHouse()
        house.connect(7).say(8, "a", "b")
        drained = house.legacy.drain(5)
        house.clock.advance(4.9)
        self.assertNoResult(drained)
        with capturedLogs() as logs:
            house.clock.advance(0.2)
        self.successResultOf(drained)
        self.assertEqual([e["n"] for e in logs if "n" in e], [2])
        house.answer(ACCEPTED, ACCEPTED)
        self.assertEqual(house.legacy.counters.given_up, 2)

    @given(
        st.lists(st.tuples(st.integers(8, 9), st.booleans()), max_size=12),
        st.lists(st.sampled_from(["yes", "no", "time"]), max_size=60),
    )
    def test_order(self, says: list[tuple[int, bool]], fates: list[str]) -> None:
        """
        Whatever is refused and when, each conversation keeps its order, and nothing is
        accepted twice or lost.
        """
        house = LegacyHouse(window=3)
        fence = Fenced(house)
        client = house.connect(7)
        for n, (to, _) in enumerate(says):
            client.say(to, str(n))
        for fate in fates:
            if fate == "time":
                house.pass_time(1)
            elif house.upstream.sends:
                fence.answer(fate == "yes")
        while house.legacy.held.count:
            while house.upstream.sends:
                fence.answer(True)
            house.pass_time(1)
        for to in (8, 9):
            said = [str(n) for n, (whom, _) in enumerate(says) if whom == to]
            self.assertEqual(fence.accepted.get(f"u:7:{to}", []), said)


class Fenced:
    """
    A Message that, like ours, also refuses what is in flight behind a refused message,
    and what arrives shortly after it.
    """

    def __init__(self, house: LegacyHouse) -> None:
        self._house = house
        self._until: dict[str, float] = {}
        self._behind: set[int] = set()
        self.accepted: dict[str, list[str]] = {}

    def answer(self, accept: bool) -> None:
        """
        Answer the oldest send.
        """
        new: NewSend
        on_answer: OnAnswer
        new, on_answer = self._house.upstream.sends.pop(0)
        now, name = self._house.clock.seconds(), new.conversation
        if id(on_answer) in self._behind or now < self._until.get(name, 0):
            self._behind.discard(id(on_answer))
            on_answer(UNAVAILABLE)
        elif accept:
            self.accepted.setdefault(name, []).append(new.content)
            on_answer(ACCEPTED)
        else:
            self._until[name] = now + 0.8
            sends = self._house.upstream.sends
            self._behind |= {id(on) for new, on in sends if new.conversation == name}
            on_answer(UNAVAILABLE)
