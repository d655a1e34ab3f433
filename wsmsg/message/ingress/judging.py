"""
Requests that are held while the group rules judge them.

Sends to groups and events have to be judged.  While that takes time, the requests that
the same sender makes after a held one in its conversation are held as well, so that
the sender's order is kept; all held requests are judged together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wsmsg.errors import Forbidden, LimitReached, Unavailable, WsmsgError
from wsmsg.events import EVENT_KINDS
from wsmsg.events.invitation import INVITATION
from wsmsg.message.consent.interface import Contacts
from wsmsg.message.ingress.group_rules import GroupRules, NotAMember
from wsmsg.message.ingress.interface import Reply, SendRequest
from wsmsg.message.ingress.refusals import TemporaryRefusals
from wsmsg.message.ingress.remembered import RememberedMessage, summary_of
from wsmsg.message.limits.interface import GroupRequest, Quotas
from wsmsg.message.log.interface import IAppends
from wsmsg.message.store.interface import IMessages
from wsmsg.model import FIRST_EVENT, MessageIdentity, is_group, other_of

#: A request with its verdict: allowed (L{None}), refused, or accepted before at a time
#: in unix ms.
Judged = tuple[SendRequest, "int | WsmsgError | None"]

# A held request with its reply, and its verdict.
_Released = tuple[tuple[SendRequest, Reply], "int | WsmsgError | None"]


class JudgingOwner(Protocol):
    """
    The ingress, as its held requests see it.
    """

    def end_hold(self, n: int) -> None:
        """
        This number of requests is no longer held.
        """

    def release(self, judged: Sequence[Judged], reply: Reply) -> None:
        """
        Answer the requests that have a verdict, and admit the others.
        """

    def has(self, identity: MessageIdentity) -> bool:
        """
        Return whether the message is in the journal, or on its way there.
        """

    def judged_all(self) -> None:
        """
        No request is held now.
        """

    def repeat(
        self, request: SendRequest, known: RememberedMessage
    ) -> int | WsmsgError:
        """
        Return the answer to a request whose message is known.
        """


class Judging:
    """
    Holds requests until they are judged.

    @ivar held: requests that wait for the next judgement, with their replies.
    @ivar holding: by conversation and sender, the number of requests that are held.
    @ivar later: by conversation and sender, the client ids of held requests while those
        judged before are released; without those that are among these as well.
    """

    _log = Logger()

    def __init__(
        self,
        rules: GroupRules,
        store: IMessages,
        appends: IAppends,
        refusals: TemporaryRefusals,
        owner: JudgingOwner,
    ) -> None:
        self.held: list[tuple[SendRequest, Reply]] = []
        self.holding: Counter[tuple[str, int]] = Counter()
        self.later: dict[tuple[str, int], set[str]] = {}
        self._rules = rules
        self._store = store
        self._appends = appends
        self._refusals = refusals
        self._owner = owner
        self._quotas: Quotas | None = None
        self._contacts: Contacts | None = None
        self._over: dict[MessageIdentity, WsmsgError] = {}
        self._running = False
        self._judged: list[tuple[SendRequest, Reply]] = []

    def limit(self, quotas: Quotas | None, contacts: Contacts | None) -> None:
        """
        Judge by the limits of users too, and by whom they may begin to reach.
        """
        self._quotas, self._contacts = quotas, contacts

    def unanswered(self) -> Iterator[MessageIdentity]:
        """
        Return the identities of all held requests, oldest first.
        """
        for request, _ in chain(self._judged, self.held):
            yield _identity(request)

    def hold(
        self, request: SendRequest, reply: Reply, problem: WsmsgError | None = None
    ) -> None:
        """
        Hold a request until L{start} has it judged.

        @param problem: the error to refuse it with, unless it is a repeat.
        """
        if problem is not None:
            self._over[_identity(request)] = problem
        self.held.append((request, reply))
        self.holding[request.conversation, request.sender] += 1

    async def may_be_unstored(self, conversation: str, user: int) -> bool:
        """
        Return whether the store may not know yet that the user is a member of a group,
        as messages that were accepted earlier are not stored.

        @param user: 0: any member.
        @raise Unavailable: the store is not available.
        """
        if self._appends.may_be_unstored():
            return True
        return bool(await self._rules.may_be_unstored([(conversation, user)]))

    def start(self) -> None:
        """
        Have all held requests judged, unless that is under way.
        """
        if not self._running:
            self._running = True
            Deferred.fromCoroutine(self._judge()).addErrback(
                lambda failure: self._log.failure("judging sends", failure)
            )

    async def _judge(self) -> None:
        try:
            while self.held:
                held, self.held = self.held, []
                self._judged = held
                verdicts = await self._verdicts([request for request, _ in held])
                self._end_hold(held)
                judged = list(zip(held, verdicts, strict=True))
                # The others may still be refused one by one, as they are admitted.
                self._judged = [one for one, verdict in judged if verdict is None]
                if self._refusals.fences.standing:
                    self._put_in_order(judged)
                    self._note_later()
                for reply, some in groupby(judged, key=_reply_of):
                    with self._log.failuresHandled("releasing sends that were judged"):
                        self._owner.release([(r, v) for (r, _), v in some], reply)
                self._judged, self.later = [], {}
        finally:
            self._running, self.later = False, {}
        self._owner.judged_all()

    async def _verdicts(
        self, requests: Sequence[SendRequest]
    ) -> list[int | WsmsgError | None]:
        refuse = self._refuse
        # Two of them may be the same request.
        over = [self._over.get(_identity(r)) for r in requests]
        self._over.clear()
        try:
            # Checked before the rules, which may miss what is stored after this.
            backlog = self._appends.may_be_unstored()
            judged = await self._rules.judge(requests)
            problems = [a or b for a, b in zip(over, judged, strict=True)]
            problems = await self._with_consent(requests, problems)
            problems = await self._within_quotas(requests, problems)
            refused = [
                _identity(r)
                for r, problem in zip(requests, problems, strict=True)
                if problem is not None
            ]
            # A message stays accepted, whatever has become of its sender since.
            known = await self._store.find(refused) if refused else {}
            unknown = await self._rules.may_be_unstored(
                _key(r)
                for r, problem in zip(requests, problems, strict=True)
                if isinstance(problem, NotAMember)
            )
        except WsmsgError as e:
            self._refusals.note_unanswered()
            return [refuse(r, type(e)(e.reason)) for r in requests]
        except Exception:  # noqa: BLE001 - a guard
            self._log.failure("judging {n} sends", n=len(requests))
            self._refusals.note_unanswered()
            why = "the store failed to look up groups"
            return [refuse(r, Unavailable(why)) for r in requests]
        if refused:
            self._refusals.note_unanswered()
        verdicts: list[int | WsmsgError | None] = []
        for request, problem in zip(requests, problems, strict=True):
            message = known.get(_identity(request))
            if problem is not None and message is not None:
                verdicts.append(self._owner.repeat(request, summary_of(message)))
            elif backlog and isinstance(problem, (Forbidden, LimitReached)):
                later = Unavailable("messages accepted earlier are still being stored")
                verdicts.append(refuse(request, later))
            elif isinstance(problem, NotAMember) and _key(request) in unknown:
                later = Unavailable("the group is not known here, or not stored yet")
                verdicts.append(refuse(request, later))
            elif problem is not None and problem.retry:
                verdicts.append(refuse(request, problem))
            else:
                verdicts.append(problem)
        return verdicts

    def _put_in_order(self, judged: list[_Released]) -> None:
        """
        Put the requests of each fence in its order: those that were refused and came
        again are behind later ones.
        """
        of_key = defaultdict[tuple[str, int], list[int]](list)
        for n, ((request, _), _) in enumerate(judged):
            of_key[_place(request)].append(n)
        for key, numbers in of_key.items():
            if len(numbers) == 1 or not (places := self._refusals.fences.places(key)):
                continue
            some = [judged[n] for n in numbers]
            some.sort(key=lambda one: places.get(one[0][0].client_id, len(places)))
            for n, one in zip(numbers, some, strict=True):
                judged[n] = one

    def _note_later(self) -> None:
        judged = {_identity(request) for request, _ in self._judged}
        later = defaultdict[tuple[str, int], set[str]](set)
        for request, _ in self.held:
            identity = _identity(request)
            if identity not in judged and not self._owner.has(identity):
                later[_place(request)].add(request.client_id)
        self.later = later

    def _refuse(self, request: SendRequest, error: WsmsgError) -> WsmsgError | None:
        """
        Refuse a request for now, unless another copy of it was admitted meanwhile: its
        sender, who is told of that one, would not repeat this one.
        """
        if self._owner.has(_identity(request)):
            return None
        return self._refusals.refuse(request, error)

    async def _with_consent(
        self,
        requests: Sequence[SendRequest],
        problems: list[WsmsgError | None],
    ) -> list[WsmsgError | None]:
        """
        Add the errors of those requests that reach users whom the sender must not.
        """
        contacts = self._contacts
        if contacts is None or not contacts.on:
            return problems
        reached = [
            _reached(r) if problem is None and r.by_user else ()
            for r, problem in zip(requests, problems, strict=True)
        ]
        pairs = {
            (r.sender, user)
            for r, users in zip(requests, reached, strict=True)
            for user in users
        }
        refused = await contacts.refused(sorted(pairs)) if pairs else {}
        found = []
        for request, users, problem in zip(requests, reached, problems, strict=True):
            errors = (refused.get((request.sender, user)) for user in users)
            found.append(problem or next(filter(None, errors), None))
        return found

    async def _within_quotas(
        self,
        requests: Sequence[SendRequest],
        problems: list[WsmsgError | None],
    ) -> list[WsmsgError | None]:
        """
        Add the errors of those requests for which their users have used up a limit.
        """
        quotas = self._quotas
        if quotas is None:
            return problems
        places = [
            n
            for n, (r, problem) in enumerate(zip(requests, problems, strict=True))
            if problem is None and r.by_user
        ]
        texts = [n for n in places if _may_begin(requests[n])]
        begun = [_place(requests[n]) for n in texts]
        begun = [place for place in begun if not is_group(place[0])]
        refused = await quotas.begin(begun) if begun else {}
        for n in texts:
            problems[n] = refused.get(_place(requests[n]))
        if not quotas.limits_groups:
            return problems
        changes = [
            (n, change)
            for n in places
            if (change := _group_request(requests[n])) is not None
        ]
        if changes:
            errors = await quotas.change([change for _, change in changes])
            for (n, _), error in zip(changes, errors, strict=True):
                problems[n] = error
        return problems

    def _end_hold(self, held: Sequence[tuple[SendRequest, Reply]]) -> None:
        self._owner.end_hold(len(held))
        for request, _ in held:
            key = (request.conversation, request.sender)
            self.holding[key] -= 1
            if not self.holding[key]:
                del self.holding[key]


def _place(request: SendRequest) -> tuple[str, int]:
    return request.conversation, request.sender


def _reached(request: SendRequest) -> Sequence[int]:
    """
    Return the users whom a request reaches, perhaps for the first time.
    """
    if _may_begin(request):
        other = other_of(request.conversation, request.sender)
        return (other,) if other else ()
    change = _group_request(request)
    return change.add if change is not None else ()


def _may_begin(request: SendRequest) -> bool:
    return request.kind < FIRST_EVENT or request.kind == INVITATION


def _key(request: SendRequest) -> tuple[str, int]:
    # An event of another conversation may need a group, as an invitation does.
    kind = EVENT_KINDS.get(request.kind)
    group = kind.questions(request).group if kind else ""
    return group or request.conversation, request.sender


def _group_request(request: SendRequest) -> GroupRequest | None:
    kind = EVENT_KINDS.get(request.kind)
    if kind is None or kind.member_change is None:
        return None
    change = kind.member_change(request.content)
    if not change.add:
        return None
    owner = request.sender if change.created else 0
    return GroupRequest(owner, request.conversation, change.add)


def _identity(request: SendRequest) -> MessageIdentity:
    return MessageIdentity(request.conversation, request.sender, request.client_id)


def _reply_of(judged: tuple[tuple[SendRequest, Reply], object]) -> Reply:
    return judged[0][1]
