"""
Submits single messages, for callers that wait until the message is stored.

A client of a stream needs only C{accepted}, since Message pushes what happens next.  A
caller of HTTP is told nothing later, and is likely to read next what it has just
changed.  The answer therefore waits a moment until the message is stored and, if it
changes a group, until reads see the change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from wsmsg.errors import Unavailable, WsmsgError
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import Answer, SendRequest, SubmitResult
from wsmsg.message.store.interface import IConversations
from wsmsg.model import GROUP, Message, MessageIdentity, change_in

#: The time in which an accepted message has to be stored before the answer says that
#: it is not.
STORED_S = 2.0

_FIRST_S = 0.01
_LONGEST_S = 0.1
_SHOWN_MS = 1000


class SubmitAndWait:
    """
    Submits messages for callers; see L{wsmsg.message.ingress.interface.ISubmit}.  The
    requests of one turn of the reactor are submitted together.
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
        Submit a message, and wait until it is stored, for at most two seconds.
        """
        again = await self._is_stored(proposal)
        time_ms = await self._propose(proposal)
        if again:
            return SubmitResult(time_ms, again, stored=True)
        stored = await self._until(lambda: self._is_seen(proposal))
        return SubmitResult(time_ms, again, stored)

    async def submit(self, proposal: SendRequest) -> tuple[Message, bool]:
        """
        Submit a message, and do not wait until it is stored.
        """
        identity = MessageIdentity(
            proposal.conversation, proposal.sender, proposal.client_id
        )
        before = self._ingress.lately(identity)
        await self._propose(proposal)
        message = self._ingress.lately(identity)
        if message is not None:
            return message, before is not None
        # It was stored too long ago to be remembered.
        stored = (await self._store.find([identity])).get(identity)
        if stored is None:
            raise Unavailable(
                "the message is accepted, but cannot be shown now", _SHOWN_MS
            )
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
                    continue  # the caller has left
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
