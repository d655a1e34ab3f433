"""
L{wsmsg.codecs.checks}, under the name by which Connect knows it.
"""

from wsmsg.codecs.checks import WATCH_MAX, checked

__all__ = ["WATCH_MAX", "checked"]
