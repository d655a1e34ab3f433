"""
Text of other users, made safe for a terminal.
"""

from __future__ import annotations

import unicodedata

#: Joiners of emoji and of words in some scripts; they do not move the cursor.
_JOINERS = frozenset("\u200c\u200d")


def harmless(text: str) -> str:
    """
    Return the text on one line, with visible characters in place of those that a
    terminal would obey (escape sequences, line ends, changes of direction).
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(char: str) -> str:
    category = unicodedata.category(char)
    if char in _JOINERS or category not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"
