"""
Text of other users, on terminals and in logs.
"""

from __future__ import annotations

import io
import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from wsmsg.monitoring.logs import Logs
from wsmsg.settings.values import LogSettings
from wsmsg.text.escape import harmless, harmless_lines

#: What terminals obey, readers take for the end of a line, or nobody sees.
HOSTILE = (
    *("\x1b]0;title\x07", "\x1b[31mred", "\x9b31m", "a\x85b", "a\r\nb", "\x08\x7f"),
    *("a\u2028b", "a\u2029b", "\u202eevil", "\u2066x", "\u061c", "\ufeff", "\ud800"),
    *("\U000e0041tag", "\U000e0000", "\U000e0100", "a\x0bb\x0cc\x1cd", "\u00ad"),
)


class HarmlessTests(SynchronousTestCase):
    """
    Text of other users on a terminal.
    """

    def test_escapes(self) -> None:
        """
        Escape sequences, line ends and changes of direction are shown, not obeyed.
        """
        self.assertEqual(harmless("a\x1b[2Jb\r\nc"), "a\u241b[2Jb\u240d\u240ac")
        self.assertEqual(harmless("a\u202eb\x9bc"), "a<U+202E>b<U+009B>c")

    def test_languages(self) -> None:
        """
        Letters, accents and emoji of several parts stay as they are.
        """
        for text in ("grüß", "\u4f60\u597d", "\U0001f469\u200d\U0001f52c", "e\u0301"):
            self.assertEqual(harmless(text), text)

    @given(st.text())
    def test_one_line(self, text: str) -> None:
        """
        Any text becomes one line without control characters.
        """
        shown = harmless(text)
        self.assertFalse(any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown))
        self.assertLessEqual(len(shown.splitlines()), 1)

    @given(st.text())
    def test_nothing_obeyed(self, text: str) -> None:
        """
        Nothing that a terminal would obey is left in any text.
        """
        for char in harmless(text):
            obeyed = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
            self.assertFalse(obeyed and char not in "\u200c\u200d", ascii(text))
            self.assertNotIn(ord(char), range(0xE0000, 0xE1000))

    def test_lines(self) -> None:
        """
        Text of several lines keeps its lines, and nothing else that is obeyed.
        """
        self.assertEqual(harmless_lines("a\x1b\nb\u2028c\n"), "a\u241b\nb<U+2028>c\n")


class LogLineTests(SynchronousTestCase):
    """
    Text of other users in the log of a daemon.
    """

    def logged(self, form: str, text: str) -> str:
        out = io.StringIO()
        settings = LogSettings.model_validate({"format": form})
        log = Logger(namespace="wsmsg.trial", observer=Logs(out, settings))
        log.info("{device} closes", device=text, fields=[{text: text}])
        try:
            raise ValueError(text)
        except ValueError:
            log.failure("it broke at {device}", device=text)
        return out.getvalue()

    def test_row_16_no_text_breaks_a_log_line(self) -> None:
        """
        Whatever a client calls itself, an event stays on its line, in text and in JSON,
        and only a traceback has lines of its own, each after a tab.
        """
        for text in (*HOSTILE, "a\n2026-01-01T00:00:00+0000 [forged#info] b"):
            written = self.logged("text", text)
            first, second, *traceback = written.removesuffix("\n").split("\n")
            self.assertTrue(first.endswith(" closes"), first)
            self.assertIn("it broke at ", second)
            self.assertTrue(all(line.startswith("\t") for line in traceback))
            self.check(written.replace("\n\t", "\n"))
            written = self.logged("json", text)
            self.assertEqual(len(written.splitlines()), 2)
            self.check(written)
            line, failure = map(json.loads, written.splitlines())
            self.check(line["device"] + line["text"] + str(line["fields"]))
            self.check(failure["traceback"])

    def check(self, written: str) -> None:
        self.assertEqual(written, harmless_lines(written))
