"""
The rules by which the trace of a message explains returns.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tools.trace_message import message_calls
from tools.trace_rules import ANSWERS, Call, returns


def calls_of(*rows: tuple[int, int, str, int]) -> list[Call]:
    """
    Return the calls of one thread.

    @param rows: of each call, its turn, its depth, its class or function as
        C{path:name}, and its object.
    """
    calls = []
    for at, (turn, depth, where, receiver) in enumerate(rows):
        path, name = where.split(":")
        calls.append(Call(at, 1, path, name, depth, turn, receiver))
    return calls


class RuleTests(SynchronousTestCase):
    """
    A return is a call into a module that the message had left.
    """

    def explained(self, *rows: tuple[int, int, str, int]) -> list[tuple[str, str]]:
        return [(call.name, rule) for call, rule in returns(calls_of(*rows))]

    def test_straight(self) -> None:
        """
        A way that leaves no module before it is done with it has no return.
        """
        self.assertEqual(
            self.explained(
                (1, 0, "a.py:A.f", 1), (1, 1, "b.py:B.f", 2), (1, 1, "a.py:A.g", 1)
            ),
            [],
        )

    def test_detour(self) -> None:
        """
        A second call into a module within a turn is unexplained, whatever it does.
        """
        self.assertEqual(
            self.explained(
                (1, 0, "a.py:A.f", 1),
                (1, 1, "b.py:B.f", 2),
                (1, 1, "c.py:C.f", 3),
                (1, 1, "b.py:B.limits", 2),
            ),
            [("B.limits", "unexplained")],
        )

    def test_another_class(self) -> None:
        """
        An object of another class in a module that was left is no further receiver.
        """
        self.assertEqual(
            self.explained(
                (1, 0, "a.py:A.f", 1),
                (1, 1, "b.py:B.f", 2),
                (1, 1, "c.py:C.f", 3),
                (1, 1, "b.py:Other.f", 4),
            ),
            [("Other.f", "unexplained")],
        )

    def test_pause(self) -> None:
        """
        A module that was left in an earlier turn has been waited for.
        """
        self.assertEqual(
            self.explained(
                (1, 0, "a.py:A.f", 1), (1, 1, "b.py:B.f", 2), (2, 0, "a.py:A.g", 1)
            ),
            [("A.g", "pause")],
        )

    def test_branch(self) -> None:
        """
        The sessions of two users are two receivers, and the modules behind each of
        them are passed once for each; a detour in one of them is still seen.
        """
        self.assertEqual(
            self.explained(
                (1, 0, "registry.py:Registry.push", 1),
                (1, 1, "output.py:Output.push", 2),
                (1, 2, "writes.py:Writes.write", 3),
                (1, 1, "output.py:Output.push", 4),
                (1, 2, "writes.py:Writes.write", 3),
                (1, 2, "other.py:f", 0),
                (1, 2, "writes.py:Writes.flush", 3),
            ),
            [
                ("Output.push", "branch"),
                ("Writes.write", "branch"),
                ("Writes.flush", "unexplained"),
            ],
        )

    def test_answer(self) -> None:
        """
        The message goes on after the answer to its sender, through modules that the
        answer passed; a detour of either of them is still seen.
        """
        path, _, name = ANSWERS[0].partition(":")
        self.assertEqual(
            self.explained(
                (1, 0, "a.py:A.f", 1),
                (1, 1, "b.py:B.f", 2),
                (1, 1, f"{path}:{name}", 3),
                (1, 2, "link.py:Link.results", 4),
                (1, 3, "other.py:f", 0),
                (1, 2, "link.py:Link.open", 4),
                (1, 2, "b.py:B.g", 2),
                (1, 1, "link.py:Link.push", 4),
                (1, 2, "other.py:f", 0),
                (1, 1, "link.py:Link.push", 4),
            ),
            [
                ("Link.open", "unexplained"),
                ("B.g", "unexplained"),
                ("Link.push", "answer"),
                ("f", "answer"),
                ("Link.push", "unexplained"),
            ],
        )

    def test_value(self) -> None:
        """
        A call into a module of values counts as one only if it calls no other module.
        """
        again = (
            (1, 0, "a.py:A.f", 1),
            (1, 1, "model.py:Message.identity", 2),
            (1, 1, "b.py:B.f", 3),
            (1, 1, "model.py:Message.identity", 2),
        )
        self.assertEqual(self.explained(*again), [("Message.identity", "value")])
        back = (*again, (1, 2, "protocol/json.py:f", 0), (1, 2, "c.py:C.f", 4))
        self.assertEqual(self.explained(*back), [("Message.identity", "unexplained")])


class MessageCallsTests(SynchronousTestCase):
    """
    The calls of a message are told from those of timers.
    """

    def test_called_by_a_timer(self) -> None:
        """
        A function that every message calls does not count where a timer calls it.
        """
        message = ((1, 0, "store.py:find", 0), (1, 1, "file.py:select", 0))
        timer = ((2, 0, "store.py:heads", 0), (2, 1, "file.py:select", 0))
        calls = [
            *calls_of(*message, *timer, *((3, d, w, r) for _, d, w, r in message)),
            *(c._replace(at_s=c.at_s + 10) for c in calls_of(*message)),
        ]
        found = message_calls(calls, [(0, 5), (10, 11)])
        self.assertEqual(
            [(c.turn, c.name) for c in found],
            [(1, "find"), (1, "select"), (3, "find"), (3, "select")],
        )
