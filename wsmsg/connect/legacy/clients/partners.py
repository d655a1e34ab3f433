"""
Presence for a legacy client: of the people that its user talks to.

A legacy client cannot ask for presence.  So Connect watches the partners in the user's
recent conversations of two, and those that appear while the client is connected.  It
sends the client on connecting the users who are online, and then each change, if
C{legacy.presence} is set: the client of the legacy system shows such messages as lines
of the chat.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from wsmsg.connect.session.output import framed
from wsmsg.errors import WsmsgError
from wsmsg.legacy.codec import CODEC, encode_presence
from wsmsg.model import InvalidName, UserPresence, is_group, members_of

if TYPE_CHECKING:
    from wsmsg.connect.legacy.clients.session import LegacySession
    from wsmsg.connect.session.registry import RegisteredSession
    from wsmsg.connect.session.watchers import Watchers

#: Conversations that were silent for longer are not recent.
_RECENT_MS = 30 * 86400 * 1000

#: The maximum of pages of conversations that are read.
_PAGES = 10


class Partners:
    """
    The watched users of one legacy client.
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
        Read who the partners are, and tell the client who of them is online.  Once
        this has succeeded, further calls do nothing.
        """
        session = self._session
        if self._looked or session.closed:
            return
        self._looked = True
        reads, watchers = session.context.upstream.reads, self._watchers
        try:
            partners = await self._recent()
            if session.closed or not self._is_on:
                return
            kept = watchers.record(session)
            self.add(partners)
            users = [user for user in partners if user in self._watched]
            found: Sequence[UserPresence] = ()
            try:
                found = await reads.presence(users, session.user) if users else ()
            except WsmsgError:
                if reads.judges:
                    watchers.hide(session, users)
                raise
            finally:
                for one in watchers.answered(session, kept, found):
                    self.presence_changed(one.shown())
        except WsmsgError:
            self._looked = False

    def add_from(self, conversation: str) -> None:
        """
        Watch the partner in a conversation too.
        """
        if self._is_on:
            for user in _partners(conversation, self._session.user):
                if user not in self._watched:
                    self.add((user,))
                    if self._session.context.upstream.reads.judges:
                        self._watchers.hide(self._session, (user,))
                        self._watchers.doubt(self._session, (user,))

    def add(self, users: Iterable[int]) -> None:
        """
        Watch these users too, as far as the limit allows.
        """
        session = self._session
        room = max(0, session.limits.watch - len(self._watched))
        new = tuple(islice((u for u in users if u not in self._watched), room))
        watchers = self._watchers
        if session.closed or not new or not watchers.has_room(new):
            return
        self._watched.update(new)
        added = watchers.add(session, new)
        if added:
            session.context.upstream.watch(added)

    def presence_changed(self, change: UserPresence) -> None:
        """
        Send the client the presence of a user, unless it is unchanged.
        """
        if change.online == (change.user in self._online) or not self._is_on:
            return
        if change.online:
            self._online.add(change.user)
        else:
            self._online.discard(change.user)
        session = self._session
        now_s = session.context.unix_s()
        # Clients identify a message by its id, and may acknowledge this one as well.
        self._last_id = max(self._last_id + 1, int(now_s * 1_000_000))
        session.feed.note_unmarked(self._last_id)
        data = encode_presence(
            change.user,
            online=change.online,
            to=session.user,
            time_s=int(now_s),
            message_id=self._last_id,
        )
        session.outbox.push(framed(CODEC, data), shed=True)

    @property
    def _watchers(self) -> Watchers[RegisteredSession]:
        return self._session.context.registry.watchers

    @property
    def _is_on(self) -> bool:
        return self._session.context.settings.legacy.presence

    async def _recent(self) -> Sequence[int]:
        """
        Read the partners in recent conversations, the latest last, at most as many as
        may be watched.
        """
        session, position = self._session, ""
        since_ms = session.opened_ms - _RECENT_MS
        partners: dict[int, int] = {}
        for _ in range(_PAGES):
            page = await session.context.upstream.reads.heads(
                session.user, position, session.limits.page, continued=True
            )
            for row in page.heads:
                session.feed.note_head(row.conversation, row.head)
                if row.time_ms >= since_ms:
                    for user in _partners(row.conversation, session.user):
                        partners[user] = row.time_ms
            if not page.more or session.closed:
                break
            position = page.position
        latest_last = sorted(partners, key=lambda user: partners[user])
        return latest_last[-session.limits.watch :]


def _partners(conversation: str, user: int) -> tuple[int, ...]:
    if is_group(conversation):
        return ()
    try:
        return tuple(u for u in members_of(conversation) if u != user)
    except InvalidName:
        return ()
