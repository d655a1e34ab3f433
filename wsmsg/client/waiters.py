"""
The parts of the program that wait for the server, as futures.
"""

from __future__ import annotations

import asyncio
from typing import Any

from wsmsg.client.state.events import SendAccepted
from wsmsg.client.state.exchange import Answer
from wsmsg.errors import WsmsgError


class Waiting:
    """
    Who waits for which send to be settled and which question to be answered.
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
        Whether anybody waits for this send.
        """
        return client_id in self._sends

    def settled(self, client_id: str, outcome: SendAccepted | WsmsgError) -> bool:
        """
        A send is settled.

        @return: whether anybody waited for it.
        """
        waiting = self._sends.get(client_id, [])
        for future in waiting:
            _resolve(future, outcome)
        return bool(waiting)

    async def answer(self, request_id: str) -> Answer:
        """
        Wait for the answer to a question.

        @raise WsmsgError: that is the answer.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = future
        try:
            return await future
        finally:
            del self._answers[request_id]

    def answered(self, request_id: str, answer: Answer) -> None:
        """
        A question is answered.
        """
        future = self._answers.get(request_id)
        if future is not None:
            _resolve(future, answer)

    def fail(self, error: WsmsgError) -> None:
        """
        Nobody will get an answer any more.
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
        # Each has its own: a traceback grows on an exception that many raise.
        error = type(outcome)(outcome.reason, outcome.retry_after_ms)
        future.set_exception(error)
    else:
        future.set_result(outcome)
