"""
Memory of the objects of a test.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any


def traced_bytes(make: Callable[[], Any]) -> int:
    """
    Return the bytes that what C{make} returns takes.
    """
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = make()
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
        del kept
        return taken
    finally:
        tracemalloc.stop()
