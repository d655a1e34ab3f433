"""
The users whose presence another user may see: those who have not blocked the user, and
of whom the rule of the operator, C{consent.presence}, says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wsmsg.events.block import user_target
from wsmsg.flow.expiring import Expiring
from wsmsg.message.consent.hook import ConsentHook
from wsmsg.message.consent.sharing import (
    ANSWERED_S,
    HookAnswers,
    Pair,
    Seconds,
    Sharing,
)
from wsmsg.message.store.interface import IConversations
from wsmsg.monitoring.metrics import Metrics
from wsmsg.settings.values import ConsentSettings

#: The most pairs in one look-up of groups, which costs a step for each group of a user.
_PAIRS = 50
#: The most users in one call of the hook.
_ASKED = 1000


class Sight:
    """
    Judges who sees the presence of whom, by the blocks of now.  What the rule says of
    two users is used for L{ANSWERED_S} seconds.
    """

    def __init__(
        self,
        store: IConversations,
        settings: ConsentSettings,
        hook: ConsentHook,
        seconds: Seconds,
    ) -> None:
        self._store = store
        self._hook = hook
        self._sharing = Sharing(store)
        self._settings = settings
        self._answers = HookAnswers(hook, "presence", seconds)
        self._strangers: Expiring[Pair, bool] = Expiring(seconds, ANSWERED_S)

    def apply_settings(self, settings: ConsentSettings) -> None:
        """
        Apply another rule.
        """
        self._settings = settings

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the metrics of the hook.
        """
        self._hook.register_metrics(metrics)

    def stop(self) -> None:
        """
        Write the lines of the log about the hook that wait.
        """
        self._hook.stop()

    @property
    def on(self) -> bool:
        """
        False while every user sees the presence of all others.
        """
        return self._store.consent.may_withhold or self._settings.presence != "everyone"

    async def hidden(self, asker: int, users: Sequence[int]) -> frozenset[int]:
        """
        Return those of the users whose presence is hidden from the one who asks.

        @raise Unavailable: the store is not available.
        """
        others = {user for user in users if user != asker}
        if not others or not self.on:
            return frozenset()
        hidden: frozenset[int] = frozenset()
        if self._store.consent.may_withhold:
            target = user_target(asker)
            keys = [(user, target) for user in others]
            hidden = frozenset(u for u, _ in await self._store.consent.blocked(keys))
        pairs = [(asker, user) for user in sorted(others - hidden)]
        match self._settings.presence:
            case "shared":
                return hidden.union(u for _, u in await self._without(pairs))
            case "hook":
                return hidden.union(u for _, u in await self._refused(pairs))
            case _:
                return hidden

    async def _refused(self, pairs: Sequence[Pair]) -> Iterable[Pair]:
        settings = self._settings
        closed = settings.hook_fail == "closed"
        refused: list[Pair] = []
        for at in range(0, len(pairs), _ASKED):
            some = pairs[at : at + _ASKED]
            answers = await self._answers.of(settings, some)
            refused += [
                p for p, a in answers.items() if (closed if a is None else not a)
            ]
        return refused

    async def _without(self, pairs: Sequence[Pair]) -> Iterable[Pair]:
        known = {pair: self._strangers.get(pair) for pair in pairs}
        asked = [pair for pair, is_stranger in known.items() if is_stranger is None]
        apart = await self._sharing.without_conversation(asked)
        strangers: set[Pair] = set()
        for at in range(0, len(apart), _PAIRS):
            some = apart[at : at + _PAIRS]
            strangers.update(await self._sharing.without_group(some))
        for pair in asked:
            self._strangers.put([pair], pair in strangers)
        return strangers.union(pair for pair, yes in known.items() if yes)
