"""
Tests for L{wsmsg.message.links.routes}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.message.links.routes import Routes

_USERS = st.lists(st.integers(1, 5), max_size=5)
_STEPS = st.lists(st.tuples(st.sampled_from("ab"), _USERS, _USERS), max_size=20)


class RoutesTests(SynchronousTestCase):
    """
    Users and the nodes that reach them.
    """

    def setUp(self) -> None:
        self.routes = Routes()

    def test_first_and_last(self) -> None:
        """
        A user is reached from the first node that adds them until the last one removes
        them.
        """
        self.assertEqual(self.routes.change("a", [1], []), ([1], []))
        self.assertEqual(self.routes.change("b", [1], []), ([], []))
        self.assertEqual(self.routes.of(1), {"a", "b"})
        self.assertEqual(self.routes.change("a", [], [1]), ([], []))
        self.assertEqual(self.routes.change("b", [], [1]), ([], [1]))
        self.assertEqual(self.routes.of(1), set())
        self.assertEqual(len(self.routes), 0)

    def test_replace(self) -> None:
        """
        A snapshot removes the users that it does not name.
        """
        self.routes.change("a", [1, 2], [])
        came, went = self.routes.replace("a", [2, 3])
        self.assertEqual((came, went), ([3], [1]))
        self.assertEqual(self.routes.users("a"), {2, 3})

    def test_forget(self) -> None:
        """
        Removing a node removes the users whom no other node reaches.
        """
        self.routes.change("a", [1, 2], [])
        self.routes.change("b", [2], [])
        self.assertEqual(self.routes.forget("a"), [1])
        self.assertEqual(self.routes.of(2), {"b"})
        self.assertEqual(self.routes.forget("a"), [])

    @given(_STEPS)
    def test_model(self, steps: list[tuple[str, list[int], list[int]]]) -> None:
        """
        After any changes, both directions agree with a plain model.
        """
        routes = Routes()
        model: dict[str, set[int]] = {"a": set(), "b": set()}
        for node, online, offline in steps:
            before = model["a"] | model["b"]
            came, _ = routes.change(node, online, list(offline))
            model[node] |= set(online)
            now = model["a"] | model["b"]
            self.assertEqual(set(came), now - before)
            model[node] -= set(offline)
            for user in range(1, 6):
                nodes = {n for n in model if user in model[n]}
                self.assertEqual(routes.of(user), nodes)
