"""
Tests for the rows of a conversation, and for scrolling.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from wsmsg.cli.chat.cells import cells
from wsmsg.cli.chat.rows import ConversationRows
from wsmsg.cli.chat.view import LINES, ChatView
from wsmsg.client import MessageReceived

DAY_MS = 86_400_000


def message(seq: int, text: str = "", *, day: int = 1) -> MessageReceived:
    return MessageReceived(
        conversation="g:5",
        seq=seq,
        message_id=seq,
        sender=7,
        time_ms=day * DAY_MS + seq,
        client_id="",
        mine=False,
        content=text or f"m{seq}",
        kind=1,
    )


class RowCase(SynchronousTestCase):
    """
    A conversation.
    """

    def setUp(self) -> None:
        self.view = ChatView("g:5", lambda: 0.0)
        self.rows = ConversationRows(self.view, lambda entry: f"u{entry.sender}")

    def texts(self, width: int = 40, height: int = 5) -> list[str]:
        """
        Return what is in sight.
        """
        rows = self.rows.in_sight(width, height)
        return ["".join(text for _, text in row.fragments) for row in rows]


class RowTests(RowCase):
    """
    Rows and their text.
    """

    def test_days(self) -> None:
        """
        Each day begins with its date.
        """
        self.view.history([message(1), message(2), message(3, day=2)])
        texts = self.texts(height=10)
        self.assertEqual(
            [text.startswith("\u2500\u2500 ") for text in texts],
            [True, False, False, True, False],
        )
        self.assertIn("2 January 1970", texts[0])

    def test_narrow(self) -> None:
        """
        No row is wider than the terminal, whatever is in it.
        """
        text = (
            "\u4e16\u754c" * 30
            + " \U0001f468\u200d\U0001f469 "
            + "x" * 99
            + "\n\x1b[2J"
        )
        self.view.history([message(1, text)])
        self.view.sending("c", text, 5)
        self.view.refused("c", "forbidden: " + "because " * 9)
        for width in (12, 20, 33, 80):
            for row in self.texts(width, 200):
                self.assertLessEqual(cells(row), width, row)

    def test_long_name(self) -> None:
        """
        A long name is cut.
        """
        rows = ConversationRows(self.view, lambda entry: "n" * 128)
        self.view.history([message(1, "text")])
        shown = "".join(text for _, text in rows.in_sight(60, 5)[-1].fragments)
        self.assertIn("n\u2026: text", shown)


class ScrollTests(RowCase):
    """
    Scrolling.
    """

    def setUp(self) -> None:
        super().setUp()
        self.view.history([message(i) for i in range(1, 21)])

    def shown(self) -> list[str]:
        """
        Return the messages in sight.
        """
        return [text.split()[-1] for text in self.texts()]

    def test_stays(self) -> None:
        """
        The rows in sight stay there when messages arrive, and these are counted.
        """
        self.assertEqual(self.shown(), ["m16", "m17", "m18", "m19", "m20"])
        self.assertTrue(self.rows.back(40, 5, 4))
        self.assertEqual(self.shown(), ["m12", "m13", "m14", "m15", "m16"])
        for seq in (21, 22):
            self.view.event(message(seq))
        self.assertEqual(self.shown(), ["m12", "m13", "m14", "m15", "m16"])
        self.assertEqual(self.rows.unseen, 2)
        self.rows.forward(40, 4)
        self.assertEqual(self.shown()[-1], "m20")
        self.rows.forward(40, 4)
        self.assertTrue(self.rows.at_end)
        self.assertEqual(self.shown()[-1], "m22")
        self.assertEqual(self.rows.unseen, 0)

    def test_top(self) -> None:
        """
        At the top there is nothing further back, until older messages are read; they
        do not move what is in sight.
        """
        while self.rows.back(40, 5, 4):
            pass
        self.assertEqual(self.shown()[1:], ["m1", "m2", "m3", "m4"])
        view = ChatView("g:5", lambda: 0.0)
        rows = ConversationRows(view, lambda entry: "u")
        view.history([message(i) for i in range(11, 21)])
        while rows.back(40, 5, 4):
            pass
        before = rows.in_sight(40, 5)[-1].entry
        view.older([message(i) for i in range(1, 12)])
        self.assertIs(rows.in_sight(40, 5)[-1].entry, before)
        self.assertEqual([e.seq for e in view.entries], list(range(1, 21)))
        self.assertEqual(view.first, 1)

    def test_dropped(self) -> None:
        """
        If the line in sight was dropped, the oldest lines are in sight.
        """
        self.rows.back(40, 5, 10)
        for seq in range(21, 21 + LINES):
            self.view.event(message(seq))
        self.assertEqual(self.shown()[-1], "m24")
