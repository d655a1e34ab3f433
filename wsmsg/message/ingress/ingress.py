"""
From a send to a record that is durable: the only way in.

The records are appended and their identities looked up in the store at the same
time (L{wsmsg.message.ingress.appends}), and a send is answered when both are done.  So
a repeat
is told from a new message, and a client id used twice for different messages is
refused, without a round trip more.  What was accepted and is perhaps not stored yet is
remembered here; whatever slips through both, because another Message accepted it a
moment ago, is found at the store's unique identity
(L{wsmsg.message.delivery.numbering}).

What is said in groups, or takes something back, is judged first
(L{wsmsg.message.ingress.group_rules}).  It is I{held} meanwhile, and with it what the
same sender says behind it in the conversation; all that is held is judged at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.errors import Conflict, Forbidden, Overloaded, Unavailable, WsmsgError
from wsmsg.flow.idle import IdleWaiters
from wsmsg.flow.send_fence import SendFences
from wsmsg.message.cluster.interface import IMessageIds
from wsmsg.message.ingress.appends import Appended, Appends
from wsmsg.message.ingress.group_rules import GroupRules
from wsmsg.message.ingress.interface import Answer, Reply, SendRequest, validate
from wsmsg.message.store.interface import IMessages
from wsmsg.model import (
    FIRST_EVENT,
    GROUP,
    RECALLED,
    TEXT,
    Message,
    MessageIdentity,
    is_group,
)
from wsmsg.settings.values import MessageSettings

_RETRY_AFTER_MS = 500


class Ingress:
    """
    Accepts messages into the journal.

    @param limit: sends that may be on their way into the journal.
    @param remembered: accepted identities that are kept in memory; more than are
        ever unstored while the store is up.
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
        self.content_bytes = settings.content_bytes
        self.limit = settings.appends_in_flight
        self.rules.apply_settings(settings)

    def accept(self, proposals: Iterable[SendRequest], reply: Reply) -> None:
        """
        Have these accepted, in their order.

        @param reply: called with answers, perhaps more than once; each proposal is
            answered exactly once.
        """
        self._admit(proposals, reply, judged=False)
        if self._held and not self._judging:
            self._judging = True
            Deferred.fromCoroutine(self._judge()).addErrback(
                lambda failure: self._log.failure("judging sends", failure)
            )

    def _admit(
        self, proposals: Iterable[SendRequest], reply: Reply, *, judged: bool
    ) -> None:
        at_once: list[Answer] = []
        fresh: dict[MessageIdentity, tuple[SendRequest, Message]] = {}
        for proposal in proposals:
            error = validate(proposal, self.content_bytes) or self._fence(proposal)
            if error is not None:
                at_once.append((proposal, error))
                continue
            identity = MessageIdentity(
                proposal.conversation, proposal.sender, proposal.client_id
            )
            known = self._recent.get(identity)
            if known is not None:
                at_once.append((proposal, self._repeat(proposal, known)))
            elif identity in self._appending:
                self._appending[identity].append((proposal, reply))
            elif self.in_flight + len(fresh) >= self.limit:
                at_once.append(
                    (proposal, self._turn_away(proposal, self._overloaded()))
                )
            elif not judged and self._is_held(proposal):
                self._hold(proposal, reply)
            else:
                self._appending[identity] = []
                fresh[identity] = (proposal, self._message(proposal))
        if fresh:
            self._append(fresh, reply)
        self._answer(at_once, reply)

    def lately(self, identity: MessageIdentity) -> Message | None:
        """
        The message of this identity, if it was accepted here a short while ago.
        """
        return self._recent.get(identity)

    def idle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing is on its way into the journal.
        """
        return self._idle.wait(not self.in_flight)

    # -- what is judged first

    def _is_held(self, proposal: SendRequest) -> bool:
        event = proposal.kind >= FIRST_EVENT
        if event or is_group(proposal.conversation):
            known = not event and self.rules.believes(proposal)
            if not known:
                return True
        if not self._holding:
            return False
        return (proposal.conversation, proposal.sender) in self._holding

    def _hold(self, proposal: SendRequest, reply: Reply) -> None:
        self.in_flight += 1
        self._held.append((proposal, reply))
        self._holding[proposal.conversation, proposal.sender] += 1

    async def _judge(self) -> None:
        try:
            while self._held:
                held, self._held = self._held, []
                verdicts = await self._verdicts([proposal for proposal, _ in held])
                self._let_go(held)
                judged = zip(held, verdicts, strict=True)
                for reply, some in groupby(judged, key=_reply_of):
                    self._release([(p, v) for (p, _), v in some], reply)
        finally:
            self._judging = False
        if not self.in_flight:
            self._idle.fire()

    def _release(
        self,
        judged: Sequence[tuple[SendRequest, int | WsmsgError | None]],
        reply: Reply,
    ) -> None:
        answers = [(p, verdict) for p, verdict in judged if verdict is not None]
        self._answer(answers, reply)
        allowed = [p for p, verdict in judged if verdict is None]
        self._admit(allowed, reply, judged=True)

    async def _verdicts(
        self, proposals: Sequence[SendRequest]
    ) -> list[int | WsmsgError | None]:
        try:
            # Asked first: what is stored after it the rules may have missed.
            unstored = self._appends.backlog.may_be_unstored()
            problems = await self.rules.judge(proposals)
            refused = [
                MessageIdentity(p.conversation, p.sender, p.client_id)
                for p, problem in zip(proposals, problems, strict=True)
                if problem is not None
            ]
            # What was accepted once stays so, whatever became of its sender.
            known = await self._store.find(refused) if refused else {}
        except WsmsgError as e:
            return [self._turn_away(p, type(e)(e.reason)) for p in proposals]
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("judging {n} sends", n=len(proposals))
            why = "groups cannot be looked up"
            return [self._turn_away(p, Unavailable(why)) for p in proposals]
        verdicts: list[int | WsmsgError | None] = []
        for proposal, problem in zip(proposals, problems, strict=True):
            identity = MessageIdentity(
                proposal.conversation, proposal.sender, proposal.client_id
            )
            if problem is not None and identity in known:
                verdicts.append(self._repeat(proposal, known[identity]))
            elif unstored and isinstance(problem, Forbidden):
                later = Unavailable("what was accepted before is still being stored")
                verdicts.append(self._turn_away(proposal, later))
            else:
                verdicts.append(problem)
        return verdicts

    def _let_go(self, held: Sequence[tuple[SendRequest, Reply]]) -> None:
        self.in_flight -= len(held)
        for proposal, _ in held:
            key = (proposal.conversation, proposal.sender)
            self._holding[key] -= 1
            if not self._holding[key]:
                del self._holding[key]

    # -- checks

    def _fence(self, proposal: SendRequest) -> WsmsgError | None:
        if not self._fences:
            return None
        key = (proposal.conversation, proposal.sender)
        hint_ms = self._fences.remaining_ms(key, self._now_ms() / 1000)
        if not hint_ms:
            return None
        return Unavailable("an earlier send of this conversation comes first", hint_ms)

    def _turn_away(self, proposal: SendRequest, error: WsmsgError) -> WsmsgError:
        if error.retry:
            error.retry_after_ms = error.retry_after_ms or _RETRY_AFTER_MS
            key = (proposal.conversation, proposal.sender)
            self._fences.raise_for(key, self._now_ms() / 1000, error.retry_after_ms)
        return error

    def _overloaded(self) -> WsmsgError:
        return Overloaded(
            f"{self.in_flight} sends are on their way already", _RETRY_AFTER_MS
        )

    def _message(self, proposal: SendRequest) -> Message:
        return Message(
            proposal.conversation,
            proposal.sender,
            proposal.client_id,
            self._ids.next(),
            proposal.content,
            proposal.kind or TEXT,
            self._now_ms(),
        )

    def _repeat(self, proposal: SendRequest, known: Message) -> int | WsmsgError:
        self.repeats += 1
        if proposal.content == known.content and (proposal.kind or TEXT) == known.kind:
            return known.time_ms
        if known.kind == RECALLED and proposal.kind < FIRST_EVENT:
            return known.time_ms  # what it said was taken back
        return Conflict("this client_id was used for another message")

    # -- the way in

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
        again: list[tuple[SendRequest, Reply]] = []
        for identity, (proposal, message) in fresh.items():
            again += self._appending.pop(identity)
            known = appended.stored.get(identity)
            if known is not None and known.message_id != message.message_id:
                answers.append((proposal, self._repeat(proposal, known)))
            elif known is None and appended.problem is not None:
                answers.append((proposal, self._turn_away(proposal, appended.problem)))
            else:
                self._recent[identity] = message
                if message.kind == GROUP:
                    self.rules.accepted(message)
                answers.append((proposal, message.time_ms))
        self._trim()
        self._answer(answers, reply)
        for proposal, its_reply in again:  # what became of the first decides
            self.accept([proposal], its_reply)
        if not self.in_flight:
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
