"""
Trends of figures that are taken at equal distances, and should be flat.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from statistics import median


def rise(values: Sequence[float]) -> float:
    """
    Return how much the figures rise from the first to the last, by the median of the
    slopes between all pairs (Theil and Sen), which a few outliers do not change.
    """
    pairs = itertools.combinations(enumerate(values), 2)
    slopes = [(later - value) / (n - m) for (m, value), (n, later) in pairs]
    return median(slopes) * (len(values) - 1) if slopes else 0.0
