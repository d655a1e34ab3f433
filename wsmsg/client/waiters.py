"""
Futures of the program's calls that wait for the server.
"""

from __future__ import annotations

import asyncio
from typing import Any

from wsmsg.client.state.events import SendAccepted
from wsmsg.client.state.queries import Answer
from wsmsg.errors import WsmsgError


class Waiting:
    """
    The calls that wait for a send to be settled or for an answer.
    """

    def __init__(self) -> None:
        self._sends: dict[str, list[asyncio.Future[SendAccepted]]] = {}
        self._answers: dict[str, asyncio.Future[Answer]] = {}

    async def send(self, client_id: str) -> SendAccepted:
        """
        Wait until a send is settled.

        @raise WsmsgError: it was refused.
        """
        future: asyncio.Future[SendAccepted] = (
            asyncio.get_running_loop().create_future()
        )
        waiting = self._sends.setdefault(client_id, [])
        waiting.append(future)
        try:
            return await future
        finally:
            waiting.remove(future)
            if not waiting and self._sends.get(client_id) is waiting:
                del self._sends[client_id]

    def waits_for(self, client_id: str) -> bool:
        """
        Return L{True} if a call waits for this send.
        """
        return client_id in self._sends

    def settled(self, client_id: str, outcome: SendAccepted | WsmsgError) -> bool:
        """
        Settle a send.

        @return: L{True} if a call waited for it.
        """
        waiting = self._sends.get(client_id, [])
        for future in waiting:
            _resolve(future, outcome)
        return bool(waiting)

    async def answer(self, request_id: str) -> Answer:
        """
        Wait for the answer to a query.

        @raise WsmsgError: the answer is an error.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = future
        try:
            return await future
        finally:
            del self._answers[request_id]

    def answered(self, request_id: str, answer: Answer) -> None:
        """
        Process the answer to a query.
        """
        future = self._answers.get(request_id)
        if future is not None:
            _resolve(future, answer)

    def fail(self, error: WsmsgError) -> None:
        """
        Fail all calls that wait.
        """
        for sends in self._sends.values():
            for send in sends:
                _resolve(send, error)
        for answer in self._answers.values():
            _resolve(answer, error)


def _resolve(future: asyncio.Future[Any], outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, WsmsgError):
        # A copy for each: a traceback grows on an exception that is raised often.
        error = type(outcome)(outcome.reason, outcome.retry_after_ms)
        future.set_exception(error)
    else:
        future.set_result(outcome)
