"""
Several questions at once.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

T = TypeVar("T")
U = TypeVar("U")


async def together(asked: Iterable[Coroutine[Any, Any, list[T]]]) -> list[T]:
    """
    All answers, one behind the other; the first failure, if there is one.
    """
    answers = await _all([Deferred.fromCoroutine(one) for one in asked])
    return [item for answer in answers for item in answer]


async def both(
    one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]
) -> tuple[T, U]:
    """
    The answers to two questions, or the first failure.
    """
    waiting: list[Deferred[Any]] = [
        Deferred.fromCoroutine(one),
        Deferred.fromCoroutine(other),
    ]
    first, second = await _all(waiting)
    return first, second


async def _all(waiting: list[Deferred[T]]) -> list[T]:
    try:
        return await gatherResults(waiting, consumeErrors=True)
    except FirstError as e:
        e.subFailure.raiseException()
