"""
The unary gRPC calls of the legacy system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from wsmsg.errors import BadRequest, WsmsgError
from wsmsg.message.ingress.interface import Answer, IIngress
from wsmsg.message.legacy.convert import send_request_of, write_message
from wsmsg.message.legacy.history import History
from wsmsg.rpc import rest_pb2


class LegacyCalls:
    """
    C{SendWSMessage} and C{GetHistoryMessages}.

    @param most_history: returns the most messages in one page.
    """

    def __init__(
        self,
        ingress: IIngress,
        history: History,
        most_history: Callable[[], int],
        *,
        incarnation: str,
    ) -> None:
        self._ingress = ingress
        self._history = history
        self._most_history = most_history
        self._incarnation = incarnation
        self._ref = 0

    async def send(
        self, request: rest_pb2.SendWSMessageRequest
    ) -> rest_pb2.SendWSMessageResponse:
        """
        Accept a message.

        @return: success once the message is durable, or the reason of a final refusal.
        @raise WsmsgError: the message is refused for now.
        """
        self._ref += 1
        client_id = f"d:{self._incarnation}:u:{self._ref}"
        try:
            sent = send_request_of(request.msg, self._ref, client_id)
        except WsmsgError as e:
            return rest_pb2.SendWSMessageResponse(message=e.reason)
        answered: Deferred[int | WsmsgError] = Deferred(lambda _: None)

        def reply(answers: Sequence[Answer]) -> None:
            if not answered.called:  # else the caller is gone
                answered.callback(answers[0][1])

        self._ingress.accept([sent], reply)
        answer = await answered
        if isinstance(answer, WsmsgError) and answer.retry:
            raise answer
        if isinstance(answer, WsmsgError):
            return rest_pb2.SendWSMessageResponse(message=answer.reason)
        return rest_pb2.SendWSMessageResponse(success=True, message="accepted")

    async def history(
        self, request: rest_pb2.GetHistoryRequest
    ) -> rest_pb2.GetHistoryResponse:
        """
        Read a page of a group, or of all conversations of a user, oldest first.

        @raise WsmsgError: there is no such page.
        """
        most = self._most_history()
        size = min(request.size or most, most)
        if request.group_id < 0 or request.user_id < 0:
            raise BadRequest("user_id or group_id is negative")
        if request.group_id:
            page = await self._history.of_group(
                request.group_id, request.user_id, request.page, size
            )
        else:
            page = await self._history.of_user(request.user_id, request.page, size)
        response = rest_pb2.GetHistoryResponse(
            total=min(page.total, 2**31 - 1), page=request.page, size=size
        )
        for message in page.messages:
            written = response.messages.add()
            write_message(message, written)
            written.ClearField("ack_id")  # which the legacy store does not keep
        return response
