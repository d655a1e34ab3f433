"""
The unix time as messages have it.
"""

from __future__ import annotations

from collections.abc import Callable


def unix_ms(unix_s: Callable[[], float]) -> Callable[[], int]:
    """
    Return a function that gives the unix time in whole milliseconds.
    """
    return lambda: int(unix_s() * 1000)
