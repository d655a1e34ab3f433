"""
The rule about whom users may begin to reach: with a first message or an invitation, or
by adding them to a group.

It is asked once for a conversation, when that begins, and never for one that exists:
what its first message was allowed holds for all that follow, in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wsmsg.errors import Forbidden, Unavailable, WsmsgError
from wsmsg.message.consent.hook import ConsentHook
from wsmsg.message.consent.sharing import HookAnswers, Pair, Seconds, Sharing
from wsmsg.message.store.interface import IConversations
from wsmsg.settings.values import ConsentSettings

_RETRY_AFTER_MS = 1000
_UNKNOWN: Final = "the operator's service does not say whether you may reach that user"


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
        self._settings = settings
        self._sharing = Sharing(store)
        self._answers = HookAnswers(hook, "contact", seconds)
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
        return self.on and not self._sharing.is_known(conversation)

    async def are_strangers(self, user: int, other: int) -> bool:
        """
        Return whether there is a rule, and two users have no conversation yet.

        @raise Unavailable: the store is not available.
        """
        if not self.on or user == other:
            return False
        return bool(await self._sharing.without_conversation([(user, other)]))

    async def refused(self, asked: Sequence[Pair]) -> dict[Pair, WsmsgError]:
        """
        Return the errors for those whom users must not reach.

        @raise Unavailable: the store is not available.
        """
        pairs = [p for p in dict.fromkeys(asked) if p[0] != p[1]]
        if not self.on or not pairs:
            return {}
        strangers = await self._sharing.without_conversation(pairs)
        if not strangers:
            return {}
        if self._settings.contact == "hook":
            return await self._by_hook(strangers)
        refused = await self._sharing.without_group(strangers)
        return {pair: _refusal(pair) for pair in refused}

    async def _by_hook(self, pairs: Sequence[Pair]) -> dict[Pair, WsmsgError]:
        refused: dict[Pair, WsmsgError] = {}
        for pair, allowed in (await self._answers.of(self._settings, pairs)).items():
            if allowed is False:
                refused[pair] = _refusal(pair)
            elif allowed is None and self._settings.hook_fail == "closed":
                refused[pair] = Unavailable(_UNKNOWN, _RETRY_AFTER_MS)
        return refused


def _refusal(pair: Pair) -> Forbidden:
    return Forbidden(f"you may not begin to reach user {pair[1]}")
