"""
The blocks and invitations of a user, and the ends of conversations as their users may
see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from wsmsg.message.queries.interface import OpenInvitation
from wsmsg.message.store.interface import BlockRow, HeadRow, IConsent, ShownHead
from wsmsg.model import is_group
from wsmsg.settings.values import ConsentSettings

#: A conversation and a user.
_Key = tuple[str, int]


class ConsentReader:
    """
    Reads for the queries.

    @param now_ms: returns unix milliseconds, for the age of invitations.
    """

    def __init__(
        self, store: IConsent, now_ms: Callable[[], int], settings: ConsentSettings
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._settings = settings

    def apply_settings(self, settings: ConsentSettings) -> None:
        """
        Apply the time for which an invitation is open.
        """
        self._settings = settings

    async def shown(self, user: int, rows: Sequence[HeadRow]) -> Sequence[HeadRow]:
        """
        Return the rows as the user may see them: without what is withheld at their
        ends, and without conversations of which everything is withheld.
        """
        ends = await self.ends((r.conversation, user) for r in rows)
        if not ends:
            return rows
        shown = []
        for row in rows:
            end = ends.get((row.conversation, user))
            # Another message may have been stored since the rows were read.
            seen = row
            if end is not None and end.head < row.head:
                seen = HeadRow(row.conversation, *end)
            if seen.head:
                shown.append(seen)
        return shown

    async def ends(self, keys: Iterable[_Key]) -> Mapping[_Key, ShownHead]:
        """
        Return the shown head of each conversation of two whose end is withheld from the
        user; in one call, and in none where nobody has blocks.
        """
        if not self._store.may_withhold:
            return {}
        of_two = [key for key in keys if not is_group(key[0])]
        return await self._store.shown_heads(of_two) if of_two else {}

    async def blocks(
        self, user: int, after: str, limit: int
    ) -> tuple[Sequence[BlockRow], bool]:
        """
        As L{wsmsg.message.queries.interface.IQueries.blocks}.

        @param limit: above 0.
        """
        rows = await self._store.blocks(user, after, limit + 1)
        return rows[:limit], len(rows) > limit

    async def invitations(
        self, user: int, after: str, limit: int
    ) -> tuple[Sequence[OpenInvitation], str]:
        """
        As L{wsmsg.message.queries.interface.IQueries.invitations}.

        @param limit: above 0.
        """
        open_ms = int(self._settings.invitation_s * 1000)
        since_ms = self._now_ms() - open_ms
        rows = await self._store.invitations(user, after, limit, since_ms)
        found = [
            OpenInvitation(r.conversation, r.name, r.by, r.time_ms, r.time_ms + open_ms)
            for r in rows
        ]
        # A page may have fewer rows than it looked at: groups may be unknown.
        return found, rows[-1].conversation if len(rows) == limit else ""
