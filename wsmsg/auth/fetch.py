"""
Fetches of a key set, bounded in time and in bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from wsmsg.auth.key_set import MOST_BYTES
from wsmsg.dependency.response import ResponseBody

#: The time that a fetch may take altogether.
FETCH_S: Final = 10.0

_REASON = 160


class FetchFailed(ValueError):
    """
    The key set cannot be fetched; the text is one line.
    """


def read_file(path: str) -> bytes:
    """
    Read a key set from a file.

    @raise FetchFailed: the file cannot be read, or is no regular file.
    """
    try:
        # O_NONBLOCK: a pipe would block until somebody writes into it.
        opened = os.open(
            Path(path).expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        )
        with open(opened, "rb") as file:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise FetchFailed("is not a regular file")
            return file.read(MOST_BYTES + 1)
    except OSError as e:
        raise FetchFailed(e.strerror or str(e)) from None


def url_fetch(url: str, clock: IReactorTime) -> Callable[[], Awaitable[bytes]]:
    """
    Return a function that fetches a key set by HTTP.

    @param clock: the reactor.
    """
    # Imported only where keys are fetched: it takes a tenth of a second.
    from twisted.web.client import Agent
    from twisted.web.http_headers import Headers

    agent: Any = Agent(clock, connectTimeout=FETCH_S)
    headers = Headers({"Accept": ["application/json"], "User-Agent": ["wsmsg"]})

    async def fetch() -> bytes:
        asking: Deferred[Any] = Deferred.fromCoroutine(_ask(agent, url, headers))
        asking.addTimeout(FETCH_S, clock)
        body: bytes = await asking.addErrback(_failed)
        return body

    return fetch


async def _ask(agent: Any, url: str, headers: Any) -> bytes:
    response = await agent.request(b"GET", url.encode("ascii"), headers)
    body = ResponseBody(MOST_BYTES, FetchFailed)
    if response.code != 200:
        # A redirect is not followed: the operator names the place of the keys.
        body.refuse(f"answered {response.code}")
    response.deliverBody(body)
    return await body.ended


def _failed(failure: Failure) -> bytes:
    """
    Raise the errors of the library as L{FetchFailed}, in one line.
    """
    failure.trap(Exception)
    if failure.check(FetchFailed, CancelledError):
        failure.raiseException()
    error = failure.value
    reasons = getattr(error, "reasons", None)
    if reasons:
        error = reasons[0].value
    if isinstance(error, TimeoutError | CancelledError):
        raise FetchFailed(f"did not answer within {FETCH_S:g} s")
    text = " ".join(str(error).split()) or type(error).__name__
    raise FetchFailed(f"{type(error).__name__}: {text}"[:_REASON])
