"""
Fences that keep the order of a sender's messages.
"""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.flow.send_fence import LEAST_HINT_MS, MOST_IDS, PATIENCE_S, SendFences


class FencesTests(SynchronousTestCase):
    """
    L{SendFences}.
    """

    def setUp(self) -> None:
        self.fences: SendFences[str] = SendFences()

    def refuse(self, key: str, client_id: str, now_s: float, hint_ms: int) -> None:
        """
        Refuse a send where no other has to be answered.
        """
        self.fences.refuse(key, client_id, now_s, hint_ms, lambda key: ())

    def passing(self, ids: str, now_s: float) -> str:
        """
        Return those of the client ids, one letter each, that pass.
        """
        return "".join(c for c in ids if not self.fences.hint_ms("a", c, now_s))

    def accept(self, ids: str) -> None:
        """
        Give sends their final answers.
        """
        for client_id in ids:
            self.fences.forget("a", client_id)

    def test_hint(self) -> None:
        """
        Later sends are told the rest of the first hint, or to come soon; other keys
        are not concerned.
        """
        self.refuse("a", "1", 10, 1000)
        self.assertEqual(self.fences.hint_ms("a", "2", 10), 1001)
        self.assertEqual(self.fences.hint_ms("b", "2", 10), 0)
        self.assertEqual(self.fences.hint_ms("a", "3", 10.25), 751)
        self.assertEqual(self.fences.hint_ms("a", "4", 15), LEAST_HINT_MS)

    def test_held(self) -> None:
        """
        A send that passed is refused once more while an earlier one, which has come
        again, is held; the fence stands for it as for any refused one.
        """
        self.refuse("a", "1", 10, 500)
        self.assertEqual(self.passing("2", 10), "")
        self.assertEqual(self.passing("123", 19), "123")
        self.assertEqual(self.fences.places("a"), {"1": 0, "2": 1, "3": 2})
        self.assertTrue(self.fences.hint_ms("a", "2", 28, held={"1"}))
        self.assertFalse(self.fences.hint_ms("a", "1", 28, held={"3"}))
        self.assertEqual(self.passing("3", 28 + PATIENCE_S), "")
        self.assertEqual(self.passing("23", 28 + PATIENCE_S), "23")
        self.assertEqual(self.fences.places("b"), {})

    def test_until_they_come(self) -> None:
        """
        Whatever is refused passes in its old order, long after the hint, and new sends
        pass behind it.
        """
        self.refuse("a", "1", 10, 500)
        self.assertEqual(self.passing("234", 12), "")
        self.assertEqual(self.passing("5", 14), "")
        self.assertEqual(self.passing("1236457", 15), "12345")
        self.assertEqual(self.passing("678", 16), "678")
        self.accept("12345678")
        self.assertFalse(self.fences.standing)

    def test_refused_again(self) -> None:
        """
        A send that is repeated and refused once more keeps its place.
        """
        self.refuse("a", "1", 10, 500)
        self.assertEqual(self.passing("23", 10), "")
        self.assertEqual(self.passing("12", 11), "12")
        self.refuse("a", "1", 11, 500)
        self.assertEqual(self.passing("32", 11), "")
        self.assertEqual(self.passing("1234", 12), "1234")

    def test_refused_later(self) -> None:
        """
        Sends that were made before the refused one, and are refused after it, are
        repeated before it.
        """
        self.fences.refuse("a", "3", 10, 500, lambda key: ["1", "2", "3"])
        self.assertEqual(self.passing("4", 10), "")
        self.refuse("a", "2", 11, 500)
        self.refuse("a", "1", 11, 500)
        self.assertEqual(self.passing("34", 12), "")
        self.assertEqual(self.passing("2", 12), "")
        self.assertEqual(self.passing("12345", 12), "12345")
        self.accept("12345")
        self.assertFalse(self.fences.standing)

    def test_passed_and_refused(self) -> None:
        """
        A send that passed a fence, and is refused after those before it have come
        again, is repeated after them.
        """
        self.refuse("a", "1", 10, 500)
        self.assertEqual(self.passing("1", 11), "1")
        self.assertEqual(self.passing("2", 11), "2")
        self.refuse("a", "1", 12, 500)
        self.assertEqual(self.passing("1", 13), "1")
        self.refuse("a", "2", 13, 500)
        self.refuse("a", "1", 13, 500)
        self.assertEqual(self.passing("2123", 14), "123")

    def test_answered_later(self) -> None:
        """
        Sends that were made before the refused one, and are accepted, are not waited
        for.
        """
        self.fences.refuse("a", "3", 10, 500, lambda key: ["1", "2", "3"])
        self.assertEqual(self.passing("34", 12), "34")

    def test_given_up(self) -> None:
        """
        A client that never repeats the first is stopped no longer than the bound,
        whatever it sends meanwhile.
        """
        self.refuse("a", "1", 10, 500)
        for tenths in range(105):
            self.assertEqual(self.passing("23", 10 + tenths / 10), "")
        self.assertEqual(self.passing("23", 10.5 + PATIENCE_S), "23")

    def test_answered(self) -> None:
        """
        A send that has its final answer is waited for no more.
        """
        self.refuse("a", "1", 10, 500)
        self.assertEqual(self.passing("2", 10), "")
        self.fences.forget("a", "1")
        self.fences.forget("b", "1")
        self.assertEqual(self.passing("23", 11), "23")

    def test_bounded(self) -> None:
        """
        A fence remembers so many client ids, and expired fences are removed even if
        nothing comes under their keys.
        """
        self.refuse("a", "0", 10, 1000)
        for n in range(1, 2 * MOST_IDS):
            self.assertGreater(self.fences.hint_ms("a", str(n), 10), 0)
        for n in range(2 * MOST_IDS):
            self.assertEqual(self.fences.hint_ms("a", str(n), 11), 0)
        for n in range(100):
            self.refuse(str(n), "x", n, 1000)
        self.assertLess(len(self.fences), 14)

    def test_kept_up(self) -> None:
        """
        A client that is refused again and again keeps its own fence, and not those of
        clients that came before it or after it and went away.
        """
        self.refuse("first", "1", 10, 500)
        self.refuse("a", "1", 10, 500)
        for n in range(200):
            self.refuse("a", "1", 11 + n / 10, 500)
            self.refuse(f"gone-{n}", "1", 11 + n / 10, 500)
        self.assertNotIn("first", self.fences.standing)
        lasting_s = PATIENCE_S + 0.5
        self.assertLessEqual(len(self.fences), 2 + 10 * lasting_s)

    def test_bounded_in_all(self) -> None:
        """
        All fences together remember a bounded number of client ids: above it, the fence
        ends that was not used for longest.
        """
        self.fences = SendFences(limit=6)
        for key in "abc":
            self.refuse(key, "1", 10, 500)
            self.assertTrue(self.fences.hint_ms(key, "2", 10))
        self.assertTrue(self.fences.hint_ms("a", "2", 10))
        self.refuse("d", "1", 10, 500)
        self.assertEqual("".join(self.fences.standing), "cad")
        self.assertEqual(self.fences.hint_ms("b", "2", 10), 0)

    def test_room_again(self) -> None:
        """
        Client ids of sends that were answered, and of fences that ended, leave room.
        """
        self.fences = SendFences(limit=3)
        for now_s in range(10, 500, 20):
            self.refuse("a", "1", now_s, 500)
            self.assertEqual(self.passing("12", now_s), "12")
            self.accept("12")
            self.refuse("b", "1", now_s, 500)
            self.refuse("c", "1", now_s, 500)
            self.fences.forget("c", "unknown")
            self.assertEqual(self.fences.hint_ms("b", "1", now_s), 0)
            self.assertEqual("".join(self.fences.standing), "cb")
        self.assertEqual(self.fences.hint_ms("b", "2", 1000), 0)
        for key in "xyz":
            self.refuse(key, "1", 1000, 500)
        self.assertEqual("".join(self.fences.standing), "xyz")


class FarClient:
    """
    A client that keeps the protocol, and a server with some steps on the way in each
    direction.

    @param fates: of each send that passes the fence, in this order: C{0} has it
        accepted, C{1} refused at once, and with others it is taken into a journal that
        refuses it, and all that it took behind it, the last first, so many steps later.
    """

    HINT = 1.0

    def __init__(self, steps: int, fates: list[int]) -> None:
        self.fences: SendFences[str] = SendFences()
        self.accepted: list[int] = []
        self.now = 0.0
        self._fates = iter(fates)
        self._steps = steps
        self._there: deque[tuple[float, int]] = deque()
        self._back: deque[tuple[float, int, bool]] = deque()
        self._refused: dict[int, float] = {}
        self._journal: list[int] = []
        self._fails = 0.0

    def step(self, new: int | None) -> None:
        """
        Pass a tenth of a second, in which the client may make a new send.
        """
        self.now = round(self.now + 0.1, 1)
        if self._journal and self.now >= self._fails:
            while self._journal:
                self._refuse(self._journal.pop())
        while self._there and self._there[0][0] <= self.now:
            self._serve(self._there.popleft()[1])
        while self._back and self._back[0][0] <= self.now:
            _, n, accepted = self._back.popleft()
            if not accepted:
                self._refused[n] = self.now + self.HINT
        if self._refused and self._refused[min(self._refused)] <= self.now:
            for n in sorted(self._refused):
                self._there.append((self._later(), n))
            self._refused.clear()
        if new is not None:
            self._there.append((self._later(), new))

    def _later(self) -> float:
        return self.now + self._steps / 10

    def _serve(self, n: int) -> None:
        if self.fences.hint_ms("a", str(n), self.now):
            self._back.append((self._later(), n, False))
            return
        fate = next(self._fates, 0)
        if fate == 1:
            self._refuse(n)
        elif fate or self._journal:
            if not self._journal:
                self._fails = self.now + fate / 10
            self._journal.append(n)
        else:
            self.accepted.append(n)
            self.fences.forget("a", str(n))
            self._back.append((self._later(), n, True))

    def _refuse(self, n: int) -> None:
        unanswered = [*map(str, self._journal)]
        if n > max(self._journal, default=-1):
            unanswered.append(str(n))
        hint_ms = int(self.HINT * 1000)
        self.fences.refuse("a", str(n), self.now, hint_ms, lambda key: unanswered)
        self._back.append((self._later(), n, False))


class FarClientTests(SynchronousTestCase):
    """
    Clients of which frames take up to two seconds each way.
    """

    @given(st.integers(0, 20), st.lists(st.sampled_from([0, 1, 3, 12]), max_size=60))
    def test_order(self, steps: int, fates: list[int]) -> None:
        """
        All sends are accepted in the order in which they were made first, whichever of
        them are refused for now, when, and however often.
        """
        client = FarClient(steps, fates)
        for n in range(40):
            client.step(n)
        for _ in range(9000):
            if len(client.accepted) == 40:
                break
            client.step(None)
        self.assertEqual(client.accepted, list(range(40)))
