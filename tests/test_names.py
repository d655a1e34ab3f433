"""
Tests of L{wsmsg.names}.
"""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.auth.identity import Identity, subject_of
from wsmsg.errors import Internal, Unauthenticated
from wsmsg.model import INT64_MAX
from wsmsg.names import (
    FIRST,
    LAST,
    candidates,
    choose,
    group_in_text,
    group_of_key,
    is_given,
    name_problem,
    number_in,
)


class NameTests(SynchronousTestCase):
    """
    Names that are accepted, and names that are refused.
    """

    def test_accepted(self) -> None:
        """
        UUIDs, e-mail addresses and other texts for people are names.
        """
        for name in (
            "6f1c9d0e-5b7a-4a52-9e0f-2f8c8a1b7d11",
            "anna+chat@example.org",
            "a",
            "an na",
            "a:b/c?d#e%20",
            "n" * 128,
            "\u00e9",
            "\u5c71" * 42,
            "\U0001f607",
            "1e3",
            "0x10",
            "12-34",
            "...",
        ):
            self.assertEqual(name_problem(name), "", name)
            self.assertEqual(subject_of(name), Identity(0, name=name))

    def test_refused(self) -> None:
        """
        A text that people could not tell from another name or from a number, or that
        cannot be passed on, is refused with the reason.
        """
        for name, word in (
            ("", "0 bytes"),
            ("n" * 129, "129 bytes"),
            ("\u5c71" * 43, "129 bytes"),
            ("\ud800", "surrogate"),
            ("a\x7f", "U+007F"),
            ("a\u0085", "U+0085"),
            ("a\u200b", "U+200B"),
            ("a\u2028", "U+2028"),
            ("a\u2067b", "U+2067"),
            ("a\ue000", "U+E000"),
            ("a\u00a0b", "U+00A0"),
            ("a ", "space"),
            ("e\u0301", "NFC"),
            ("\u212b", "NFC"),
            ("0", "number"),
            ("01", "number"),
            ("+1", "number"),
            ("\uff11\uff12", "number"),
            (str(INT64_MAX + 1), "number"),
            ("..", "URL"),
        ):
            self.assertIn(word, name_problem(name), name)
            with self.assertRaises(Unauthenticated) as caught:
                subject_of(name)
            self.assertEqual(caught.exception.fault, "subject")

    def test_numbers(self) -> None:
        """
        A number is the user with this number, unless it is one of those that are given
        to names.
        """
        for user in (1, 1001, FIRST - 1, LAST + 1, INT64_MAX):
            self.assertEqual(subject_of(str(user)), Identity(user))
        for user in (FIRST, LAST):
            with self.assertRaises(Unauthenticated) as caught:
                subject_of(str(user))
            self.assertIn("given to names", caught.exception.reason)
        self.assertEqual([number_in(t) for t in ("0", "x", "1 ", "7")], [0, 0, 0, 7])

    @given(st.text(min_size=1, max_size=200))
    def test_any_text(self, text: str) -> None:
        """
        Any text is a number, or a name, or is refused; never two of these.
        """
        kinds = [bool(number_in(text)), not name_problem(text)]
        self.assertLessEqual(sum(kinds), 1)

    def test_choice(self) -> None:
        """
        The number of a name follows from the name, unless another name has it; one that
        is in use is taken only if nothing else is free.
        """
        first, second, *rest = candidates("anna")
        self.assertTrue(all(map(is_given, (first, second, *rest))))
        self.assertEqual(choose("anna", (), ()), first)
        self.assertEqual(choose("anna", {first}, ()), second)
        self.assertEqual(choose("anna", (), {first}), second)
        self.assertEqual(choose("anna", {second, *rest}, {first}), first)
        with self.assertRaises(Internal):
            choose("anna", {first, second, *rest}, ())

    def test_keys(self) -> None:
        """
        The number of a group follows from its key, and a number stands for itself.
        """
        keys = ["room-7", "Room-7", "room-7 ", "a/b", "u:1:2"]
        for one, other in combinations(keys, 2):
            self.assertNotEqual(group_of_key(one), group_of_key(other))
        self.assertEqual(group_in_text("room-7"), group_of_key("room-7"))
        self.assertEqual(group_in_text("4611"), 4611)
        self.assertTrue(0 < group_of_key("room-7") <= INT64_MAX)
