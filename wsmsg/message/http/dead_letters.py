"""
C{/dead-letters} on Message's admin listener, for C{wsmsg dead-letters}.

C{GET /dead-letters?after=0&limit=100} lists dead letters; C{POST /dead-letters/replay}
with C{{"numbers": [..]}} puts them back into the journal.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred

from wsmsg.auth.scopes import Scope
from wsmsg.http.forms import Form
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.journal.interface import DeadLetter, IDeadLetters

_PAGE = 100
_MOST = 1000

T = TypeVar("T")


class NewReplay(Form):
    """
    Dead letters to replay.
    """

    numbers: list[int]


class DeadLetterCalls:
    """
    The calls below C{/dead-letters}.
    """

    def __init__(self, letters: IDeadLetters) -> None:
        self._letters = letters

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        after = Argument("after", "Return dead letters with numbers above this.")
        limit = Argument("limit", "The size of the page; at most 1000.")
        ok = {200: dict}
        return [
            Route(
                "GET dead-letters",
                self.list,
                ok,
                query=[after, limit],
                scope=Scope.OBSERVE,
                root="/",
            ),
            Route(
                "POST dead-letters/replay",
                self.replay,
                ok,
                body=NewReplay,
                scope=Scope.OPERATE,
                root="/",
            ),
        ]

    async def list(self, call: Call) -> Reply:
        """
        List dead letters.
        """
        after, limit = call.number("after", 0), call.limit(_PAGE, _MOST)
        letters = await self._letters.dead_letters(after, limit + 1)
        shown = [_document(letter) for letter in letters[:limit]]
        return Reply(200, {"dead_letters": shown, "more": len(letters) > limit})

    async def replay(self, call: Call) -> Reply:
        """
        Put dead letters back into the journal.
        """
        numbers = call.body_as(NewReplay).numbers
        call.concerns(dead_letters=",".join(map(str, numbers)))
        replayed = await _uncancelled(self._letters.replay(numbers))
        return Reply(200, {"replayed": list(replayed)})


def _document(letter: DeadLetter) -> dict[str, object]:
    return {
        "number": letter.number,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "time_ms": letter.time_ms,
        "size": letter.size,
        "cut": letter.is_cut,
        "value_base64": base64.b64encode(letter.value).decode(),
    }


def _uncancelled(running: Deferred[T]) -> Deferred[T]:
    """
    Wait for an operation that continues if the client leaves, which cancels the wait.
    """
    done: Deferred[T] = Deferred()
    running.addCallbacks(done.callback, done.errback)
    return done
