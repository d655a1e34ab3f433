"""
Numbers of things: C{1 message}, C{2 messages}.
"""

from __future__ import annotations


def plural(count: int, one: str, several: str = "") -> str:
    """
    Return the form of a noun for a number, without the number.

    @param one: the singular; it may begin with adjectives.
    @param several: the plural; empty: the singular and an C{s}.
    """
    return one if count == 1 else several or f"{one}s"


def counted(count: int, one: str, several: str = "") -> str:
    """
    Return a number and its noun.

    @param one: as for L{plural}.
    """
    return f"{count} {plural(count, one, several)}"
