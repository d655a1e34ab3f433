"""
Lines on C{stderr} before a daemon has its log.
"""

from __future__ import annotations

import sys

from wsmsg.text.escape import harmless_lines
from wsmsg.text.passwords import without_passwords


def complain(daemon: str, text: str) -> None:
    """
    Print a line, or several, without passwords of URLs and without characters that a
    terminal would obey.

    @param daemon: C{connect} or C{message}.
    """
    shown = harmless_lines(without_passwords(text))
    print(f"wsmsg {daemon}: {shown}", file=sys.stderr)
