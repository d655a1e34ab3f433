"""
Numbers in the contents of events, as clients receive them.
"""

from __future__ import annotations

_EXACT = 2**53


def json_number(number: int) -> int | str:
    """
    Return a number for JSON: as a string of digits if JavaScript cannot represent it.
    """
    return str(number) if number > _EXACT else number
