"""
Text of others, made safe to print on a terminal.
"""

from __future__ import annotations

import unicodedata

#: Join the parts of emoji and of words in some scripts; they move nothing.
_JOINERS = frozenset("\u200c\u200d")


def harmless(text: str) -> str:
    """
    The text on one line, with what a terminal would obey (escape sequences, line
    ends, changes of direction) made visible instead.
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
