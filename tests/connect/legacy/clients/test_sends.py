"""
What deployed clients sent is kept until it is accepted, in its order.
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
    A client that sends, while Message takes it or does not.
    """

    def test_accepted(self) -> None:
        """
        What is accepted is forgotten.
        """
        house = LegacyHouse()
        client = house.deployed(7)
        client.say(8, "a", "b")
        self.assertEqual(house.sent, ["a", "b"])
        self.assertEqual(house.legacy.held.count, 2)
        house.answer(ACCEPTED, ACCEPTED)
        held = house.legacy.held
        self.assertEqual(set(held.status().values()), {0})
        self.assertEqual(house.registry.counts.accepted, 2)

    def test_one_identity(self) -> None:
        """
        A message that is given again is the same message; another has another id.
        """
        house = LegacyHouse()
        house.deployed(7).say(8, "a", "a")
        first, second = (new for new, _ in house.upstream.sends)
        house.answer(UNAVAILABLE, UNAVAILABLE)
        house.pass_time(1)
        again = [new for new, _ in house.upstream.sends]
        self.assertEqual(again, [first, second])
        self.assertNotEqual(first.client_id, second.client_id)

    def test_refused_for_now(self) -> None:
        """
        What is refused for a moment is given again when the hint says, no sooner, and
        before what came meanwhile.
        """
        house = LegacyHouse()
        client = house.deployed(7)
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
        Where a send is refused before it is even given away, nothing behind it is
        given, until the hint is over.
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
        house.deployed(7).say(8, *"abcd")
        up.up = True
        house.pass_time(0.1)
        self.assertEqual(tried, ["a", "b"])
        house.pass_time(1)
        self.assertEqual(tried, ["a", "b", "b", "c", "d"])
        self.assertEqual(house.legacy.held.count, 0)

    def test_waits_for_all(self) -> None:
        """
        Nothing is given again while something behind it is on its way.
        """
        house = LegacyHouse()
        house.deployed(7).say(8, "a", "b")
        house.answer(UNAVAILABLE)
        house.pass_time(5)
        self.assertEqual(house.sent, ["b"])
        house.answer(UNAVAILABLE)
        house.pass_time(1)
        self.assertEqual(house.sent, ["a", "b"])

    def test_other_conversations(self) -> None:
        """
        What one conversation cannot do now does not hold up another.
        """
        house = LegacyHouse()
        client = house.deployed(7)
        client.say(8, "a")
        house.answer(UNAVAILABLE)
        client.say(9, "b")
        self.assertEqual(house.sent, ["b"])

    def test_refused_for_good(self) -> None:
        """
        What can never be accepted is dropped with a warning, and the next goes on.
        """
        house = LegacyHouse()
        house.deployed(7).say(8, "a", "b")
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
        While no Message is there nothing is given; then all of it is.
        """
        house = LegacyHouse()
        house.upstream.up = False
        client = house.deployed(7)
        client.say(8, "a", "b")
        house.pass_time(60)
        self.assertEqual(house.sent, [])
        house.upstream.up = True
        house.pass_time(0.1)
        self.assertEqual(house.sent, ["a", "b"])

    def test_survives_connection(self) -> None:
        """
        What a client sent is accepted though its connection is gone; what it sends
        after coming back comes after it.
        """
        house = LegacyHouse()
        client = house.deployed(7)
        client.say(8, "a")
        house.answer(UNAVAILABLE)
        client.drop()
        house.deployed(7).say(8, "b")
        house.pass_time(1)
        self.assertEqual(house.sent, ["a", "b"])

    def test_given_up(self) -> None:
        """
        What is refused for longer than the settings say is given up, with a warning
        and a count; what is younger stays.
        """
        house = LegacyHouse(legacy={"send_keep_s": 10})
        client = house.deployed(7)
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
        Not more than a window of a conversation is with Message at a time.
        """
        house = LegacyHouse(window=2)
        house.deployed(7).say(8, "a", "b", "c")
        self.assertEqual(house.sent, ["a", "b"])
        house.answer(ACCEPTED)
        self.assertEqual(house.sent, ["b", "c"])

    def test_full(self) -> None:
        """
        A user of whom too much waits is not read, until a quarter of it is gone; others
        are.
        """
        house = LegacyHouse(legacy={"user_sends": 4})
        client, other = house.deployed(7), house.deployed(9)
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
        When all that is kept is too large, whoever sends is not read.
        """
        house = LegacyHouse(legacy={"held_bytes": 5000})
        one, two = house.deployed(7), house.deployed(9)
        one.say(8, "x" * 4500)
        self.assertTrue(one.peer.reading)
        two.say(8, "x" * 500)
        self.assertFalse(two.peer.reading)
        house.answer(ACCEPTED)
        house.pass_time(0.1)
        self.assertTrue(two.peer.reading)

    def test_drained(self) -> None:
        """
        Stopping waits until all is accepted.
        """
        house = LegacyHouse()
        house.deployed(7).say(8, "a")
        drained = house.legacy.drain(5)
        self.assertNoResult(drained)
        house.answer(ACCEPTED)
        self.successResultOf(drained)
        self.assertEqual(house.clock.getDelayedCalls(), [])

    def test_drained_late(self) -> None:
        """
        Stopping waits no longer than it may; what is left is given up and counted.
        """
        house = LegacyHouse()
        house.deployed(7).say(8, "a", "b")
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
        Whatever is refused whenever, each conversation keeps its order and nothing is
        accepted twice or lost.
        """
        house = LegacyHouse(window=3)
        fence = Fenced(house)
        client = house.deployed(7)
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
    A Message that, as ours does, refuses what is on the wire behind something refused,
    and what comes shortly after it.
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
