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

from wsmsg.http.forms import Answer, Form
from wsmsg.http.routes import Argument, Call, Reply, Route
from wsmsg.message.journal.interface import DeadLetter, IJournal

_PAGE = 100
_MOST = 1000

T = TypeVar("T")


class DeadLetterView(Answer):
    """
    A record that Message could not process.

    @ivar size: the length of the value in bytes.
    """

    number: int
    partition: int
    offset: int
    reason: str
    time_ms: int
    size: int
    value_base64: str


class DeadLetterPage(Answer):
    """
    Some dead letters, by number.

    @ivar more: whether there are some with greater numbers.
    """

    dead_letters: list[DeadLetterView]
    more: bool


class NewReplay(Form):
    """
    The body of a request for a replay.
    """

    numbers: list[int]


class Replayed(Answer):
    """
    The numbers of the dead letters that are in the journal again.
    """

    replayed: list[int]


class DeadLetterCalls:
    """
    The calls below C{/dead-letters}.
    """

    def __init__(self, journal: IJournal) -> None:
        self._journal = journal

    def routes(self) -> Sequence[Route]:
        """
        Return the routes.
        """
        return [
            Route(
                "GET",
                "dead-letters",
                self.list,
                query=[
                    Argument("after", "Those with greater numbers than this."),
                    Argument("limit", "The size of the page; at most 1000."),
                ],
                responses={200: DeadLetterPage},
                root="/",
            ),
            Route(
                "POST",
                "dead-letters/replay",
                self.replay,
                body=NewReplay,
                responses={200: Replayed},
                root="/",
            ),
        ]

    async def list(self, call: Call) -> Reply:
        """
        List dead letters.
        """
        after, limit = call.number("after", 0), call.limit(_PAGE, _MOST)
        letters = await self._journal.dead_letters(after, limit + 1)
        page = DeadLetterPage(
            dead_letters=[_view(letter) for letter in letters[:limit]],
            more=len(letters) > limit,
        )
        return Reply(200, page)

    async def replay(self, call: Call) -> Reply:
        """
        Put dead letters back into the journal.
        """
        numbers = call.body_as(NewReplay).numbers
        replayed = await _uncancelled(self._journal.replay(numbers))
        return Reply(200, Replayed(replayed=list(replayed)))


def _view(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView(
        number=letter.number,
        partition=letter.partition,
        offset=letter.offset,
        reason=letter.reason,
        time_ms=letter.time_ms,
        size=len(letter.value),
        value_base64=base64.b64encode(letter.value).decode(),
    )


def _uncancelled(running: Deferred[T]) -> Deferred[T]:
    """
    Wait for something that continues if the client leaves, which cancels the wait.
    """
    done: Deferred[T] = Deferred()
    running.addCallbacks(done.callback, done.errback)
    return done
