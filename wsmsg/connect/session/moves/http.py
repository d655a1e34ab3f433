"""
C{/drain} and C{/rebalance} on Connect's admin listener, for C{wsmsg drain} and
C{wsmsg rebalance}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from wsmsg.auth.scopes import Scope
from wsmsg.connect.session.moves.moves import Moves
from wsmsg.http.forms import Form
from wsmsg.http.routes import Argument, Call, Reply, Route

_MOST_WAIT_MS = 2000
_PerS = Annotated[float, msgspec.Meta(gt=0, le=100_000)]


class NewDrain(Form):
    """
    A drain.

    @ivar per_s: clients that are asked to move in a second; missing: C{drain.per_s}.
    @ivar lead_s: time in which newcomers are still served; missing: C{drain.lead_s}.
    """

    per_s: _PerS | None = None
    lead_s: Annotated[float, msgspec.Meta(ge=0, le=600)] | None = None


class NewRebalance(Form):
    """
    A rebalancing.

    @ivar per_s: as in L{NewDrain}.
    """

    per_s: _PerS | None = None


class Movable(Protocol):
    """
    A Connect whose clients move, by the calls of L{move_routes}.
    """

    async def show(self, call: Call) -> Reply: ...

    async def drain(self, call: Call) -> Reply: ...

    async def undo(self, call: Call) -> Reply: ...

    async def rebalance(self, call: Call) -> Reply: ...


def move_routes(calls: Movable) -> Sequence[Route]:
    """
    Return the routes of the calls.
    """
    ok = {200: dict}
    operate = Scope.OPERATE
    after = Argument("after_ms", "Answer so many milliseconds later; at most 2000.")
    return [
        Route(
            "GET drain",
            calls.show,
            ok,
            query=[after],
            scope=Scope.OBSERVE,
            root="/",
        ),
        Route("POST drain", calls.drain, ok, body=NewDrain, scope=operate, root="/"),
        Route("DELETE drain", calls.undo, ok, scope=operate, root="/"),
        Route(
            "POST rebalance",
            calls.rebalance,
            ok,
            body=NewRebalance,
            scope=operate,
            root="/",
        ),
    ]


class MoveCalls:
    """
    The calls that have clients move.
    """

    def __init__(self, moves: Moves, clock: IReactorTime) -> None:
        self._moves = moves
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        return move_routes(self)

    async def show(self, call: Call) -> Reply:
        """
        Say how far the moves are.
        """
        after_ms = min(call.number("after_ms", 0), _MOST_WAIT_MS)
        await deferLater(self._clock, after_ms / 1000)
        return Reply(200, self._moves.status())

    async def drain(self, call: Call) -> Reply:
        """
        Ask all clients to move, and take no new ones.
        """
        asked = call.body_as(NewDrain)
        self._moves.drain(asked.per_s, asked.lead_s)
        return Reply(200, self._moves.status())

    async def undo(self, call: Call) -> Reply:
        """
        End the drain, and serve clients again.
        """
        self._moves.undo()
        return Reply(200, self._moves.status())

    async def rebalance(self, call: Call) -> Reply:
        """
        Ask the clients above this Connect's share to move.
        """
        moving = await self._moves.rebalance(call.body_as(NewRebalance).per_s)
        return Reply(200, {**self._moves.status(), "moving": moving})
