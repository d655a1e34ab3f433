"""
Ingress: from a send request to a durable record, the only way into the journal.

A record is appended and its identity is looked up in the store at the same time
(L{wsmsg.message.ingress.appends}), and a request is answered when both are done.  So a
repeated request is told from a new message, and a client id that was used for another
message is refused, without another round trip.  Messages that were accepted, and that
may not be stored yet, are remembered here.  A repeat that another Message accepted a
moment ago passes both checks; the unique identity in the store catches it
(L{wsmsg.message.delivery.numbering}).

Sends to groups and events are judged first (L{wsmsg.message.ingress.group_rules}).
Such a request is I{held} meanwhile, and so are the requests that the same sender makes
after it in the conversation; all held requests are judged together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.errors import Conflict, Forbidden, Overloaded, Unavailable, WsmsgError
from wsmsg.events import EVENT_KINDS
from wsmsg.flow.idle import IdleWaiters
from wsmsg.flow.send_fence import SendFences
from wsmsg.message.cluster.interface import IMessageIds
from wsmsg.message.ingress.appends import Appended, Appends
from wsmsg.message.ingress.group_rules import GroupRules
from wsmsg.message.ingress.interface import (
    Answer,
    IIngress,
    Reply,
    SendRequest,
    validate,
)
from wsmsg.message.store.interface import IMessages
from wsmsg.model import (
    FIRST_EVENT,
    RECALLED,
    TEXT,
    Message,
    MessageIdentity,
    is_group,
)
from wsmsg.settings.values import MessageSettings

_RETRY_AFTER_MS = 500


@implementer(IIngress)
class Ingress:
    """
    Accepts messages into the journal.

    @param limit: the most requests that may be on their way into the journal.
    @param remembered: how many accepted identities are kept in memory; more than are
        ever unstored while the store is available.
    @ivar in_flight: requests on their way into the journal.
    """

    _log = Logger()

    def __init__(
        self,
        appends: Appends,
        store: IMessages,
        ids: IMessageIds,
        now_ms: Callable[[], int],
        *,
        rules: GroupRules,
        limit: int,
        content_bytes: int,
        remembered: int = 50_000,
    ) -> None:
        self.in_flight = 0
        self.accepted = 0
        self.rejected = 0
        self.repeats = 0
        self.rules = rules
        self._appends = appends
        self._store = store
        self._ids = ids
        self._now_ms = now_ms
        self.limit = limit
        self.content_bytes = content_bytes
        self._remembered = remembered
        self._recent: dict[MessageIdentity, Message] = {}
        self._appending: dict[MessageIdentity, list[tuple[SendRequest, Reply]]] = {}
        self._idle = IdleWaiters()
        self._held: list[tuple[SendRequest, Reply]] = []
        self._holding: Counter[tuple[str, int]] = Counter()
        self._judging = False
        self._fences: SendFences[tuple[str, int]] = SendFences()

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the limits of sends and of groups.
        """
        self.limit = settings.appends_in_flight
        self.rules.apply_settings(settings)

    def accept(self, requests: Iterable[SendRequest], reply: Reply) -> None:
        self._admit(requests, reply, judged=False)
        if self._held and not self._judging:
            self._judging = True
            Deferred.fromCoroutine(self._judge()).addErrback(
                lambda failure: self._log.failure("judging sends", failure)
            )

    def _admit(
        self, requests: Iterable[SendRequest], reply: Reply, *, judged: bool
    ) -> None:
        at_once: list[Answer] = []
        fresh: dict[MessageIdentity, tuple[SendRequest, Message]] = {}
        for request in requests:
            error = validate(request, self.content_bytes) or self._fence(request)
            if error is not None:
                at_once.append((request, error))
                continue
            identity = MessageIdentity(
                request.conversation, request.sender, request.client_id
            )
            known = self._recent.get(identity)
            if known is not None:
                at_once.append((request, self._repeat(request, known)))
            elif identity in self._appending:
                self._appending[identity].append((request, reply))
            elif self.in_flight + len(fresh) >= self.limit:
                error = self._refuse_for_now(request, self._overloaded())
                at_once.append((request, error))
            elif not judged and self._must_be_judged(request):
                self._hold(request, reply)
            else:
                self._appending[identity] = []
                fresh[identity] = (request, self._message(request))
        if fresh:
            self._append(fresh, reply)
        self._answer(at_once, reply)

    def recently_accepted(self, identity: MessageIdentity) -> Message | None:
        """
        Return the message of this identity, if it was accepted here a short while ago.
        """
        return self._recent.get(identity)

    def idle(self) -> Deferred[None]:
        return self._idle.wait(not self.in_flight)

    # -- judging

    def _must_be_judged(self, request: SendRequest) -> bool:
        event = request.kind >= FIRST_EVENT
        if event or is_group(request.conversation):
            known = not event and self.rules.is_confirmed_member(request)
            if not known:
                return True
        if not self._holding:
            return False
        return (request.conversation, request.sender) in self._holding

    def _hold(self, request: SendRequest, reply: Reply) -> None:
        self.in_flight += 1
        self._held.append((request, reply))
        self._holding[request.conversation, request.sender] += 1

    async def _judge(self) -> None:
        try:
            while self._held:
                held, self._held = self._held, []
                verdicts = await self._verdicts([request for request, _ in held])
                self._end_hold(held)
                judged = zip(held, verdicts, strict=True)
                for reply, some in groupby(judged, key=_reply_of):
                    self._release([(r, v) for (r, _), v in some], reply)
        finally:
            self._judging = False
        if not self.in_flight:
            self._idle.fire()

    def _release(
        self,
        judged: Sequence[tuple[SendRequest, int | WsmsgError | None]],
        reply: Reply,
    ) -> None:
        answers = [(r, verdict) for r, verdict in judged if verdict is not None]
        self._answer(answers, reply)
        allowed = [r for r, verdict in judged if verdict is None]
        self._admit(allowed, reply, judged=True)

    async def _verdicts(
        self, requests: Sequence[SendRequest]
    ) -> list[int | WsmsgError | None]:
        try:
            # Asked before the rules: they may miss what is stored after this.
            backlog = self._appends.backlog.may_be_unstored()
            problems = await self.rules.judge(requests)
            refused = [
                MessageIdentity(r.conversation, r.sender, r.client_id)
                for r, problem in zip(requests, problems, strict=True)
                if problem is not None
            ]
            # A message stays accepted, whatever has become of its sender since.
            known = await self._store.find(refused) if refused else {}
        except WsmsgError as e:
            return [self._refuse_for_now(r, type(e)(e.reason)) for r in requests]
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("judging {n} sends", n=len(requests))
            why = "the store failed to look up groups"
            return [self._refuse_for_now(r, Unavailable(why)) for r in requests]
        verdicts: list[int | WsmsgError | None] = []
        for request, problem in zip(requests, problems, strict=True):
            identity = MessageIdentity(
                request.conversation, request.sender, request.client_id
            )
            if problem is not None and identity in known:
                verdicts.append(self._repeat(request, known[identity]))
            elif backlog and isinstance(problem, Forbidden):
                later = Unavailable("messages accepted earlier are still being stored")
                verdicts.append(self._refuse_for_now(request, later))
            else:
                verdicts.append(problem)
        return verdicts

    def _end_hold(self, held: Sequence[tuple[SendRequest, Reply]]) -> None:
        self.in_flight -= len(held)
        for request, _ in held:
            key = (request.conversation, request.sender)
            self._holding[key] -= 1
            if not self._holding[key]:
                del self._holding[key]

    # -- checks

    def _fence(self, request: SendRequest) -> WsmsgError | None:
        if not self._fences.ends:
            return None
        key = (request.conversation, request.sender)
        hint_ms = self._fences.remaining_ms(key, self._now_ms() / 1000)
        if not hint_ms:
            return None
        return Unavailable(
            "an earlier send to this conversation must be repeated first", hint_ms
        )

    def _refuse_for_now(self, request: SendRequest, error: WsmsgError) -> WsmsgError:
        if error.retry:
            error.retry_after_ms = error.retry_after_ms or _RETRY_AFTER_MS
            key = (request.conversation, request.sender)
            self._fences.raise_for(key, self._now_ms() / 1000, error.retry_after_ms)
        return error

    def _overloaded(self) -> WsmsgError:
        return Overloaded(
            f"{self.in_flight} sends are in flight already", _RETRY_AFTER_MS
        )

    def _message(self, request: SendRequest) -> Message:
        return Message(
            request.conversation,
            request.sender,
            request.client_id,
            self._ids.next(),
            request.content,
            request.kind or TEXT,
            self._now_ms(),
        )

    def _repeat(self, request: SendRequest, known: Message) -> int | WsmsgError:
        self.repeats += 1
        if request.content == known.content and (request.kind or TEXT) == known.kind:
            return known.time_ms
        if known.kind == RECALLED and request.kind < FIRST_EVENT:
            return known.time_ms  # the message was recalled, its content is gone
        return Conflict("this client_id was used for another message")

    # -- appending

    def _append(
        self, fresh: Mapping[MessageIdentity, tuple[SendRequest, Message]], reply: Reply
    ) -> None:
        self.in_flight += len(fresh)
        appended = self._appends.add([message for _, message in fresh.values()])
        appended.addCallback(self._finish, fresh, reply)
        appended.addErrback(
            lambda failure: self._log.failure(
                "accepting {n} sends", failure, n=len(fresh)
            )
        )

    def _finish(
        self,
        appended: Appended,
        fresh: Mapping[MessageIdentity, tuple[SendRequest, Message]],
        reply: Reply,
    ) -> None:
        self.in_flight -= len(fresh)
        answers: list[Answer] = []
        repeated: list[tuple[SendRequest, Reply]] = []
        for identity, (request, message) in fresh.items():
            repeated += self._appending.pop(identity)
            known = appended.stored.get(identity)
            if known is not None and known.message_id != message.message_id:
                answers.append((request, self._repeat(request, known)))
            elif known is None and appended.problem is not None:
                answers.append(
                    (request, self._refuse_for_now(request, appended.problem))
                )
            else:
                self._recent[identity] = message
                if message.kind in EVENT_KINDS:
                    self.rules.accepted(message)
                answers.append((request, message.time_ms))
        self._trim()
        self._answer(answers, reply)
        for request, its_reply in repeated:  # answered by the result of the first
            self.accept([request], its_reply)
        if self._idle.waiters and not self.in_flight:
            self._idle.fire()

    def _trim(self) -> None:
        recent = self._recent
        while len(recent) > self._remembered:
            del recent[next(iter(recent))]

    def _answer(self, answers: Sequence[Answer], reply: Reply) -> None:
        if not answers:
            return
        accepted = sum(isinstance(a, int) for _, a in answers)
        self.accepted += accepted
        self.rejected += len(answers) - accepted
        reply(answers)


def _reply_of(judged: tuple[tuple[SendRequest, Reply], object]) -> Reply:
    return judged[0][1]
