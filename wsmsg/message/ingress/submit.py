"""
Having one message accepted for a caller who waits until it is stored.

Over a stream C{accepted} is enough, as what happens next is pushed.  Who calls over
HTTP hears of nothing later, and is likely to ask for what it has just changed: so the
answer waits a moment for the message to be stored and, if it changes a group, for the
change to be seen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import Answer, SendRequest
from wsmsg.message.store.interface import IConversations
from wsmsg.model import GROUP, Message, MessageIdentity, change_in

#: How long somebody waits for a message that was accepted to be stored.
STORED_S = 2.0

_FIRST_S = 0.01
_LONGEST_S = 0.1
_SHOWN_MS = 1000


@attrs.frozen
class SubmitResult:
    """
    It is in the journal.

    @ivar time_ms: since when.
    @ivar again: it was stored before this request.
    @ivar stored: it can be read; else it will be.
    """

    time_ms: int
    again: bool
    stored: bool


class SubmitAndWait:
    """
    What several callers want accepted in one turn of the reactor goes in together.
    """

    def __init__(
        self, ingress: Ingress, store: IConversations, clock: IReactorTime
    ) -> None:
        self._ingress = ingress
        self._store = store
        self._clock = clock
        self._gathered: list[tuple[SendRequest, Deferred[int]]] = []

    async def submit_and_wait(self, proposal: SendRequest) -> SubmitResult:
        """
        Have it accepted, and wait until it is stored, or two seconds.

        @raise WsmsgError: it is refused.
        """
        again = await self._is_stored(proposal)
        time_ms = await self._propose(proposal)
        if again:
            return SubmitResult(time_ms, again, stored=True)
        stored = await self._until(lambda: self._is_seen(proposal))
        return SubmitResult(time_ms, again, stored)

    async def submit(self, proposal: SendRequest) -> tuple[Message, bool]:
        """
        Have it accepted, and do not wait until it is stored.

        @return: the message without its number, and whether it was accepted before
            this request.
        @raise WsmsgError: it is refused.
        """
        identity = MessageIdentity(
            proposal.conversation, proposal.sender, proposal.client_id
        )
        before = self._ingress.lately(identity)
        await self._propose(proposal)
        message = self._ingress.lately(identity)
        if message is not None:
            return message, before is not None
        # It was stored long ago.
        stored = (await self._store.find([identity])).get(identity)
        if stored is None:
            raise Unavailable("it is accepted, and cannot be shown now", _SHOWN_MS)
        return stored, True

    def _propose(self, proposal: SendRequest) -> Deferred[int]:
        answered: Deferred[int] = Deferred(lambda _: None)
        if not self._gathered:
            self._clock.callLater(0, self._go)
        self._gathered.append((proposal, answered))
        return answered

    def _go(self) -> None:
        gathered, self._gathered = self._gathered, []

        def reply(answers: Sequence[Answer]) -> None:
            for proposal, answer in answers:
                answered = gathered[proposal.ref][1]
                if answered.called:
                    continue  # who asked is gone
                if isinstance(answer, WsmsgError):
                    answered.errback(answer)
                else:
                    answered.callback(answer)

        proposals = [p._replace(ref=n) for n, (p, _) in enumerate(gathered)]
        self._ingress.accept(proposals, reply)

    async def _until(self, seen: Callable[[], Awaitable[bool]]) -> bool:
        deadline, wait_s = self._clock.seconds() + STORED_S, _FIRST_S
        try:
            while not await seen():
                if self._clock.seconds() >= deadline:
                    return False
                await deferLater(self._clock, wait_s)
                wait_s = min(wait_s * 2, _LONGEST_S)
        except Unavailable:
            return False  # it is accepted all the same
        return True

    async def _is_stored(self, proposal: SendRequest) -> bool:
        identity = MessageIdentity(
            proposal.conversation, proposal.sender, proposal.client_id
        )
        return bool(await self._store.find([identity]))

    async def _is_seen(self, proposal: SendRequest) -> bool:
        if not await self._is_stored(proposal):
            return False
        if proposal.kind != GROUP:
            return True
        change, conversation = change_in(proposal.content), proposal.conversation
        keys = [(conversation, user) for user in (*change.add, *change.remove)]
        members = await self._store.readable_from(keys)
        return len(members) == len(change.add)
