"""
Whose coming and going a deployed client is told of: those it talks with.

They cannot ask, so it is the partners of their conversations of two: those of late,
and whoever comes up while they are connected.  On connect they are told who is there;
then what changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from wsmsg.connect.session.framing import framed
from wsmsg.errors import WsmsgError
from wsmsg.model import InvalidName, UserPresence, is_group, members_of
from wsmsg.protocol.legacy import CODEC, presence

if TYPE_CHECKING:
    from wsmsg.connect.legacy.clients.session import LegacySession

#: Conversations that were silent for longer are not of late.
_LATE_MS = 30 * 86400 * 1000

#: At most so many pages of them are looked at.
_PAGES = 10


class Partners:
    """
    Of one client.
    """

    __slots__ = ("_last_id", "_looked", "_online", "_session", "_watched")

    def __init__(self, session: LegacySession) -> None:
        self._session = session
        self._online: set[int] = set()
        self._watched: set[int] = set()
        self._looked = False
        self._last_id = 0

    async def look(self) -> None:
        """
        Find out who they are and who of them is there; once is enough.
        """
        session = self._session
        if self._looked or session.closed:
            return
        self._looked = True
        try:
            partners = await self._of_late()
            if session.closed:
                return
            # What is told meanwhile is newer than the answer.
            told = session.told = set()
            self.add(partners)
            found = (
                await session.node.upstream.reads.presence(partners) if partners else []
            )
            session.told = None
            for one in found:
                if one.user not in told:
                    self.changed(one)
        except WsmsgError:
            self._looked = False

    def met(self, conversation: str) -> None:
        """
        The client has to do with this conversation.
        """
        for user in _partners(conversation, self._session.user):
            if user not in self._watched:
                self.add((user,))

    def add(self, users: Iterable[int]) -> None:
        """
        Watch these too, as far as the limit goes.
        """
        session = self._session
        room = max(0, session.limits.watch - len(self._watched))
        new = tuple(islice((u for u in users if u not in self._watched), room))
        if session.closed or not new:
            return
        self._watched.update(new)
        session.watching = (*session.watching, *new)
        came, _ = session.node.registry.watch(session, (), new)
        if came:
            session.node.upstream.watch(came)

    def changed(self, who: UserPresence) -> None:
        """
        Tell the client, unless it knows.
        """
        if who.online == (who.user in self._online):
            return
        if who.online:
            self._online.add(who.user)
        else:
            self._online.discard(who.user)
        session = self._session
        now_s = session.node.clock.seconds()
        # Clients know a message by its id, and may acknowledge this one as well.
        self._last_id = max(self._last_id + 1, int(now_s * 1_000_000))
        session.feed.told(self._last_id)
        data = presence(
            who.user,
            online=who.online,
            to=session.user,
            time_s=int(now_s),
            message_id=self._last_id,
        )
        session.outbox.put(framed(CODEC, data), shed=True)

    async def _of_late(self) -> Sequence[int]:
        session, after = self._session, ""
        since_ms = int(session.opened_s * 1000) - _LATE_MS
        partners: dict[int, None] = {}
        for _ in range(_PAGES):
            rows, more = await session.node.upstream.reads.heads(
                session.user, since_ms, session.limits.page, after
            )
            for row in rows:
                session.feed.base[row.conversation] = row.head
                for user in _partners(row.conversation, session.user):
                    partners.pop(user, None)
                    partners[user] = None
            if not more or not rows or session.closed:
                break
            since_ms, after = rows[-1].time_ms, rows[-1].conversation
        return list(partners)[-session.limits.watch :]


def _partners(conversation: str, user: int) -> tuple[int, ...]:
    if is_group(conversation):
        return ()
    try:
        return tuple(u for u in members_of(conversation) if u != user)
    except InvalidName:
        return ()
