"""
Several questions at once.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

T = TypeVar("T")


async def together(asked: Iterable[Coroutine[Any, Any, list[T]]]) -> list[T]:
    """
    All answers, one behind the other; the first failure, if there is one.
    """
    waiting = [Deferred.fromCoroutine(one) for one in asked]
    try:
        answers = await gatherResults(waiting, consumeErrors=True)
    except FirstError as e:
        e.subFailure.raiseException()
    return [item for answer in answers for item in answer]
