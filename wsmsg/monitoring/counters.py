"""
The base of the records of counters that several objects count in.
"""

from __future__ import annotations


class Counters:
    """
    A record of monotonic counters, of which the metrics read each.

    The objects that share a record add to its fields (C{counters.sends += 1}).  These
    are the only attributes that others than their object write.
    """

    __slots__ = ()
