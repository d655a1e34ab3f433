"""
Submission of one message for a caller that waits until it is stored.

Over a stream C{accepted} is enough, as the message is pushed later.  A caller over HTTP
gets no push, and is likely to read what it has just changed: so the answer waits a
moment until the message is stored and, if it changes the members of a group, until the
change is visible.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.errors import Internal, Unavailable, WsmsgError
from wsmsg.events import EVENT_KINDS
from wsmsg.message.ingress.ingress import Ingress
from wsmsg.message.ingress.interface import (
    Answer,
    ISubmit,
    SendRequest,
    SubmitResult,
)
from wsmsg.message.ingress.remembered import RememberedMessage
from wsmsg.message.store.interface import IConversations
from wsmsg.model import Message, MessageIdentity

#: How long L{SubmitAndWait.submit_and_wait} waits for a message to be stored.
STORED_S = 2.0

_FIRST_WAIT_S = 0.01
_LONGEST_WAIT_S = 0.1
_RETRY_AFTER_MS = 1000


@implementer(ISubmit)
class SubmitAndWait:
    """
    Submits messages, those of one turn of the reactor together.
    """

    _log = Logger()

    def __init__(
        self, ingress: Ingress, store: IConversations, clock: IReactorTime
    ) -> None:
        self._ingress = ingress
        self._store = store
        self._clock = clock
        self._gathered: list[tuple[SendRequest, Deferred[int]]] = []

    async def submit_and_wait(self, request: SendRequest) -> SubmitResult:
        again = await self._is_stored(request)
        time_ms = await self._accept(request)
        if again:
            return SubmitResult(time_ms, again, stored=True)
        stored = await self._until(lambda: self._is_visible(request))
        return SubmitResult(time_ms, again, stored)

    async def submit(self, request: SendRequest) -> tuple[Message, bool]:
        identity = _identity(request)
        before = self._ingress.recently_accepted(identity)
        await self._accept(request)
        known = self._ingress.recently_accepted(identity)
        if known is not None:
            return _message(request, known), before is not None or known.found
        # The message was stored long ago.
        stored = (await self._store.find([identity])).get(identity)
        if stored is None:
            why = "the message is accepted, but cannot be read now"
            raise Unavailable(why, _RETRY_AFTER_MS)
        return stored, True

    def _accept(self, request: SendRequest) -> Deferred[int]:
        answered: Deferred[int] = Deferred(lambda _: None)
        if not self._gathered:
            self._clock.callLater(0, self._accept_gathered)
        self._gathered.append((request, answered))
        return answered

    def _accept_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []

        def reply(answers: Sequence[Answer]) -> None:
            for request, answer in answers:
                answered = gathered[request.ref][1]
                if answered.called:
                    continue  # the caller has gone
                if isinstance(answer, WsmsgError):
                    answered.errback(answer)
                else:
                    answered.callback(answer)

        requests = [r._replace(ref=n) for n, (r, _) in enumerate(gathered)]
        try:
            self._ingress.accept(requests, reply)
        except Exception:  # noqa: BLE001 - a guard: each caller waits for its answer
            self._log.failure("accepting {n} messages", n=len(requests))
            for _, answered in gathered:
                if not answered.called:
                    answered.errback(Internal("the message could not be accepted"))

    async def _until(self, visible: Callable[[], Awaitable[bool]]) -> bool:
        deadline, wait_s = self._clock.seconds() + STORED_S, _FIRST_WAIT_S
        try:
            while not await visible():
                if self._clock.seconds() >= deadline:
                    return False
                await deferLater(self._clock, wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        except Unavailable:
            return False  # the message is accepted all the same
        return True

    async def _is_stored(self, request: SendRequest) -> bool:
        return bool(await self._store.find([_identity(request)]))

    async def _is_visible(self, request: SendRequest) -> bool:
        if not await self._is_stored(request):
            return False
        kind = EVENT_KINDS.get(request.kind)
        if kind is None or kind.member_change is None:
            return True
        change = kind.member_change(request.content)
        users = (*change.add, *change.remove)
        keys = [(request.conversation, user) for user in users]
        return len(await self._store.readable_from(keys)) == len(change.add)


def _message(request: SendRequest, known: RememberedMessage) -> Message:
    return Message(
        request.conversation,
        request.sender,
        request.client_id,
        known.message_id,
        request.content,
        known.kind,
        known.time_ms,
        extra=request.extra,
    )


def _identity(request: SendRequest) -> MessageIdentity:
    return MessageIdentity(request.conversation, request.sender, request.client_id)
