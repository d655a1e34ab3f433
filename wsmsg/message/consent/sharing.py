"""
The users who share a conversation or a group, and those of whom the operator's hook
says that one may reach or see the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from wsmsg.dependency.gather import gather
from wsmsg.flow.expiring import Expiring
from wsmsg.message.consent.hook import ConsentHook, HookFailed, Question
from wsmsg.message.store.interface import IConversations
from wsmsg.model import conversation_of
from wsmsg.settings.values import ConsentSettings

#: The most conversations that are remembered to exist.
MOST_KNOWN: Final = 100_000
#: The time for which an answer of the hook is used, in seconds.
ANSWERED_S: Final = 30.0

#: A user, and one whom the user wants to reach or to see.
Pair = tuple[int, int]


class Seconds(Protocol):
    """
    A monotonic clock.
    """

    def __call__(self) -> float: ...


class Sharing:
    """
    Looks up what users share.  Conversations that exist are remembered, as they go on
    existing.
    """

    def __init__(self, store: IConversations) -> None:
        self._store = store
        self._known: dict[str, None] = {}

    def is_known(self, conversation: str) -> bool:
        """
        Return whether a conversation is remembered to exist.
        """
        return conversation in self._known

    async def without_conversation(self, pairs: Iterable[Pair]) -> list[Pair]:
        """
        Return the pairs who have no conversation of two.

        @raise Unavailable: the store is not available.
        """
        names = {pair: conversation_of(*pair) for pair in pairs}
        asked = {name for name in names.values() if name not in self._known}
        heads = await self._store.heads(list(asked)) if asked else {}
        for name in asked:
            if heads.get(name):
                self._remember(name)
        return [
            pair
            for pair, name in names.items()
            if name in asked and not heads.get(name)
        ]

    async def without_group(self, pairs: Sequence[Pair]) -> list[Pair]:
        """
        Return the pairs who are not members of one group now.

        @raise Unavailable: the store is not available.
        """
        known = await self._store.consent.acquainted(pairs) if pairs else frozenset()
        return [pair for pair in pairs if pair not in known]

    def _remember(self, conversation: str) -> None:
        self._known[conversation] = None
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]


class HookAnswers:
    """
    Answers of the hook to one question, each used for a while.
    """

    def __init__(self, hook: ConsentHook, question: Question, seconds: Seconds) -> None:
        self._hook = hook
        self._question = question
        self._answers: Expiring[Pair, bool] = Expiring(seconds, ANSWERED_S)

    async def of(
        self, settings: ConsentSettings, pairs: Iterable[Pair]
    ) -> Mapping[Pair, bool | None]:
        """
        Return for each pair whether the first may reach or see the second; L{None}: the
        hook does not say.
        """
        found: dict[Pair, bool | None] = {}
        others: dict[int, list[int]] = {}
        for pair in pairs:
            answer = self._answers.get(pair)
            if answer is None:
                others.setdefault(pair[0], []).append(pair[1])
            else:
                found[pair] = answer
        for user, allowed in zip(
            others,
            await gather(self._ask(settings, *one) for one in others.items()),
            strict=True,
        ):
            for other in others[user]:
                found[user, other] = None if allowed is None else other in allowed
        return found

    async def _ask(
        self, settings: ConsentSettings, user: int, others: Sequence[int]
    ) -> frozenset[int] | None:
        try:
            allowed = await self._hook.allowed(
                settings, user, others, question=self._question
            )
        except HookFailed:
            return None
        for other in others:
            self._answers.put([(user, other)], other in allowed)
        return allowed
