"""
The question to all other Messages for what they remember of one message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from twisted.internet.defer import Deferred

from wsmsg.dependency.gather import gather
from wsmsg.rpc import rest_pb2
from wsmsg.stream.errors import StreamFailed

#: Asks the Message at an address; may fail with L{StreamFailed}.
AskMessage = Callable[
    [str, rest_pb2.QueryRequest, float], "Deferred[rest_pb2.QueryResponse]"
]


class OtherMessages:
    """
    The other Messages in the list.

    @param addresses: returns their addresses.
    """

    def __init__(self, addresses: Callable[[], Iterable[str]], ask: AskMessage) -> None:
        self._addresses = addresses
        self._ask = ask

    async def ask(
        self, query: rest_pb2.LifeQuery, timeout_s: float
    ) -> tuple[Sequence[rest_pb2.LifeAnswer], Mapping[str, str]]:
        """
        Ask all of them.

        @return: their answers, and why the others gave none, by address.
        """
        item = rest_pb2.QueryItem(life=query)
        request = rest_pb2.QueryRequest(items=[item])
        answers: list[rest_pb2.LifeAnswer] = []
        missing: dict[str, str] = {}

        async def one(address: str) -> None:
            try:
                response = await self._ask(address, request, timeout_s)
            except StreamFailed as e:
                missing[address] = str(e)
                return
            answer = response.answers[0] if response.answers else None
            if answer is not None and answer.HasField("life"):
                answers.append(answer.life)
            else:
                missing[address] = "its version does not know the question"

        await gather(one(address) for address in sorted(self._addresses()))
        return answers, missing
