"""
Base class of tests on asyncio alone, next to those of trial.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar
from unittest import IsolatedAsyncioTestCase, TestResult

T = TypeVar("T")


async def listed(iterator: AsyncIterator[T]) -> list[T]:
    """
    Return all that an iterator has.
    """
    return [one async for one in iterator]


class AsyncioCase(IsolatedAsyncioTestCase):
    """
    A test with its own event loop. The standard base class leaves the thread without a
    loop; this one restores the loop of trial's reactor afterwards.
    """

    def run(self, result: TestResult | None = None) -> TestResult | None:
        loop = asyncio.get_event_loop_policy().get_event_loop()
        try:
            return super().run(result)
        finally:
            asyncio.set_event_loop(loop)
