"""
Tests on asyncio alone, beside those of trial.
"""

from __future__ import annotations

import asyncio
from unittest import IsolatedAsyncioTestCase, TestResult


class AsyncioCase(IsolatedAsyncioTestCase):
    """
    The base class leaves the thread without a loop, and trial's reactor and the tests
    after this have one; it is put back.
    """

    def run(self, result: TestResult | None = None) -> TestResult | None:
        loop = asyncio.get_event_loop_policy().get_event_loop()
        try:
            return super().run(result)
        finally:
            asyncio.set_event_loop(loop)
