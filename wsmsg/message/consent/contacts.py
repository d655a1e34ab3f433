"""
The rule about whom users may begin to reach: with a first message or an invitation, or
by adding them to a group.

It is asked once for a conversation, when that begins, and never for one that exists:
what its first message was allowed holds for all that follow, in both directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from wsmsg.dependency.gather import gather
from wsmsg.errors import Forbidden, Unavailable, WsmsgError
from wsmsg.flow.expiring import Expiring
from wsmsg.message.consent.hook import ConsentHook, HookFailed
from wsmsg.message.store.interface import IConversations
from wsmsg.model import conversation_of
from wsmsg.settings.values import ConsentSettings

#: The most conversations that are remembered to exist.
MOST_KNOWN: Final = 100_000
#: The time for which an answer of the hook is used, in seconds.
ANSWERED_S: Final = 30.0

_RETRY_AFTER_MS = 1000

#: A user, and one whom the user wants to reach.
Pair = tuple[int, int]


class Seconds(Protocol):
    """
    A monotonic clock.
    """

    def __call__(self) -> float: ...


class Contacts:
    """
    The rule, as the settings have it.

    @ivar on: whether there is one; else nothing is asked.
    """

    def __init__(
        self,
        store: IConversations,
        settings: ConsentSettings,
        hook: ConsentHook,
        seconds: Seconds,
    ) -> None:
        self.on = False
        self._store = store
        self._settings = settings
        self._hook = hook
        self._known: dict[str, None] = {}
        self._answers: Expiring[Pair, bool] = Expiring(seconds, ANSWERED_S)
        self.apply_settings(settings)

    def apply_settings(self, settings: ConsentSettings) -> None:
        """
        Apply another rule.
        """
        self._settings = settings
        self.on = settings.contact != "everyone"

    def may_begin(self, conversation: str) -> bool:
        """
        Return whether a message may begin this conversation of two.
        """
        return self.on and conversation not in self._known

    async def refused(self, asked: Sequence[Pair]) -> dict[Pair, WsmsgError]:
        """
        Return the errors for those whom users must not reach.

        @raise Unavailable: the store is not available.
        """
        pairs = [p for p in dict.fromkeys(asked) if p[0] != p[1]]
        if not self.on or not pairs:
            return {}
        names = {pair: conversation_of(*pair) for pair in pairs}
        heads = await self._store.heads(list(set(names.values())))
        strangers = []
        for pair, name in names.items():
            if heads.get(name):
                self._remember(name)
            else:
                strangers.append(pair)
        if not strangers:
            return {}
        if self._settings.contact == "hook":
            return await self._by_hook(strangers)
        known = await self._store.consent.acquainted(strangers)
        return {pair: _refusal(pair) for pair in strangers if pair not in known}

    async def _by_hook(self, pairs: Iterable[Pair]) -> dict[Pair, WsmsgError]:
        refused: dict[Pair, WsmsgError] = {}
        others: dict[int, list[int]] = {}
        for pair in pairs:
            answer = self._answers.get(pair)
            if answer is None:
                others.setdefault(pair[0], []).append(pair[1])
            elif not answer:
                refused[pair] = _refusal(pair)
        for found in await gather(self._asked(*one) for one in others.items()):
            refused.update(found)
        return refused

    async def _asked(self, user: int, others: Sequence[int]) -> dict[Pair, WsmsgError]:
        try:
            allowed = await self._hook.allowed(self._settings, user, others)
        except HookFailed:
            if self._settings.hook_fail == "open":
                return {}
            why = "the operator's service does not say whether you may reach that user"
            return {(user, o): Unavailable(why, _RETRY_AFTER_MS) for o in others}
        refused: dict[Pair, WsmsgError] = {}
        for other in others:
            pair = (user, other)
            self._answers.put([pair], other in allowed)
            if other not in allowed:
                refused[pair] = _refusal(pair)
        return refused

    def _remember(self, conversation: str) -> None:
        self._known[conversation] = None
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]


def _refusal(pair: Pair) -> Forbidden:
    return Forbidden(f"you may not begin to reach user {pair[1]}")
