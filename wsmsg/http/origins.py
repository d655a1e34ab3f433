"""
Origins of web pages (RFC 6454) that a listener accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ANY_PORT = ":*"


class Origins:
    """
    Patterns of C{Origin} headers.

    A C{*} matches any part of a host or a port, C{:*} at the end any port or none, and
    C{*} alone everything.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = list(patterns)
        self._all = "*" in patterns
        self._pattern = re.compile(
            "|".join(map(_expression, patterns)) or r"(?!)", re.IGNORECASE
        )

    def allow(self, origin: str) -> bool:
        """
        Return whether pages from this origin are accepted.
        """
        return self._all or self._pattern.fullmatch(origin) is not None


def _expression(pattern: str) -> str:
    port = ""
    if pattern.endswith(_ANY_PORT):
        pattern, port = pattern.removesuffix(_ANY_PORT), r"(?::\d+)?"
    return r"[^/@?#:]*".join(map(re.escape, pattern.split("*"))) + port
