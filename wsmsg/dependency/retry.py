"""
How long to wait before the next attempt.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from wsmsg.settings.values import RetrySettings

#: How many attempts failed in a row (1 after the first) to seconds to wait; L{None}
#: means that no further attempt is made.
RetryPolicy = Callable[[int], "float | None"]


def retry_policy(
    settings: RetrySettings, uniform: Callable[[float, float], float] = random.uniform
) -> RetryPolicy:
    """
    Exponential waits from C{first_s} up to C{cap_s}, each changed by up to
    C{jitter} of itself so that many daemons do not return at the same moment.
    """

    def delay_s(failures: int) -> float | None:
        if settings.attempts and failures >= settings.attempts:
            return None
        # The exponent is bounded: a float overflows after some thousand attempts.
        steps = min(failures - 1, 200)
        base = min(settings.cap_s, settings.first_s * settings.factor**steps)
        return base * (1 + uniform(-settings.jitter, settings.jitter))

    return delay_s
