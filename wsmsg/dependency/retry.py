"""
Delays before the next attempt, by the settings C{retry.*}.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from wsmsg.settings.values import RetrySettings

#: Maps the number of attempts that failed in a row (1 after the first) to the seconds
#: before the next one; L{None}: no further attempt.
RetryPolicy = Callable[[int], "float | None"]

#: A policy without a last attempt, for work that must not be given up.
Backoff = Callable[[int], float]

Uniform = Callable[[float, float], float]


def backoff(settings: RetrySettings, uniform: Uniform = random.uniform) -> Backoff:
    """
    Return exponential delays from C{first_s} up to C{cap_s}, each varied by up to
    C{jitter} of itself so that many daemons do not return at the same moment.
    """

    def delay_s(failures: int) -> float:
        # The exponent is bounded: a float overflows after some thousand attempts.
        steps = min(failures - 1, 200)
        base = min(settings.cap_s, settings.first_s * settings.factor**steps)
        return base * (1 + uniform(-settings.jitter, settings.jitter))

    return delay_s


def retry_policy(
    settings: RetrySettings, uniform: Uniform = random.uniform
) -> RetryPolicy:
    """
    Return the delays of L{backoff}, which end after C{attempts} attempts unless that
    is 0.
    """
    backoff_s = backoff(settings, uniform)

    def delay_s(failures: int) -> float | None:
        if settings.attempts and failures >= settings.attempts:
            return None
        return backoff_s(failures)

    return delay_s
