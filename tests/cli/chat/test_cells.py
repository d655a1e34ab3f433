"""
Tests for text in the cells of a terminal.
"""

from __future__ import annotations

import wcwidth
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.cli.chat.cells import cells, drawable, wrapped


class DrawableTests(SynchronousTestCase):
    """
    Text that every terminal draws at the same width.
    """

    def test_emoji(self) -> None:
        """
        The parts of an emoji stand side by side, and are as wide as the chat believes.
        """
        for text, drawn in (
            (
                "\U0001f468\u200d\U0001f469\u200d\U0001f467",
                "\U0001f468\U0001f469\U0001f467",
            ),
            ("\u2764\ufe0f", "\u2764"),
            ("\U0001f44d\U0001f3fd", "\U0001f44d"),
            ("\U0001f469\U0001f3fd\u200d\U0001f4bb", "\U0001f469\U0001f4bb"),
            ("\U0001f1e9\U0001f1ea!", "[DE]!"),
            ("1\ufe0f\u20e3", "1\u20e3"),
        ):
            self.assertEqual(drawable(text), drawn)
            self.assertEqual(cells(drawn), wcwidth.width(drawn))

    def test_scripts(self) -> None:
        """
        Joiners of words, and marks of letters, stay.
        """
        for text in (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "e\u0301",
            "\u0915\u094d\u200d\u0937",
        ):
            self.assertEqual(drawable(text), text)

    def test_obeyed(self) -> None:
        """
        Characters that a terminal would obey are visible; line ends stay.
        """
        self.assertEqual(drawable("a\x1b[2Jb\nc\td"), "a\u241b[2Jb\nc\u2409d")


class WrappedTests(SynchronousTestCase):
    """
    Lines of a width.
    """

    def test_words(self) -> None:
        """
        Lines are broken between words, and within one only if it is too long.
        """
        text = "hello \u4e16\u754c world and averyverylongwordthatdoesnotfit"
        lines = wrapped(text, 12, 4)
        self.assertEqual(lines[:3], ["hello", "\u4e16\u754c world", "and averyver"])
        self.assertEqual("".join(lines[2:]), "and averyverylongwordthatdoesnotfit")
        for line in lines:
            self.assertLessEqual(cells(line), 12)

    def test_paragraphs(self) -> None:
        """
        Line ends stay, also empty lines.
        """
        self.assertEqual(wrapped("a\n\nb", 10, 3), ["a", "", "b"])
        self.assertEqual(wrapped("", 10, 3), [""])
