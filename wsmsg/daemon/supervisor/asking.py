"""
HTTP to the admin listeners of the workers, on loopback.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from wsmsg.daemon.supervisor.worker import SupervisedWorker
from wsmsg.dependency.response import ResponseBody
from wsmsg.errors import ERRORS, Unavailable, WsmsgError

_TIMEOUT_S = 5.0
#: The same, of a call that reads or changes the backends.
_LONG_S = 15.0
_MOST_BYTES = 16 * 2**20
_RETRY_MS = 1000


class NoAnswerOfWorker(Exception):
    """
    A worker did not answer, or not in time.
    """


class AskedWorkers:
    """
    Client of the workers' admin listeners.

    @param clock: the reactor.
    @param read_key: returns the key of operators.
    @ivar count: the number of workers.
    """

    def __init__(
        self,
        workers: Sequence[SupervisedWorker],
        clock: Any,
        read_key: Callable[[], str],
    ) -> None:
        # Imported only by a supervisor: it takes a tenth of a second.
        from twisted.web.client import Agent, HTTPConnectionPool

        self.count = len(workers)
        self._workers = workers
        self._clock = clock
        self._read_key = read_key
        self._pool = HTTPConnectionPool(clock)
        self._agent = Agent(clock, connectTimeout=_TIMEOUT_S, pool=self._pool)

    async def all(
        self, method: str, path: str, body: object = None
    ) -> Mapping[int, bytes]:
        """
        Ask all workers at the same time.

        @return: the answers of those that answered, by number.
        @raise WsmsgError: a worker refused the request.
        """
        asked = [w for w in self._workers if w.admin]
        answers: list[Deferred[Any]] = [
            Deferred.fromCoroutine(self._ask(worker.admin, method, path, body))
            for worker in asked
        ]
        for each in answers:
            each.addTimeout(_TIMEOUT_S, self._clock).addErrback(_nothing)
        found = await gatherResults(answers)
        told: dict[int, bytes] = {}
        for worker, answer in zip(asked, found, strict=True):
            if isinstance(answer, WsmsgError):
                raise answer
            if answer is not None:
                told[worker.number] = answer
        return told

    async def each_as_object(
        self, method: str, path: str, body: object = None
    ) -> Mapping[int, dict[str, Any]]:
        """
        Do the same, and return the objects of JSON.

        @raise Unavailable: none answers.
        """
        found = await self.all(method, path, body)
        if not found:
            raise Unavailable("no worker answers", _RETRY_MS)
        return {number: json.loads(text) for number, text in found.items()}

    async def any(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """
        Ask one worker, and return the object of JSON that it answers.

        @raise WsmsgError: it refused the request.
        @raise Unavailable: none answers.
        """
        for worker in self._workers:
            if worker.admin:
                asked = Deferred.fromCoroutine(
                    self._ask(worker.admin, method, path, body)
                )
                asked.addTimeout(_LONG_S, self._clock).addErrback(_nothing)
                answer = await asked
                if isinstance(answer, WsmsgError):
                    raise answer
                if answer is not None:
                    found: dict[str, Any] = json.loads(answer)
                    return found
        raise Unavailable("no worker answers", _RETRY_MS)

    async def to(self, worker: SupervisedWorker, path: str, body: object) -> None:
        """
        Post to one worker, which may be gone before it answers.
        """
        asked = Deferred.fromCoroutine(self._ask(worker.admin, "POST", path, body))
        await asked.addTimeout(_TIMEOUT_S, self._clock).addErrback(_nothing)

    def close(self) -> Deferred[Any]:
        """
        Close the connections.
        """
        closed: Deferred[Any] = self._pool.closeCachedConnections()
        return closed

    async def _ask(self, port: int, method: str, path: str, body: object) -> bytes:
        from twisted.web.client import FileBodyProducer
        from twisted.web.http_headers import Headers

        headers = Headers({"Authorization": [f"Bearer {self._read_key()}"]})
        sent = None
        if body is not None:
            headers.addRawHeader("Content-Type", "application/json")
            sent = FileBodyProducer(io.BytesIO(json.dumps(body).encode()))
        url = f"http://127.0.0.1:{port}{path}".encode("ascii")
        response = await self._agent.request(method.encode(), url, headers, sent)
        reading = ResponseBody(_MOST_BYTES, NoAnswerOfWorker)
        response.deliverBody(reading)
        answer = await reading.ended
        if response.code != 200:
            raise _refusal(answer)
        return answer


def _refusal(answer: bytes) -> Exception:
    """
    Return the error that a worker answered with.
    """
    document = json.loads(answer)
    error = ERRORS.get(document.get("code", ""), Unavailable)
    return error(str(document.get("detail", "")), _RETRY_MS if error.retry else 0)


def _nothing(failure: Failure) -> WsmsgError | None:
    """
    Return a refusal; all else is no answer.
    """
    failure.trap(Exception)
    error = failure.value
    return error if isinstance(error, WsmsgError) else None
