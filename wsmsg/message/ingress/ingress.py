"""
Ingress: from a send request to a durable message, the only way into the log.

The log makes the messages of requests durable (L{wsmsg.message.log.interface}), and
says which of them the store had already.  So Ingress recognises a repeated request, and
refuses a client id that was used for another message.  It remembers the last messages
(L{wsmsg.message.ingress.remembered}): a further repeat or conflict costs nothing.

With a journal, a repeat that another Message accepted a moment ago passes both checks.
The unique identity in the store catches it, and if the request says that it is a
repeat, the answer waits for that (L{wsmsg.message.ingress.doubts}).

Sends to groups and events are judged first, and I{held} meanwhile
(L{wsmsg.message.ingress.judging}).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from wsmsg.errors import Conflict, Overloaded, WsmsgError
from wsmsg.events import EVENT_KINDS
from wsmsg.flow.idle import IdleWaiters
from wsmsg.message.cluster.interface import IMessageIds
from wsmsg.message.consent.interface import Contacts
from wsmsg.message.ingress.doubts import Doubts
from wsmsg.message.ingress.gate import IntakeGate
from wsmsg.message.ingress.group_rules import GroupRules
from wsmsg.message.ingress.interface import Answer, IIngress, Reply, SendRequest
from wsmsg.message.ingress.judging import Judged, Judging
from wsmsg.message.ingress.refusals import RETRY_AFTER_MS, TemporaryRefusals
from wsmsg.message.ingress.remembered import (
    RememberedMessage,
    RememberedMessages,
    summary_of,
)
from wsmsg.message.ingress.validation import validate
from wsmsg.message.limits.interface import OVERHEAD_BYTES, Quotas, UserMeters
from wsmsg.message.log.interface import Appended, IAppends
from wsmsg.message.store.interface import IMessages
from wsmsg.message.traces.interface import IMessageTraces
from wsmsg.model import FIRST_EVENT, TEXT, Message, MessageIdentity, is_group
from wsmsg.settings.values import MessageSettings
from wsmsg.text.counted import plural


@implementer(IIngress)
class Ingress:
    """
    Accepts messages into the journal.

    @param gate: closed while no new message must be accepted.
    @param limit: the most requests that may be on their way into the journal.
    @param remembered: how many accepted identities are kept in memory; more than are
        ever unstored while the store is available.
    @param now_ms: returns unix milliseconds, for the times of acceptance.
    @param seconds: returns monotonic seconds, for the fences.
    @param contacts: the rule about whom users may begin to reach; L{None}: none.
    @param meters: the users' limits of sends and bytes; L{None}: none, as for
        C{quotas}, those that the store must judge.
    @ivar in_flight: requests on their way into the journal.
    @ivar may_be_unstored: as L{Judging.may_be_unstored}.
    """

    _log = Logger()

    def __init__(
        self,
        appends: IAppends,
        store: IMessages,
        ids: IMessageIds,
        now_ms: Callable[[], int],
        *,
        rules: GroupRules,
        limit: int,
        content_bytes: int,
        remembered: int = 50_000,
        gate: IntakeGate | None = None,
        seconds: Callable[[], float] = time.monotonic,
        meters: UserMeters | None = None,
        quotas: Quotas | None = None,
        contacts: Contacts | None = None,
        traces: IMessageTraces | None = None,
    ) -> None:
        self.in_flight = 0
        self.accepted = 0
        self.rejected: Counter[str] = Counter()
        self.repeats = 0
        self.rules = rules
        self.gate = gate or IntakeGate()
        self._appends = appends
        self._add = appends.add if traces is None else traces.appends(appends.add)
        self._store = store
        self._ids = ids
        self._now_ms = now_ms
        self.limit = limit
        self.content_bytes = content_bytes
        self._recent = RememberedMessages(remembered)
        self._appending: dict[MessageIdentity, list[tuple[SendRequest, Reply]]] = {}
        self._idle = IdleWaiters()
        self._refusals = TemporaryRefusals(self._unanswered, seconds)
        self._meters = meters
        self._quotas = quotas
        self.contacts = contacts
        self._judging = Judging(rules, store, appends, self._refusals, self)
        self._judging.limit(quotas, contacts)
        self.may_be_unstored = self._judging.may_be_unstored
        self._doubts = Doubts(
            store, appends.clock, resolved=self._resolved, refused=self._refused
        )

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the limits of sends and of groups.
        """
        self.limit = settings.appends_in_flight
        self.rules.apply_settings(settings)
        if self.contacts is not None:
            self.contacts.apply_settings(settings.consent)

    def accept(self, requests: Iterable[SendRequest], reply: Reply) -> None:
        self._admit(requests, reply, judged=False)
        if self._judging.held:
            self._judging.start()

    def _admit(
        self, requests: Iterable[SendRequest], reply: Reply, *, judged: bool
    ) -> None:
        refusals = self._refusals
        if refusals.noted is not None:
            refusals.forget_noted()
        later = self._judging.later  # empty, unless these were judged
        at_once: list[Answer] = []
        fresh: dict[MessageIdentity, tuple[SendRequest, Message]] = {}
        longest = self._appends.content_bytes
        content_bytes = min(self.content_bytes, longest)
        now_ms = 0
        meters = None if judged else self._meters
        if meters is not None:
            now_s = meters.seconds() if meters.on else 0.0
            meters = meters if meters.on else None
        for request in requests:
            error = validate(request, content_bytes, longest)
            if error is not None:
                at_once.append((request, error))
                continue
            identity = MessageIdentity(
                request.conversation, request.sender, request.client_id
            )
            known = self._recent.get(identity)
            if known is not None:
                at_once.append((request, self.repeat(request, known)))
            elif identity in self._appending:
                self._appending[identity].append((request, reply))
            elif identity in self._doubts.open:
                self._doubts.join(identity, request, reply)
            elif refusals.fences.standing and (error := refusals.fence(request, later)):
                at_once.append((request, error))
            elif problem := self._problem_of_now(request, len(fresh)):
                at_once.append((request, refusals.refuse(request, problem)))
            elif (
                meters is not None
                and request.by_user
                and (error := _over_limit(request, meters, now_s))
            ):
                if error.retry:
                    at_once.append((request, refusals.refuse(request, error)))
                else:  # It may be a repeat; only the store can tell.
                    self.in_flight += 1
                    self._judging.hold(request, reply, error)
            elif not judged and self._must_be_judged(request):
                self.in_flight += 1
                self._judging.hold(request, reply)
            else:
                self._appending[identity] = []
                now_ms = now_ms or self._now_ms()
                message = _message(request, self._ids.next(), now_ms)
                fresh[identity] = (request, message)
        if fresh:
            self._append(fresh, reply)
        self._answer(at_once, reply)

    def keep_unstored(self, n: int) -> None:
        """
        Remember at least so many of the last messages, which may not be stored yet:
        nobody else can tell a repeat of one of them.
        """
        self._recent.keep(n)

    def recently_accepted(self, identity: MessageIdentity) -> RememberedMessage | None:
        """
        Return the message of this identity, if it is remembered.
        """
        return self._recent.get(identity)

    def idle(self) -> Deferred[None]:
        return self._idle.wait(self._is_idle())

    def _is_idle(self) -> bool:
        return not self.in_flight and not self._doubts.waiting

    def end_hold(self, n: int) -> None:
        self.in_flight -= n

    def release(self, judged: Sequence[Judged], reply: Reply) -> None:
        self._answer([(r, v) for r, v in judged if v is not None], reply)
        allowed = [r for r, verdict in judged if verdict is None]
        self._admit(allowed, reply, judged=True)

    def has(self, identity: MessageIdentity) -> bool:
        comes = identity in self._appending or identity in self._doubts.open
        return comes or self._recent.get(identity) is not None

    def judged_all(self) -> None:
        if self._is_idle():
            self._idle.fire()

    # -- checks

    def _must_be_judged(self, request: SendRequest) -> bool:
        if request.kind >= FIRST_EVENT:
            return True
        if is_group(request.conversation):
            if not self.rules.is_confirmed_member(request):
                return True
        elif (
            request.by_user
            and (quotas := self._quotas) is not None
            and quotas.limits_strangers
            and request.conversation not in quotas.known
            and quotas.may_begin(request.conversation)
        ) or (
            request.by_user
            and (contacts := self.contacts) is not None
            and contacts.on
            and contacts.may_begin(request.conversation)
        ):
            return True
        holding = self._judging.holding
        return bool(holding) and (request.conversation, request.sender) in holding

    def _problem_of_now(self, request: SendRequest, more: int) -> WsmsgError | None:
        """
        Return why no request like this one is accepted now, if so.

        @param more: requests that are about to go into the journal.
        """
        if self.in_flight + more >= self.limit:
            are = plural(self.in_flight, "send is", "sends are")
            reason = f"{self.in_flight} {are} in flight"
            return Overloaded(reason, RETRY_AFTER_MS)
        if self.gate.closed:
            return self.gate.refusal()
        if request.repeat and not self._appends.decides:
            return self._doubts.problem()
        return None

    def _unanswered(self) -> Iterator[MessageIdentity]:
        return chain(self._appending, self._judging.unanswered())

    def repeat(
        self, request: SendRequest, known: RememberedMessage
    ) -> int | WsmsgError:
        self.repeats += 1
        if known.is_repeated_by(request):
            return known.time_ms
        return Conflict("this client_id was used for another message")

    # -- appending

    def _append(
        self, fresh: Mapping[MessageIdentity, tuple[SendRequest, Message]], reply: Reply
    ) -> None:
        if len(fresh) > 1 and self._appends.apart:
            for identity, one in fresh.items():
                self._append({identity: one}, reply)
            return
        self.in_flight += len(fresh)
        n = len(fresh)
        appended = self._add([message for _, message in fresh.values()])
        appended.addCallback(self._finish, fresh, reply)
        appended.addErrback(
            lambda failure: self._log.failure("accepting {n} sends", failure, n=n)
        )

    def _finish(
        self,
        appended: Appended,
        fresh: Mapping[MessageIdentity, tuple[SendRequest, Message]],
        reply: Reply,
    ) -> None:
        self.in_flight -= len(fresh)
        if appended.problem is not None:
            self._refusals.note_unanswered()
        answers: list[Answer] = []
        repeated: list[tuple[SendRequest, Reply]] = []
        refused: list[tuple[SendRequest, WsmsgError, Reply]] = []
        for identity, (request, message) in fresh.items():
            same = self._appending.pop(identity)
            known = appended.stored.get(identity)
            problem = appended.refused.get(identity) or appended.problem
            if known is not None and known.message_id != message.message_id:
                # Its next repeat, or conflict, costs no record.
                self._recent.add(identity, known, found=True)
                answers.append((request, self.repeat(request, summary_of(known))))
            elif known is None and problem is not None:
                error = self._refusals.refuse(request, problem)
                answers.append((request, error))
                refused += [(r, error, to) for r, to in same]
                continue
            elif known is None and request.repeat and not self._appends.decides:
                self._doubts.add(message, request, reply)
            else:
                self._accepted(identity, message)
                answers.append((request, message.time_ms))
            repeated += same
        self._recent.trim()
        self._answer(answers, reply)
        for request, error, to in refused:
            self._answer([(request, error)], to)
        for request, to in repeated:  # answered by the result of the first
            self.accept([request], to)
        if self._idle.waiters and self._is_idle():
            self._idle.fire()

    def _accepted(self, identity: MessageIdentity, message: Message) -> None:
        self._recent.add(identity, message)
        if message.kind in EVENT_KINDS:
            self.rules.accepted(message)

    def _resolved(
        self,
        message: Message,
        ours: bool,
        waiting: Sequence[tuple[SendRequest, Reply]],
    ) -> None:
        identity = message.identity
        if ours:
            self._accepted(identity, message)
        else:
            self._recent.add(identity, message, found=True)
        self._recent.trim()
        for request, reply in waiting:
            answer = self.repeat(request, summary_of(message))
            self._answer([(request, answer)], reply)
        if self._idle.waiters and self._is_idle():
            self._idle.fire()

    def _refused(self, request: SendRequest, error: WsmsgError, reply: Reply) -> None:
        # Its record is before those of later requests: no fence is needed.
        self._answer([(request, error)], reply)
        if self._idle.waiters and self._is_idle():
            self._idle.fire()

    def _answer(self, answers: Sequence[Answer], reply: Reply) -> None:
        if not answers:
            return
        refusals = self._refusals
        for request, answer in answers if refusals.fences.standing else ():
            if isinstance(answer, int) or not answer.retry:
                refusals.answered(request)
        codes = [a.code for _, a in answers if not isinstance(a, int)]
        self.accepted += len(answers) - len(codes)
        self.rejected.update(codes)
        reply(answers)


def _message(request: SendRequest, message_id: int, now_ms: int) -> Message:
    return Message(
        request.conversation,
        request.sender,
        request.client_id,
        message_id,
        request.content,
        request.kind or TEXT,
        now_ms,
        extra=request.extra,
        connect=request.connect,
        traceparent=request.traceparent,
    )


def _over_limit(
    request: SendRequest, meters: UserMeters, now_s: float
) -> WsmsgError | None:
    """
    Count a send of a user, or return why it is refused.
    """
    sender = request.sender
    n_bytes = len(request.content.encode()) + len(request.extra) + OVERHEAD_BYTES
    meter = meters.meters.get(sender) or meters.begin(sender, now_s)
    limit = meter.count(n_bytes, now_s, meters)
    return meters.refusal(meter, limit, now_s) if limit else None
