"""
Reads on behalf of users: pages of a conversation, conversations, groups, presence, and
unread messages.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import attrs
from twisted.internet.defer import Deferred

from wsmsg.dependency.gather import both
from wsmsg.errors import BadRequest, Forbidden, NotFound, Unavailable, Unsupported
from wsmsg.message.consent.interface import Sight
from wsmsg.message.links.interface import IRoutes
from wsmsg.message.presence.interface import IPresence
from wsmsg.message.queries.consent import ConsentReader
from wsmsg.message.queries.heads import shown_head, with_cursors
from wsmsg.message.queries.history import HistoryWatch
from wsmsg.message.queries.interface import (
    ComparedNumbers,
    ConversationPage,
    HeadsPage,
    Marking,
    OpenInvitation,
    PushedNumber,
    UnreadPage,
    check_group,
)
from wsmsg.message.queries.unread import UnreadReader
from wsmsg.message.store.interface import (
    BlockRow,
    GroupPage,
    HeadList,
    IMessageStore,
    INames,
)
from wsmsg.model import (
    InvalidName,
    Mark,
    UserPresence,
    is_group,
    members_of,
)
from wsmsg.monitoring.metrics import Metrics
from wsmsg.names import MOST_NAMES, name_problem
from wsmsg.settings.values import ConsentSettings, MessageSettings

#: The most numbers in one comparison.
MOST_COMPARED = 1000
#: The most marks in one query.
MOST_MARKS = 1000
#: The most users in one query for presence.
MOST_USERS = 10_000

_RETRY_AFTER_MS = 500


class Queries:
    """
    Answers queries; see L{wsmsg.message.queries.interface.IQueries}.

    @param page: the most messages or heads in one answer.
    @param mark: marks messages as read; L{wsmsg.message.queries.marks.Marks.mark}.
        Without it, marks are refused.
    @param names: the names of users; L{None}: they have none.
    @param may_be_unstored: returns whether the store may not know yet that a user is a
        member of a group; L{wsmsg.message.ingress.ingress.Ingress.may_be_unstored}.
    @param cursors_stored: waits until the cursors that a user knows of are stored.
    @ivar history: what readers have that the store lacks.
    @ivar asked: the number of queries so far.
    """

    def __init__(
        self,
        store: IMessageStore,
        presence: IPresence,
        routes: IRoutes,
        *,
        page: int,
        mark: Marking | None = None,
        history: HistoryWatch | None = None,
        names: INames | None = None,
        may_be_unstored: Callable[[str, int], Awaitable[bool]] | None = None,
        cursors_stored: Callable[[int], Awaitable[None]] | None = None,
        consent: ConsentReader | None = None,
        sight: Sight | None = None,
    ) -> None:
        self.asked = 0
        self.page_limit = page
        self._store = store
        self._presence = presence
        self._routes = routes
        self._marking = mark
        self._names = names
        self.history = history or HistoryWatch(store, time.monotonic, shared=True)
        self._unread = UnreadReader(store)
        self._may_be_unstored = may_be_unstored
        self._cursors_stored = cursors_stored
        self._sight = sight
        self._consent = consent or ConsentReader(
            store.consent, lambda: int(time.time() * 1000), ConsentSettings()
        )

    def apply_settings(self, settings: MessageSettings) -> None:
        """
        Apply the limit of an answer, the time of invitations, and the rule of presence.
        """
        self.page_limit = settings.page
        self._consent.apply_settings(settings.consent)
        if self._sight is not None:
            self._sight.apply_settings(settings.consent)

    def register_metrics(self, metrics: Metrics) -> None:
        """
        Register the metrics of the operator's hook.
        """
        if self._sight is not None:
            self._sight.register_metrics(metrics)

    def stop(self) -> None:
        """
        Write the lines of the log that wait.
        """
        if self._sight is not None:
            self._sight.stop()

    async def page(
        self,
        user: int,
        conversation: str,
        after: int,
        limit: int,
        *,
        before: int = 0,
    ) -> ConversationPage:
        """
        Read messages of a conversation.
        """
        self.asked += 1
        if is_group(conversation):
            check_group(conversation)
        else:
            _check_member(user, conversation)
        try:
            page = await self._store.page(
                conversation,
                max(after, 0),
                self._limited(limit),
                before=max(before, 0),
                reader=user,
            )
        except Forbidden:
            await self.check_stored(conversation, user)
            raise
        if after > page[1]:
            self.history.claimed(user, conversation, after, page[1])
        return ConversationPage(*page, self._store.epoch)

    async def heads(
        self,
        user: int,
        position: str,
        limit: int,
        *,
        continued: bool,
        witness: str = "",
    ) -> HeadsPage:
        """
        List conversations of a user.
        """
        self.asked += 1
        await self._wait_for_cursors(user)
        found = await self._list(user, position, limit, witness, not continued)
        if await self.history.told(found):
            found = await self._list(user, position, limit, "", not continued)
        keys = [
            (r.conversation, member)
            for r in found.rows
            for member in with_cursors(r.conversation, user)
        ]
        cursors, unread = await both(
            self._store.cursors(keys),
            self._store.unread_counts(user, [r.conversation for r in found.rows]),
        )
        shown = await self._consent.shown(user, found.rows)
        last = {row.conversation: row.head for row in found.rows}
        for cursor in cursors.values():
            self.history.saw(cursor, last[cursor.conversation])
        heads = [shown_head(row, user, cursors, unread) for row in shown]
        return HeadsPage(heads, found.more, found.position, self._store.epoch)

    def _list(
        self, user: int, position: str, limit: int, witness: str, anew: bool
    ) -> Deferred[HeadList]:
        most = self._limited(limit)
        return self._store.conversations_of(
            user, position, most, witness=witness, anew=anew
        )

    async def compare(
        self, epoch: str, pushed: Sequence[PushedNumber]
    ) -> ComparedNumbers:
        """
        Look up the heads of the conversations that a Connect pushed.
        """
        self.asked += 1
        if len(pushed) > MOST_COMPARED:
            raise NotFound(f"{len(pushed)} numbers, the limit is {MOST_COMPARED}")
        position = await self._store.position_now()
        now = self._store.epoch
        heads = await self._store.heads(list({p.conversation for p in pushed}))
        # Judged after the read: who was removed before it expects nothing.
        groups = [(p.conversation, p.user) for p in pushed if is_group(p.conversation)]
        readers = await self._store.readable_from(groups) if groups else {}
        await self.history.pushed(epoch, pushed, heads)
        ends = await self._consent.ends((p.conversation, p.user) for p in pushed)
        found = []
        for p in pushed:
            key = (p.conversation, p.user)
            head = heads[key[0]]
            if key in ends:
                head = min(head, ends[key][0])
            hidden = is_group(key[0]) and key not in readers
            found.append(0 if hidden else head)
        return ComparedNumbers(found, now, position)

    async def blocks(
        self, user: int, after: str, limit: int
    ) -> tuple[Sequence[BlockRow], bool]:
        """
        List the blocks of a user.
        """
        self.asked += 1
        return await self._consent.blocks(user, after, self._limited(limit))

    async def invitations(
        self, user: int, after: str, limit: int
    ) -> tuple[Sequence[OpenInvitation], str]:
        """
        List the open invitations of a user.
        """
        self.asked += 1
        return await self._consent.invitations(user, after, self._limited(limit))

    async def group(
        self, user: int, conversation: str, after: int, limit: int
    ) -> GroupPage:
        """
        Read a group and some of its members.
        """
        self.asked += 1
        key = (check_group(conversation), user)
        limit = self._limited(limit)
        # The group may be stored between the read and the judgement: then both again.
        for _ in range(2):
            page = await self._store.group(conversation, max(after, 0), limit + 1)
            # Judged after the read: who was removed before it reads nothing.
            if key not in await self._store.readable_from([key]):
                await self.check_stored(conversation, user)
                raise Forbidden(f"user {user} is not in {conversation}")
            if page is not None:
                break
        else:
            raise NotFound(f"there is no {conversation}")
        members, more = page.members[:limit], len(page.members) > limit
        return attrs.evolve(page, members=members, more=more)

    async def unread(
        self, user: int, position: str, limit: int, *, after: int = 0
    ) -> UnreadPage:
        """
        Read unread messages of a user.
        """
        self.asked += 1
        await self._wait_for_cursors(user)
        limit = self._limited(limit)
        if after and not position:
            return await self._unread.behind(user, after, limit)
        return await self._unread.page(user, position, limit)

    async def unread_total(self, user: int) -> int:
        """
        Count the unread messages of a user.
        """
        self.asked += 1
        await self._wait_for_cursors(user)
        return await self._unread.total(user)

    @property
    def hides_presence(self) -> bool:
        """
        True if presence may be hidden from an asker.
        """
        return self._sight is not None and self._sight.on

    async def presence(
        self, users: Sequence[int], asker: int = 0
    ) -> Sequence[UserPresence]:
        """
        Return the presence of users.  A user with a route is online, also while user
        state cannot be read.
        """
        self.asked += 1
        if len(users) > MOST_USERS:
            raise NotFound(f"{len(users)} users, the limit is {MOST_USERS}")
        try:
            known = await self._presence.look_up(users)
        except Unavailable:
            # The Dependency of the presence backend reports the failure.
            known = [UserPresence(user, online=False) for user in users]
        hidden = frozenset[int]()
        if asker and self._sight is not None and self._sight.on:
            hidden = await self._sight.hidden(asker, users)
        return [
            UserPresence(
                p.user,
                p.online or bool(self._routes.of(p.user)),
                p.last_seen_ms,
                p.user in hidden,
            )
            for p in known
        ]

    async def names(
        self, names: Sequence[str], users: Sequence[int], *, claim: bool = False
    ) -> Mapping[str, int]:
        """
        Look up names both ways.
        """
        self.asked += 1
        if self._names is None:
            raise Unsupported("users have no names: Message has users.names = false")
        if len(names) + len(users) > MOST_NAMES:
            raise BadRequest(f"more than {MOST_NAMES} names and users in one request")
        if not claim:
            return await self._names.look_up(names, users)
        for name in names:
            if problem := name_problem(name):
                raise BadRequest(f"{name!r} cannot be a name: {problem}")
        return await self._names.claim(names)

    async def mark(self, user: int, marks: Sequence[Mark]) -> Sequence[bool]:
        """
        Mark messages as read by a user.
        """
        self.asked += 1
        if self._marking is None:
            raise NotFound("this Message takes no marks")
        if len(marks) > MOST_MARKS:
            raise NotFound(f"{len(marks)} marks, the limit is {MOST_MARKS}")
        return await self._marking(user, marks)

    async def check_stored(self, conversation: str, user: int) -> None:
        """
        Check that the store knows whether a user is a member of a group.
        """
        asked = self._may_be_unstored
        if asked is not None and await asked(conversation, user):
            why = "the group is not known here, or not stored yet"
            raise Unavailable(why, _RETRY_AFTER_MS)

    async def _wait_for_cursors(self, user: int) -> None:
        if self._cursors_stored is not None:
            await self._cursors_stored(user)

    def _limited(self, limit: int) -> int:
        return min(limit or self.page_limit, self.page_limit)


def _check_member(user: int, conversation: str) -> None:
    try:
        members = members_of(conversation)
    except InvalidName as e:
        raise NotFound(str(e)) from e
    if user not in members:
        raise Forbidden(f"user {user} is not in {conversation}")
