"""
Several asynchronous calls at the same time.

A call is a Deferred, or a coroutine that these functions start.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, FirstError, ensureDeferred, gatherResults
from twisted.python.failure import Failure

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


def gather(calls: Iterable[Awaitable[T]]) -> Deferred[list[T]]:
    """
    Wait for all calls.

    @return: a Deferred that fires with the results in the order of the calls, or with
        the failure of the call that fails first.
    """
    started: list[Any] = list(calls)
    gathered = gatherResults(map(ensureDeferred, started), consumeErrors=True)
    return gathered.addErrback(_unwrapped)


async def gather_lists(calls: Iterable[Awaitable[list[T]]]) -> list[T]:
    """
    Wait for calls that each return a list, and concatenate the lists.
    """
    return [item for found in await gather(calls) for item in found]


async def both(one: Awaitable[A], other: Awaitable[B]) -> tuple[A, B]:
    """
    Wait for two calls with results of different types.
    """
    calls: list[Awaitable[Any]] = [one, other]
    first, second = await gather(calls)
    return first, second


def _unwrapped(failure: Failure) -> Failure:
    error = failure.value
    return error.subFailure if isinstance(error, FirstError) else failure
