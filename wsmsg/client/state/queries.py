"""
Queries of the program: each is sent until it is answered.
"""

from __future__ import annotations

from collections.abc import Callable

from wsmsg.errors import WsmsgError
from wsmsg.protocol import frames

Request = (
    frames.Sync
    | frames.Conversations
    | frames.Members
    | frames.Blocks
    | frames.Invitations
    | frames.Names
)
Answering = frames.Heads | frames.Group | frames.Blocked | frames.Invited | frames.Named
Answer = frames.Page | Answering | WsmsgError

_RETRY_S = 1.0


class PendingQueries:
    """
    The queries without an answer.

    @param on_answer: called once for each query, with its id and the answer.
    """

    def __init__(self, on_answer: Callable[[str, Answer], object]) -> None:
        self._on_answer = on_answer
        self._requests: dict[str, Request] = {}
        self._unasked: dict[str, float] = {}

    def add(self, request: Request, now: float) -> None:
        """
        Add a query, which is due at once.
        """
        self._requests[request.id] = request
        self._unasked[request.id] = now

    def forget(self, request_id: str) -> None:
        """
        Forget a query whose answer is not needed any more.
        """
        self._requests.pop(request_id, None)
        self._unasked.pop(request_id, None)

    def due(self, now: float) -> list[Request]:
        """
        Return the queries to send now.
        """
        ids = [i for i, at in self._unasked.items() if at <= now]
        for request_id in ids:
            del self._unasked[request_id]
        return [self._requests[i] for i in ids]

    def next_due(self) -> float | None:
        """
        Return the time at which L{due} will return more if nothing happens until then.
        """
        return min(self._unasked.values(), default=None)

    def repeat(self) -> None:
        """
        Send all queries again, as after the loss of a connection.
        """
        self._unasked = dict.fromkeys(self._requests, 0.0)

    def answered(self, request_id: str, answer: Answer) -> None:
        """
        Process an answer; one of a query that was forgotten is dropped.
        """
        if self._requests.pop(request_id, None) is not None:
            self._unasked.pop(request_id, None)
            self._on_answer(request_id, answer)

    def refused(self, request_id: str, error: WsmsgError, now: float) -> bool:
        """
        Process an error: the query is sent again if that may help.

        @return: L{True} if this is the id of a query.
        """
        if request_id not in self._requests:
            return False
        if error.retry:
            self._unasked[request_id] = now + _RETRY_S
        else:
            self.answered(request_id, error)
        return True
